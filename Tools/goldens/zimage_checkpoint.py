"""Tiny random Z-Image checkpoints in the published diffusers layout.

Every size differs from its neighbours, so that a swapped axis shows. `SMALL` and `OTHER` differ in every dimension,
in the scheduler's shift, and in the VAE's optional parts.
"""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from recording import randomize

SMALL = dict(
    seed=7,
    vocabulary=384,
    text=dict(hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
              head_dim=16, rope_theta=1e6),
    transformer=dict(in_channels=16, dim=64, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=48,
                     axes_dims=[8, 12, 12], axes_lens=[256, 64, 64]),
    vae=dict(block_out_channels=[16, 32], layers_per_block=1, latent_channels=16, norm_num_groups=8, sample_size=32,
             scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False),
    scheduler=dict(shift=3.0, use_dynamic_shifting=False),
)
OTHER = dict(
    seed=11,
    vocabulary=352,
    text=dict(hidden_size=40, intermediate_size=72, num_hidden_layers=4, num_attention_heads=3, num_key_value_heads=1,
              head_dim=24, rope_theta=1e5),
    transformer=dict(in_channels=8, dim=48, n_layers=3, n_refiner_layers=2, n_heads=3, n_kv_heads=3, cap_feat_dim=40,
                     axes_dims=[4, 8, 4], axes_lens=[256, 64, 64]),
    vae=dict(block_out_channels=[8, 16, 24], layers_per_block=2, latent_channels=8, norm_num_groups=4, sample_size=32,
             scaling_factor=0.5, shift_factor=0.05, use_quant_conv=True, use_post_quant_conv=True),
    scheduler=dict(shift=1.0, use_dynamic_shifting=True, base_shift=0.4, max_shift=1.1),
)

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN_ADDED = ["<think>", "</think>"]
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}"
)
CORPUS = [
    "a red fox runs over the green hill while the sun is setting behind the mountains",
    "a photo of a small blue house beside the lake, soft light, high detail",
    "the quick brown fox jumps over the lazy dog; it's what they've said they'll do",
    "portrait of an old sailor, oil on canvas, 1889, by candle light",
    "drei kleine Äpfel und größere Straßen, über den Flüssen",
    "日本の山と川、雪の中の赤い家", "der Hund läuft, the dog runs, le chien court",
    "user assistant system think",
]


def tokenizer(vocabulary, corpus=CORPUS):
    bpe = Tokenizer(models.BPE(byte_fallback=False))
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    bpe.decoder = decoders.ByteLevel()
    bpe.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=vocabulary - len(ADDED) - len(PLAIN_ADDED), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    bpe.train_from_iterator(corpus, trainer)
    bpe.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ADDED])
    bpe.add_tokens([AddedToken(text, special=False, normalized=False) for text in PLAIN_ADDED])
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>",
                                   model_max_length=131072)
    fast.chat_template = CHAT_TEMPLATE
    return fast


def pipeline(spec):
    generator = torch.Generator().manual_seed(spec["seed"])
    words = tokenizer(spec["vocabulary"])
    theta = spec["text"]["rope_theta"]
    text = {key: value for key, value in spec["text"].items() if key != "rope_theta"}
    config = Qwen3Config(vocab_size=len(words), rms_norm_eps=1e-6, max_position_embeddings=1024,
                         rope_parameters={"rope_type": "default", "rope_theta": theta}, tie_word_embeddings=True, **text)
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, **spec["scheduler"]),
        vae=randomize(AutoencoderKL(
            down_block_types=["DownEncoderBlock2D"] * len(spec["vae"]["block_out_channels"]),
            up_block_types=["UpDecoderBlock2D"] * len(spec["vae"]["block_out_channels"]), **spec["vae"]), generator),
        text_encoder=randomize(Qwen3ForCausalLM(config), generator),
        tokenizer=words,
        transformer=randomize(ZImageTransformer2DModel(**spec["transformer"]), generator, embeddings=("pad_token",)),
    )


def save(pipe, folder: Path):
    """As published: the transformer in shards with an index, the rest in one file each."""
    pipe.save_pretrained(folder, safe_serialization=True)
    for stale in (folder / "transformer").glob("*.safetensors"):
        stale.unlink()
    pipe.transformer.save_pretrained(folder / "transformer", safe_serialization=True, max_shard_size="700KB")
    for stray in ["README.md"]:
        (folder / stray).unlink(missing_ok=True)
    return json.loads((folder / "model_index.json").read_text())
