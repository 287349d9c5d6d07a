"""A Wan autoencoder with the true dimensions and random weights, f32 as published.

    nice -n 10 python Benchmarks/video/make_autoencoder.py FOLDER --form 2.1
"""

import argparse
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan

FORMS = {
    "2.1": dict(base_dim=96, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, temperal_downsample=[False, True, True]),
    "2.2": dict(base_dim=160, decoder_base_dim=256, z_dim=48, dim_mult=[1, 2, 4, 4], num_res_blocks=2, temperal_downsample=[False, True, True],
                is_residual=True, in_channels=12, out_channels=12, patch_size=2, scale_factor_spatial=16,
                latents_mean=[0.0] * 48, latents_std=[1.0] * 48),
}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--form", choices=FORMS, default="2.1")
    options = arguments.parse_args()
    model = AutoencoderKLWan(**FORMS[options.form])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(1.0)
            elif parameter.ndim == 1:
                parameter.fill_(0.0)
            else:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
    model.save_pretrained(options.folder)
    print(json.dumps({"form": options.form, "bytes": sum(file.stat().st_size for file in options.folder.iterdir())}))


if __name__ == "__main__":
    main()
