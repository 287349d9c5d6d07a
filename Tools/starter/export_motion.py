"""Writes omni-emoji-motion as a folder in the published diffusers layout, bfloat16, and says its size.

    python export_motion.py FOLDER
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

import common
import motion_data
import motion_model
import sizes


def main():
    a = argparse.ArgumentParser()
    a.add_argument("folder", type=Path)
    a.add_argument("--shift", type=float, default=3.0, help="of the scheduler")
    args = a.parse_args()
    out = args.folder
    scale = common.load(common.STATE / "motion-scale.pt")
    vae = motion_model.make_vae([round(float(v), 6) for v in scale["mean"]], [round(float(v), 6) for v in scale["std"]])
    vae.load_state_dict(common.load(common.STATE / "motion-frames.pt")["average"])
    tokenizer = motion_model.tokenizer_at(common.STATE / "motion-tokenizer")
    network = motion_model.MotionModel(tokenizer.get_vocab_size())
    state = common.load(common.STATE / "motion-video.pt")
    network.load_state_dict(state["average"])
    for module, name in ((vae, "vae"), (network.transformer, "transformer"), (network.text, "text_encoder")):
        module.to(torch.bfloat16).save_pretrained(out / name, safe_serialization=True)
    shutil.copytree(common.STATE / "motion-tokenizer", out / "tokenizer", dirs_exist_ok=True)
    FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, use_dynamic_shifting=False, shift=args.shift).save_pretrained(out / "scheduler")
    (out / "model_index.json").write_text(json.dumps({
        "_class_name": "WanPipeline", "_diffusers_version": "0.36.0", "boundary_ratio": None, "expand_timesteps": False,
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5TokenizerFast"], "transformer": ["diffusers", "WanTransformer3DModel"],
        "transformer_2": [None, None], "vae": ["diffusers", "AutoencoderKLWan"],
    }, indent=2) + "\n")
    (out / "omni.json").write_text(json.dumps(
        {"width": 128, "height": 128, "frames": motion_data.FRAMES, "fps": motion_data.FPS, "steps": 12, "guidance_scale": 1}) + "\n")
    sizes.check(out, f"step {state['step']}, {state['seconds'] / 3600:.2f} h of transformer training")


if __name__ == "__main__":
    main()
