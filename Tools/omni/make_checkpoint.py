"""Writes a tiny random Qwen2.5-Omni in the layout of the published ones: thinker with eyes and ears, talker, token2wav, two voices.

    python -m venv VENV && VENV/bin/pip install torch==2.13.0+cpu transformers==4.57.6 safetensors tokenizers sentencepiece
    VENV/bin/python Tools/omni/make_checkpoint.py Tests/Fixtures/omni/qwen2.5-omni

transformers 4.57 has the names of the published tensors and the rotary positions of the published DiT (5.0 broke them, 5.23 has them
right again but forgets `rotary_embed.inv_freq`, which the published files hold, rounded to bf16). Thinker and talker are bf16, token2wav
f32, as published. No two widths are equal that could be mistaken; ids of special tokens come from config.json, as they must.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Qwen2_5OmniConfig, Qwen2_5OmniForConditionalGeneration

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conversion"))
import tokenizer_families  # noqa: E402

WIDTH = 64  # of the thinker, and of the talker's inputs
SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>",
    "<|vision_bos|>", "<|vision_eos|>", "<|vision_pad|>", "<|IMAGE|>", "<|VIDEO|>",
]
MERGED = 600  # tokens before the special ones
ID = {text: MERGED + place for place, text in enumerate(SPECIAL)}
VOCABULARY = 640
# Ids that no token of the tokenizer has, as in the published checkpoints.
TTS_PAD, TTS_BEGIN, TTS_END = 620, 621, 622
VOICES = {"Chelsie": (632, 56), "Ethan": (630, 44)}  # first token of its speech, frames of the sample
CODES, CODEC = 96, 112  # real codes; all ids that the talker knows
CODEC_PAD, CODEC_BEGIN, CODEC_END, CODEC_MASK = 100, 101, 102, 104

# Our own words for what the published template does.
TEMPLATE = (
    "{%- if messages and messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{%- if part.type == 'image' or 'image' in part or 'image_url' in part %}<|vision_bos|><|IMAGE|><|vision_eos|>"
    "{%- elif part.type == 'audio' or 'audio' in part or 'audio_url' in part %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{%- elif part.type == 'video' or 'video' in part or 'video_url' in part %}<|vision_bos|><|VIDEO|><|vision_eos|>"
    "{%- elif 'text' in part %}{{ part.text }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def media_ids():
    return {
        "audio_token_index": ID["<|AUDIO|>"], "image_token_index": ID["<|IMAGE|>"], "video_token_index": ID["<|VIDEO|>"],
        "audio_start_token_id": ID["<|audio_bos|>"], "audio_end_token_id": ID["<|audio_eos|>"],
        "vision_start_token_id": ID["<|vision_bos|>"], "vision_end_token_id": ID["<|vision_eos|>"],
        "position_id_per_seconds": 25, "seconds_per_chunk": 2,
    }


def text(model_type, sections, **more):
    return {
        "model_type": model_type, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "max_position_embeddings": 4096,
        "rope_scaling": {"mrope_section": sections, "rope_type": "default", "type": "default"}, "use_sliding_window": False, "sliding_window": 4096,
        "max_window_layers": 9, "attention_dropout": 0.0, "initializer_range": 0.02, "init_std": 0.02, "use_cache": True, **more,
    }


def settings():
    thinker = {
        "architectures": ["Qwen2OmniNaViTThinkerForConditionalGeneration"], "model_type": "qwen2_5_omni_thinker", **media_ids(),
        "bos_token_id": ID["<|im_start|>"], "eos_token_id": ID["<|im_end|>"], "pad_token_id": ID["<|endoftext|>"], "vision_token_id": ID["<|vision_pad|>"],
        "user_token_id": 300, "ignore_index": -100, "init_std": 0.02, "torch_dtype": "bfloat16",
        "text_config": text("qwen2_5_omni_text", [2, 3, 3], hidden_size=WIDTH, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                            vocab_size=VOCABULARY, tie_word_embeddings=False),
        "vision_config": {
            "model_type": "qwen2_5_omni_vision_encoder", "depth": 4, "embed_dim": 32, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "hidden_act": "silu",
            "in_channels": 3, "in_chans": 3, "out_hidden_size": WIDTH, "patch_size": 14, "spatial_patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
            "tokens_per_second": 25, "window_size": 112, "fullatt_block_indexes": [1, 3], "init_std": 0.02,
        },
        "audio_config": {
            "model_type": "qwen2_5_omni_audio_encoder", "d_model": 48, "encoder_layers": 2, "num_hidden_layers": 2, "encoder_attention_heads": 3, "encoder_ffn_dim": 80,
            "num_mel_bins": 128, "max_source_positions": 1500, "n_window": 100, "output_dim": WIDTH, "activation_function": "gelu", "scale_embedding": False,
            "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "encoder_layerdrop": 0.0, "init_std": 0.02,
        },
    }
    talker = {
        **text("qwen2_5_omni_talker", [4, 4, 0], hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, head_dim=16, vocab_size=CODEC,
               tie_word_embeddings=False),
        "architectures": ["Qwen2OmniTalkerForConditionalGeneration"], "embedding_size": WIDTH, **media_ids(), "spatial_merge_size": 2, "torch_dtype": "bfloat16",
        "tts_text_start_token_id": TTS_BEGIN, "tts_text_end_token_id": TTS_END, "tts_text_pad_token_id": TTS_PAD, "tts_codec_start_token_id": CODEC_BEGIN,
        "tts_codec_end_token_id": CODEC_END, "tts_codec_pad_token_id": CODEC_PAD, "tts_codec_mask_token_id": CODEC_MASK,
    }
    dit = {
        # What transformers reads, and the published file's own words for the same.
        "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "head_dim": 16, "dim": 48, "depth": 3, "heads": 3,
        "model_type": "qwen2_5_omni_dit", "ff_mult": 2, "dropout": 0.1, "emb_dim": 24, "enc_dim": 20, "enc_emb_dim": 28, "enc_channels": [16, 16, 16, 16, 48],
        "enc_kernel_sizes": [5, 3, 3, 3, 1], "enc_dilations": [1, 2, 3, 4, 1], "enc_attention_channels": 12, "enc_se_channels": 10, "enc_res2net_scale": 2,
        "enc_lin_neurons": 28, "enc_global_context": True, "freq_embed_dim": 256, "block_size": 24, "look_ahead_layers": [1], "look_backward_layers": [0, 2], "mel_dim": 80,
        "num_embeds": CODES + 1, "repeats": 2, "max_position_embeddings": 32768, "rope_theta": 10000.0, "torch_dtype": "float32",
    }
    vocoder = {
        "model_type": "qwen2_5_omni_bigvgan", "mel_dim": 80, "upsample_initial_channel": 64, "upsample_rates": [5, 3, 2, 2, 2, 2], "upsample_kernel_sizes": [11, 7, 4, 4, 4, 4],
        "resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]], "use_bias_at_final": False, "torch_dtype": "float32",
    }
    return {
        "architectures": ["Qwen2_5OmniModel"], "model_type": "qwen2_5_omni", "enable_audio_output": True, "enable_talker": True, "thinker_config": thinker, "talker_config": talker,
        "token2wav_config": {"model_type": "qwen2_5_omni_token2wav", "dit_config": dit, "bigvgan_config": vocoder}, "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
    }


def randomize(model, seed):
    """Weights at scales at which every layer matters: norms near 1, biases not 0, gates open."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        inputs = value[0].numel() if value.dim() > 1 else 1
        if ".ups." in name:
            # A transposed convolution: of its inputs each sample sees kernel / stride taps of every channel.
            inputs = value.shape[0] * 2
        if value.dim() == 1:
            scale = 0.3 if name.endswith((".alpha", ".beta")) else 0.2
            is_norm = "norm" in name.lower() and "linear" not in name or "ln_" in name
            value.data = noise * scale + (1 if is_norm and name.endswith("weight") else 0)
        elif "embed_tokens" in name or "codec_embed" in name:
            value.data = noise
        elif "conv_post" in name:
            value.data = noise * 0.1 / inputs**0.5
        elif "resblocks" in name:
            value.data = noise * 0.6 / inputs**0.5
        elif "codec_head" in name or "lm_head" in name:
            value.data = noise * 2 / inputs**0.5
            if "codec_head" in name:
                # A trained talker never says what is no code: in the middle of all logits, behind the 40 that are sampled from.
                silent = [number for number in range(CODES, CODEC) if number != CODEC_END]
                value.data[silent] *= 0.01
        else:
            value.data = noise * 1.3 / inputs**0.5


