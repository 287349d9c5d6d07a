"""A Z-Image checkpoint with the true dimensions of Z-Image-Turbo and random bf16 weights, in shards.

    nice -n 10 python Benchmarks/image/make_checkpoint.py FOLDER --layers 3 --text-layers 4

All widths are the published ones; --layers and --text-layers say how many of the 30 and 36 layers fit this machine. The
tokenizer is the tiny one of the fixtures, whose ids are valid in the larger vocabulary.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ZImageTransformer2DModel
from transformers import Qwen3Config, Qwen3ForCausalLM

ROOT = Path(__file__).resolve().parents[2]


def fill(module):
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
            else:
                # The same numbers over and over are as good for timing, and quick to make.
                scale = parameter[0].numel() ** -0.5
                noise = torch.randn(1 << 20).mul_(scale).to(parameter.dtype)
                flat = parameter.view(-1)
                for start in range(0, flat.numel(), noise.numel()):
                    flat[start:start + noise.numel()] = noise[:flat.numel() - start]
    return module


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--layers", type=int, default=3)
    arguments.add_argument("--text-layers", type=int, default=4)
    options = arguments.parse_args()
    fixture = ROOT / "Tests/Fixtures/zimage/small"
    options.folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(fixture / "tokenizer", options.folder / "tokenizer", dirs_exist_ok=True)
    shutil.copytree(fixture / "scheduler", options.folder / "scheduler", dirs_exist_ok=True)
    shutil.copy(fixture / "model_index.json", options.folder)
    torch.set_default_dtype(torch.bfloat16)
    fill(ZImageTransformer2DModel(
        in_channels=16, dim=3840, n_layers=options.layers, n_refiner_layers=2, n_heads=30, n_kv_heads=30, cap_feat_dim=2560,
        axes_dims=[32, 48, 48], axes_lens=[1536, 512, 512])).save_pretrained(options.folder / "transformer", max_shard_size="1GB")
    fill(Qwen3ForCausalLM(Qwen3Config(
        vocab_size=151936, hidden_size=2560, intermediate_size=9728, num_hidden_layers=options.text_layers, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=40960, tie_word_embeddings=True, dtype="bfloat16",
        rope_parameters={"rope_type": "default", "rope_theta": 1e6}))).save_pretrained(options.folder / "text_encoder", max_shard_size="1GB")
    fill(AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, block_out_channels=[128, 256, 512, 512],
        layers_per_block=2, latent_channels=16, norm_num_groups=32, sample_size=1024, scaling_factor=0.3611, shift_factor=0.1159,
        use_quant_conv=False, use_post_quant_conv=False)).save_pretrained(options.folder / "vae")
    print(json.dumps({"bytes": sum(file.stat().st_size for file in options.folder.rglob("*.safetensors"))}))


if __name__ == "__main__":
    sys.exit(main())
