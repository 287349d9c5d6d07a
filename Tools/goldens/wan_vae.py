"""Writes Tests/Fixtures/wan-vae: three tiny random Wan autoencoders and what diffusers computes with them.

    nice -n 10 python Tools/goldens/wan_vae.py Tests/Fixtures/wan-vae

Reference: torch 2.13.0+cpu, diffusers 0.42.1, one thread. Everything is f32. `first` has the form of Wan 2.1, `second` that of
Wan 2.2 (patches, shortcuts without weights), `third` has a latent for each frame, as omni-emoji-motion; no two neighbouring sizes
are equal, so that a swapped axis cannot pass.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import save_file

from recording import generator, randomize

torch.set_num_threads(1)

FIRST = dict(base_dim=6, z_dim=5, dim_mult=[1, 2, 3, 2], num_res_blocks=1, attn_scales=[], temperal_downsample=[True, False, True])
SECOND = dict(base_dim=4, decoder_base_dim=6, z_dim=7, dim_mult=[1, 2, 4, 2], num_res_blocks=1, attn_scales=[],
              temperal_downsample=[False, True, True], is_residual=True, in_channels=12, out_channels=12, patch_size=2,
              scale_factor_temporal=4, scale_factor_spatial=16)
THIRD = dict(base_dim=4, z_dim=6, dim_mult=[1, 2, 1, 3], num_res_blocks=1, attn_scales=[], temperal_downsample=[False, False, False],
             scale_factor_temporal=1)


def video(frames, height, width):
    """Values in -1...1 that the tests make again: they need not be stored."""
    places = torch.arange(3 * frames * height * width, dtype=torch.int64)
    return ((places * 7919 % 1009).float() / 504.5 - 1).reshape(1, 3, frames, height, width)


def goldens(model, width, height, tile):
    """Videos of several lengths, latents whole and in tiles. Shorter latents are the beginning of longer ones."""
    kept = {}
    scale = model.config.scale_factor_spatial
    with torch.no_grad():
        for frames in (1, 5, 9):
            kept[f"moments.{frames}"] = model.encode(video(frames, height, width)).latent_dist.parameters[0]
        latents = torch.randn((1, model.config.z_dim, 3, height // scale, width // scale), generator=generator(43))
        kept["latents"] = latents[0]
        kept["decoded"] = model.decode(latents).sample[0]
        for count in (1, 2):
            begin = model.decode(latents[:, :, :count]).sample[0]
            assert torch.allclose(begin, kept["decoded"][:, :begin.shape[1]], atol=1e-5)
        latents = torch.randn((1, model.config.z_dim, 2, *tile["latents"]), generator=generator(60))
        kept["tiled.latents"] = latents[0]
        model.enable_tiling(**{f"tile_sample_{name}_{side}": tile[name] for name in ("min", "stride") for side in ("height", "width")})
        kept["tiled.decoded"] = model.decode(latents).sample[0]
        model.use_tiling = False
    return {name: value.contiguous().clone() for name, value in kept.items()}


def main():
    root = Path(sys.argv[1])
    for name, spec, seed, width, height, tile in (
        ("first", FIRST, 3, 40, 24, dict(min=32, stride=24, latents=(3, 6))),
        ("second", SECOND, 5, 48, 32, dict(min=48, stride=32, latents=(3, 4))),
        ("third", THIRD, 7, 32, 24, dict(min=32, stride=24, latents=(3, 6))),
    ):
        mean = (torch.randn(spec["z_dim"], generator=generator(seed + 1)) * 0.5).tolist()
        deviation = (torch.rand(spec["z_dim"], generator=generator(seed + 2)) + 1).tolist()
        model = randomize(AutoencoderKLWan(latents_mean=mean, latents_std=deviation, **spec), generator(seed))
        folder = root / name
        model.save_pretrained(folder, safe_serialization=True)
        save_file(goldens(model, width, height, tile), root / f"{name}.goldens.safetensors")
        bytes_ = sum(file.stat().st_size for file in folder.iterdir()) + (root / f"{name}.goldens.safetensors").stat().st_size
        (folder / "diffusion_pytorch_model.safetensors").chmod(0o644)
        (root / f"{name}.goldens.safetensors").chmod(0o644)
        print(json.dumps({"name": name, "parameters": sum(p.numel() for p in model.parameters()), "bytes": bytes_}))


if __name__ == "__main__":
    main()
