"""A Wan checkpoint with the transformer's true width, few layers and random weights, bf16: text encoder and autoencoder are tiny.

    nice -n 10 python Benchmarks/video/transformer/make_checkpoint.py FOLDER --layers 2
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "Tools/goldens"))
import wan_checkpoint  # noqa: E402


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--layers", type=int, default=2)
    options = arguments.parse_args()
    spec = dict(wan_checkpoint.T2V)
    spec["vae"] = dict(base_dim=4, z_dim=16, dim_mult=[1, 2, 3, 4], num_res_blocks=1, temperal_downsample=[False, True, True])
    spec["transformer"] = dict(num_attention_heads=12, attention_head_dim=128, in_channels=16, out_channels=16, text_dim=64, freq_dim=256, ffn_dim=8960,
                               num_layers=options.layers, cross_attn_norm=True)
    spec["defaults"] = dict(width=256, height=256, frames=17, fps=16, steps=3, guidance_scale=1.0)
    pipe = wan_checkpoint.pipeline(spec)
    pipe.to(torch.bfloat16)
    wan_checkpoint.save(pipe, spec, options.folder)


if __name__ == "__main__":
    main()
