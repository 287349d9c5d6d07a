"""Tiny random FLUX.2-klein checkpoints in the published diffusers layout.

`SMALL` is step-distilled and lies as diffusers saves it; `OTHER` is a base model, whose text encoder lies in shards with a flat config and
whose decoder has widths of its own. They differ in every dimension, and no two neighbouring sizes are equal. The text encoder has more
layers than the pipeline's deepest tap, which is the 27th.
"""

import json
import shutil

import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
from transformers import Qwen3Config, Qwen3ForCausalLM

import zimage_checkpoint
from recording import randomize

SMALL = dict(
    seed=23, vocabulary=384, published=False, distilled=True, factors={"_modulation": 3, ".to_out.": 2, ".to_add_out.": 2},
    # Multiples of 32, which quantization needs.
    text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=28, num_attention_heads=3, num_key_value_heads=1, head_dim=16),
    theta=1e6,
    transformer=dict(in_channels=32, num_layers=2, num_single_layers=2, attention_head_dim=32, num_attention_heads=2, joint_attention_dim=96,
                     mlp_ratio=3.0, axes_dims_rope=(4, 12, 6, 10), rope_theta=2000, guidance_embeds=False),
    vae=dict(block_out_channels=[8, 16, 24], layers_per_block=1, latent_channels=8, norm_num_groups=8, sample_size=32),
    scheduler=dict(base_image_seq_len=256, base_shift=0.5, max_image_seq_len=4096, max_shift=1.15, shift=3.0,
                   time_shift_type="exponential", use_dynamic_shifting=True),
)
OTHER = dict(
    # Guidance makes more of every difference.
    seed=29, vocabulary=352, published=True, distilled=False, factors={"_modulation": 2},
    text=dict(hidden_size=24, intermediate_size=40, num_hidden_layers=30, num_attention_heads=2, num_key_value_heads=2, head_dim=12),
    theta=1e5,
    transformer=dict(in_channels=20, num_layers=1, num_single_layers=3, attention_head_dim=12, num_attention_heads=3, joint_attention_dim=72,
                     mlp_ratio=2.5, axes_dims_rope=(2, 4, 4, 2), rope_theta=500, guidance_embeds=False),
    vae=dict(block_out_channels=[8, 12, 16, 20], decoder_block_out_channels=[4, 8, 12, 16], layers_per_block=2, latent_channels=5,
             norm_num_groups=4, sample_size=64, batch_norm_eps=1e-2),
    scheduler=dict(base_image_seq_len=64, base_shift=0.3, max_image_seq_len=512, max_shift=0.9, shift=1.0, time_shift_type="linear",
                   use_dynamic_shifting=True),
)


def text_encoder(spec, words, generator):
    config = Qwen3Config(vocab_size=len(words), rms_norm_eps=1e-6, max_position_embeddings=2048, tie_word_embeddings=True,
                         rope_parameters={"rope_type": "default", "rope_theta": spec["theta"]}, **spec["text"])
    return randomize(Qwen3ForCausalLM(config), generator)


def autoencoder(spec, generator):
    levels = len(spec["vae"]["block_out_channels"])
    vae = AutoencoderKLFlux2(down_block_types=["DownEncoderBlock2D"] * levels, up_block_types=["UpDecoderBlock2D"] * levels, **spec["vae"])
    randomize(vae, generator, last=0.4)
    # Statistics of latents are no parameters.
    vae.bn.running_mean.copy_(0.3 * torch.randn(vae.bn.running_mean.shape, generator=generator))
    vae.bn.running_var.copy_(0.3 + torch.rand(vae.bn.running_var.shape, generator=generator))
    return vae.eval()


def transformer(spec, generator):
    """Long queries and keys make each token attend to a few others, and blocks change much: else references would not show among the 512
    tokens of text, and a picture with two of them swapped would be the same by 64 dB."""
    factors = {".norm_q.": 3, ".norm_k.": 3, ".norm_added_q.": 3, ".norm_added_k.": 3} | spec["factors"]
    model = randomize(Flux2Transformer2DModel(**spec["transformer"]), generator)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            for part, factor in factors.items():
                if part in name:
                    parameter.mul_(factor)
    return model


def pipeline(spec):
    generator = torch.Generator().manual_seed(spec["seed"])
    words = zimage_checkpoint.tokenizer(spec["vocabulary"])
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, **spec["scheduler"]),
        vae=autoencoder(spec, generator), text_encoder=text_encoder(spec, words, generator), tokenizer=words,
        transformer=transformer(spec, generator), is_distilled=spec["distilled"])


def save(pipe, spec, folder):
    shutil.rmtree(folder, ignore_errors=True)
    pipe.save_pretrained(folder, safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)
    (folder / "text_encoder/generation_config.json").unlink(missing_ok=True)
    index = json.loads((folder / "model_index.json").read_text())
    index["tokenizer"] = ["transformers", "Qwen2TokenizerFast"]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    if not spec["published"]:
        return
    for stale in (folder / "text_encoder").glob("*.safetensors"):
        stale.unlink()
    pipe.text_encoder.save_pretrained(folder / "text_encoder", safe_serialization=True, max_shard_size="400KB")
    (folder / "text_encoder/generation_config.json").unlink(missing_ok=True)


def publish(folder):
    """The text encoder's config as transformers 4 wrote it."""
    path = folder / "text_encoder/config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    path.write_text(json.dumps(config | {"rope_theta": rope["rope_theta"], "rope_scaling": None}, indent=2) + "\n")