def published(model):
    """The tensors under their published names and types."""
    tensors = {}
    for name, value in model.state_dict().items():
        # Filters of the vocoder are computed from nothing, and not published.
        if name.endswith((".filter", "positional_embedding.positional_embedding")):
            continue
        if name.endswith("rotary_embed.inv_freq"):
            value = value.to(torch.bfloat16)
        elif "inv_freq" in name:
            continue
        tensors[name] = value.to(torch.float32 if name.startswith("token2wav.") else torch.bfloat16).contiguous().clone()
    return tensors


def save(tensors, folder):
    parts = {"thinker.": 1, "talker.": 2, "token2wav.": 3}
    shard = {name: f"model-{number:05}-of-00003.safetensors" for name in tensors for start, number in parts.items() if name.startswith(start)}
    for file in sorted(set(shard.values())):
        save_file({name: value for name, value in tensors.items() if shard[name] == file}, folder / file, metadata={"format": "pt"})
    total = sum(value.numel() * value.element_size() for value in tensors.values())
    write(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": dict(sorted(shard.items()))})


def voices(folder):
    generator = torch.Generator().manual_seed(25)
    speakers = {}
    for name, (first, frames) in VOICES.items():
        mel = torch.randn(1, frames, 80, generator=generator).cumsum(1)
        speakers[name] = {
            "bos_token": first, "cond": torch.randn(1, 28, generator=generator), "ref_mel": mel / mel.std() * 2.4 - 4.0,
        }
    torch.save(speakers, folder / "spk_dict.pt")


def write(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def tokenizer(folder):
    own = tokenizer_families.byte_level(tokenizer_families.whole(tokenizer_families.QWEN2), tokenizer_families.normalizers.NFC(), size=MERGED)
    own.post_processor = tokenizer_families.processors.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=False)
    config = {
        "add_bos_token": False, "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None, "errors": "replace",
        "tokenizer_class": "Qwen2Tokenizer", "processor_class": "Qwen2_5OmniProcessor", "model_max_length": 4096, "split_special_tokens": False,
        "audio_token": "<|AUDIO|>", "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>", "image_token": "<|IMAGE|>", "video_token": "<|VIDEO|>",
        "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
    }
    tokenizer_families.write(own, folder, config, SPECIAL, template=TEMPLATE)
    assert own.token_to_id("<|VIDEO|>") == ID["<|VIDEO|>"] < TTS_PAD, own.token_to_id("<|VIDEO|>")
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    write(folder / "vocab.json", model["vocab"])
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n")
    write(folder / "special_tokens_map.json", {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "additional_special_tokens": SPECIAL[1:]})
    write(folder / "chat_template.json", {"chat_template": TEMPLATE})


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "config.json", settings())
    write(folder / "generation_config.json", {
        "pad_token_id": ID["<|endoftext|>"], "bos_token_id": ID["<|endoftext|>"], "eos_token_id": [ID["<|im_end|>"], ID["<|endoftext|>"]], "repetition_penalty": 1.05,
        "temperature": 0.7, "top_k": 20, "top_p": 0.8, "do_sample": True, "transformers_version": "4.50.0.dev0",
    })
    write(folder / "preprocessor_config.json", {
        "feature_extractor_type": "WhisperFeatureExtractor", "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5OmniProcessor", "chunk_length": 300, "dither": 0.0,
        "feature_size": 128, "hop_length": 160, "n_fft": 400, "n_samples": 4800000, "nb_max_frames": 30000, "padding_side": "right", "padding_value": 0.0, "return_attention_mask": True,
        "sampling_rate": 16000, "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711], "min_pixels": 3136, "max_pixels": 12845056,
        "merge_size": 2, "patch_size": 14, "temporal_patch_size": 2,
    })
    tokenizer(folder)
    model = Qwen2_5OmniForConditionalGeneration(Qwen2_5OmniConfig.from_pretrained(folder)).eval()
    randomize(model, 2025)
    save(published(model), folder)
    voices(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
