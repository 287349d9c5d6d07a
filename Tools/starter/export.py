"""Writes omni-emoji as a folder in the published diffusers layout, bfloat16, and says its size.

    python export.py FOLDER [--live]
Takes the averaged weights of STATE/image.pt and STATE/vae-grow.pt (256 pixels; or vae-base.pt: 128 pixels).
"""

import argparse
import json
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

import common
import model
import sizes
import train_vae


def trained(live=False):
    """The Drawer with the averaged weights, and its captions."""
    tokenizer = model.tokenizer_at(common.STATE / "tokenizer")
    drawer = model.Drawer(len(tokenizer))
    state = common.load(common.STATE / "image.pt")
    drawer.load_state_dict(state["model"])
    import train_image

    train_image.groups(drawer)  # freezes what is not trained, as in training: the average lists the others
    if not live:
        average = common.Average(drawer.parameters(), 0)
        average.restore(state["ema"])
        average.swap()
    return drawer.requires_grad_(False).eval(), model.Captions(tokenizer), tokenizer, state


def trained_vae():
    for stage in ("grow", "base"):
        state = common.load(common.STATE / f"vae-{stage}.pt")
        if state:
            v = train_vae.make(tuple(state["channels"]))
            v.load_state_dict(state["average"])
            return v.requires_grad_(False).eval(), stage
    raise SystemExit("no trained VAE")


def write_module(module, folder):
    """Config by the library, weights by hand: one file, bfloat16, names in order."""
    folder.mkdir(parents=True, exist_ok=True)
    module.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("folder", type=Path)
    a.add_argument("--live", action="store_true", help="the last weights, not the averaged ones")
    a.add_argument("--shift", type=float, default=3.0, help="of the scheduler")
    args = a.parse_args()
    drawer, _, tokenizer, state = trained(args.live)
    v, stage = trained_vae()
    scale = common.load(common.STATE / "latents-scale.pt")
    v.register_to_config(scaling_factor=scale["scale"], shift_factor=scale["shift"])
    write_module(v, args.folder / "vae")
    write_module(drawer.transformer, args.folder / "transformer")
    write_module(drawer.text, args.folder / "text_encoder")
    tokenizer.save_pretrained(args.folder / "tokenizer")
    template = args.folder / "tokenizer" / "chat_template.jinja"
    config = args.folder / "tokenizer" / "tokenizer_config.json"
    entries = json.loads(config.read_text())
    for own in ("backend", "is_local", "local_files_only", "extra_special_tokens", "add_prefix_space"):
        entries.pop(own, None)  # what only this version of the library writes
    entries |= {"add_prefix_space": False, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}
    entries["chat_template"] = model.CHAT_TEMPLATE  # in both places where readers look for it
    config.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    template.write_text(model.CHAT_TEMPLATE)
    config = args.folder / "text_encoder" / "config.json"
    entries = json.loads(config.read_text())
    entries |= {"rope_theta": 10000.0, "rope_scaling": None, "torch_dtype": "bfloat16"}  # as published checkpoints spell it
    config.write_text(json.dumps(entries, indent=2) + "\n")
    FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, use_dynamic_shifting=False, shift=args.shift).save_pretrained(args.folder / "scheduler")
    (args.folder / "model_index.json").write_text(json.dumps({
        "_class_name": "ZImagePipeline", "_diffusers_version": "0.36.0",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "text_encoder": ["transformers", "Qwen3Model"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"], "transformer": ["diffusers", "ZImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }, indent=2) + "\n")
    side = 16 * 2 ** (len(v.config.block_out_channels) - 1)
    (args.folder / "omni.json").write_text(json.dumps({"width": side, "height": side, "steps": 8, "guidance_scale": 1}) + "\n")
    sizes.check(args.folder, f"vae stage {stage}, step {state['step']}, {state['seconds'] / 3600:.2f} h of transformer training")


if __name__ == "__main__":
    main()
