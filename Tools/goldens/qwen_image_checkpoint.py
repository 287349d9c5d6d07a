"""Tiny random Qwen-Image checkpoints in the published diffusers layout.

`SMALL` and `OTHER` differ in every dimension, in the scheduler's shift, and in how the files are laid out: `OTHER` has a flat
`config.json` of the text encoder and a tokenizer of `vocab.json` and `merges.txt`, as the checkpoint on the Hub has them. No two
neighbouring sizes are equal.
"""

import json
import shutil

import torch
from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImagePipeline, QwenImageTransformer2DModel
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

import zimage_checkpoint
from recording import randomize

SMALL = dict(
    seed=17, vocabulary=512, published=False,
    # Multiples of 32, which quantization needs.
    text=dict(hidden_size=32, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2),
    sections=[1, 2, 1], theta=1e6,
    transformer=dict(in_channels=64, out_channels=16, num_layers=2, attention_head_dim=32, num_attention_heads=3, joint_attention_dim=32,
                     axes_dims_rope=(8, 12, 12)),
    vae=dict(base_dim=6, z_dim=16, dim_mult=[1, 2, 4], num_res_blocks=1, temperal_downsample=[False, True],
             latents_mean=[0.05 * (i % 7) - 0.15 for i in range(16)], latents_std=[0.7 + 0.06 * (i % 9) for i in range(16)]),
    scheduler=dict(base_image_seq_len=256, base_shift=0.5, max_image_seq_len=8192, max_shift=0.9, shift=1.0, shift_terminal=0.02,
                   time_shift_type="exponential", use_dynamic_shifting=True),
)
OTHER = dict(
    seed=19, vocabulary=496, published=True,
    text=dict(hidden_size=36, intermediate_size=56, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1),
    sections=[2, 3, 1], theta=1e5,
    transformer=dict(in_channels=24, out_channels=6, num_layers=3, attention_head_dim=12, num_attention_heads=5, joint_attention_dim=36,
                     axes_dims_rope=(4, 4, 4)),
    vae=dict(base_dim=4, z_dim=6, dim_mult=[1, 2, 3, 4], num_res_blocks=2, temperal_downsample=[False, True, True],
             latents_mean=[0.1, -0.2, 0.3, -0.1, 0.05, 0.2], latents_std=[1.1, 0.9, 1.3, 0.8, 1.2, 0.7]),
    scheduler=dict(base_image_seq_len=16, base_shift=0.3, max_image_seq_len=512, max_shift=1.2, shift=1.0, time_shift_type="linear",
                   use_dynamic_shifting=True),
)
VISION = dict(depth=1, hidden_size=16, intermediate_size=24, num_heads=2, patch_size=4, spatial_merge_size=2, temporal_patch_size=2,
              window_size=16, fullatt_block_indexes=[0])
# The words of the pipeline's own template become one token each, as they are in Qwen's vocabulary: 34 before the prompt.
TEMPLATE = ("system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial relationships of the objects and "
            "background:\nuser\nassistant\n")


def text_encoder(spec, words, generator):
    rope = {"rope_type": "default", "rope_theta": spec["theta"], "mrope_section": spec["sections"]}
    text = dict(spec["text"], vocab_size=len(words), rms_norm_eps=1e-6, max_position_embeddings=2048, rope_parameters=rope)
    vision = dict(VISION, out_hidden_size=spec["text"]["hidden_size"])
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, image_token_id=1, video_token_id=1,
                              vision_start_token_id=1, vision_end_token_id=1)
    return randomize(Qwen2_5_VLForConditionalGeneration(config), generator)


def pipeline(spec):
    generator = torch.Generator().manual_seed(spec["seed"])
    words = zimage_checkpoint.tokenizer(spec["vocabulary"], [TEMPLATE] * 40 + zimage_checkpoint.CORPUS)
    return QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, **spec["scheduler"]),
        vae=randomize(AutoencoderKLQwenImage(**spec["vae"]), generator, last=0.6),
        text_encoder=text_encoder(spec, words, generator), tokenizer=words,
        transformer=randomize(QwenImageTransformer2DModel(**spec["transformer"]), generator))


def save(pipe, spec, folder):
    shutil.rmtree(folder, ignore_errors=True)
    pipe.save_pretrained(folder, safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)
    index = json.loads((folder / "model_index.json").read_text())
    index["tokenizer"] = ["transformers", "Qwen2Tokenizer"]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    (folder / "text_encoder/generation_config.json").unlink(missing_ok=True)


def publish(folder):
    """Lays the text encoder and the tokenizer out as the checkpoint on the Hub has them."""
    config = json.loads((folder / "text_encoder/config.json").read_text())
    flat = {key: value for key, value in config["text_config"].items() if key != "rope_parameters"}
    rope = config["text_config"]["rope_parameters"]
    flat |= {"architectures": config["architectures"], "model_type": "qwen2_5_vl", "rope_theta": rope["rope_theta"],
             "rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": rope["mrope_section"]}}
    (folder / "text_encoder/config.json").write_text(json.dumps(flat, indent=2) + "\n")
    words = json.loads((folder / "tokenizer/tokenizer.json").read_text())
    (folder / "tokenizer/vocab.json").write_text(json.dumps(words["model"]["vocab"], ensure_ascii=False))
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in words["model"]["merges"]]
    (folder / "tokenizer/merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    added = {token["content"]: token["id"] for token in words["added_tokens"]}
    (folder / "tokenizer/added_tokens.json").write_text(json.dumps(added, indent=2) + "\n")
    settings = json.loads((folder / "tokenizer/tokenizer_config.json").read_text())
    settings["tokenizer_class"] = "Qwen2Tokenizer"
    settings["added_tokens_decoder"] = {
        str(token["id"]): {key: token[key] for key in ["content", "lstrip", "normalized", "rstrip", "single_word", "special"]}
        for token in words["added_tokens"]}
    (folder / "tokenizer/tokenizer_config.json").write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
    (folder / "tokenizer/tokenizer.json").unlink()
