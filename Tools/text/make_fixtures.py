"""Writes tiny random models for the tests: Tests/Fixtures/text/tiny.gguf and tiny-mmproj.gguf, which see and hear, and
tiny-embed.gguf, which turns text into vectors.

    python -m venv .venv && .venv/bin/pip install torch transformers safetensors
    .venv/bin/python Tools/text/make_fixtures.py LLAMA_CPP Tests/Fixtures/text

LLAMA_CPP is llama.cpp's source tree. The model that sees and hears is a Qwen2.5-Omni as its makers publish it, a few dozen wide,
and goes through llama.cpp's converter; the one for vectors, a BERT, is written with llama.cpp's gguf package. The weights are random:
what the model says means nothing, that it depends on the picture and the sound is what the tests look at.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

LLAMA, FOLDER = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path.insert(0, str(LLAMA / "gguf-py"))
from gguf import GGUFWriter, TokenType  # noqa: E402

WIDTH, HEADS, LAYERS, FEED_FORWARD = 32, 2, 2, 64
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|audio_bos|>", "<|audio_eos|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}{{ part.text }}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
random = np.random.default_rng(7)


def weight(*shape, scale=0.2):
    return (random.standard_normal(shape) * scale).astype(np.float32)


def byte_tokens():
    """GPT-2's alphabet: every byte as a printable character."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    names, extra = {}, 0
    for byte in range(256):
        if byte in printable:
            names[byte] = chr(byte)
        else:
            names[byte] = chr(256 + extra)
            extra += 1
    return [names[byte] for byte in range(256)]


def tokenizer(folder):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    own = Tokenizer(models.BPE({token: number for number, token in enumerate(byte_tokens() + ["th"])}, [("t", "h")]))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=own, eos_token="<|im_end|>", pad_token="<|endoftext|>", bos_token="<|endoftext|>")
    wrapped.add_special_tokens({"additional_special_tokens": SPECIAL})
    wrapped.chat_template = TEMPLATE
    wrapped.save_pretrained(folder)
    assert wrapped.convert_tokens_to_ids(SPECIAL[0]) >= 257
    return len(wrapped)


class Tensors(dict):
    def linear(self, name, outputs, inputs, bias=True, scale=0.2):
        self[f"{name}.weight"] = weight(outputs, inputs, scale=scale)
        if bias:
            self[f"{name}.bias"] = weight(outputs, scale=scale)

    def norm(self, name, bias=False):
        self[f"{name}.weight"] = np.ones(WIDTH, np.float32)
        if bias:
            self[f"{name}.bias"] = np.zeros(WIDTH, np.float32)

    def gated(self, name, bias):
        for part, outputs, inputs in [("gate_proj", FEED_FORWARD, WIDTH), ("up_proj", FEED_FORWARD, WIDTH), ("down_proj", WIDTH, FEED_FORWARD)]:
            self.linear(f"{name}.{part}", outputs, inputs, bias)


def thinker(vocabulary):
    """The weights of Qwen2.5-Omni's part that reads, sees and hears."""
    tensors = Tensors({"thinker.model.embed_tokens.weight": weight(vocabulary, WIDTH, scale=1)})
    tensors.norm("thinker.model.norm")
    tensors["thinker.lm_head.weight"] = weight(vocabulary, WIDTH, scale=1)
    for layer in range(LAYERS):
        name = f"thinker.model.layers.{layer}"
        for part in ["input_layernorm", "post_attention_layernorm"]:
            tensors.norm(f"{name}.{part}")
        for part in "qkvo":
            tensors.linear(f"{name}.self_attn.{part}_proj", WIDTH, WIDTH, bias=part != "o")
        tensors.gated(f"{name}.mlp", bias=False)

    tensors["thinker.visual.patch_embed.proj.weight"] = weight(WIDTH, 3, 2, 14, 14, scale=0.1)
    for layer in range(LAYERS):
        name = f"thinker.visual.blocks.{layer}"
        tensors.norm(f"{name}.norm1")
        tensors.norm(f"{name}.norm2")
        for part in ["q", "k", "v", "proj"]:
            tensors.linear(f"{name}.attn.{part}", WIDTH, WIDTH)
        tensors.gated(f"{name}.mlp", bias=True)
    tensors.norm("thinker.visual.merger.ln_q")
    tensors.linear("thinker.visual.merger.mlp.0", WIDTH * 4, WIDTH * 4)
    tensors.linear("thinker.visual.merger.mlp.2", WIDTH, WIDTH * 4)

    for number, inputs in [(1, 128), (2, WIDTH)]:
        tensors[f"thinker.audio_tower.conv{number}.weight"] = weight(WIDTH, inputs, 3)
        tensors[f"thinker.audio_tower.conv{number}.bias"] = weight(WIDTH)
    for layer in range(LAYERS):
        name = f"thinker.audio_tower.layers.{layer}"
        for part in ["self_attn_layer_norm", "final_layer_norm"]:
            tensors.norm(f"{name}.{part}", bias=True)
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"]:
            tensors.linear(f"{name}.self_attn.{part}", WIDTH, WIDTH, bias=part != "k_proj")
        tensors.linear(f"{name}.fc1", FEED_FORWARD, WIDTH)
        tensors.linear(f"{name}.fc2", WIDTH, FEED_FORWARD)
    tensors.norm("thinker.audio_tower.ln_post", bias=True)
    tensors.linear("thinker.audio_tower.proj", WIDTH, WIDTH, scale=1)
    return {name: torch.from_numpy(value) for name, value in tensors.items()}


def omni(folder):
    vocabulary = tokenizer(folder)
    save_file(thinker(vocabulary), folder / "model.safetensors")
    text = {
        "model_type": "qwen2_5_omni_text", "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "intermediate_size": FEED_FORWARD, "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 2048, "vocab_size": vocabulary,
        "hidden_act": "silu", "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"},
    }
    vision = {
        "depth": LAYERS, "hidden_size": WIDTH, "num_heads": HEADS, "intermediate_size": FEED_FORWARD, "out_hidden_size": WIDTH, "patch_size": 14,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112, "fullatt_block_indexes": [LAYERS - 1], "image_size": 56,
    }
    audio = {
        "d_model": WIDTH, "encoder_layers": LAYERS, "num_hidden_layers": LAYERS, "encoder_attention_heads": HEADS, "encoder_ffn_dim": FEED_FORWARD,
        "num_mel_bins": 128, "output_dim": WIDTH,
    }
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["Qwen2_5OmniModel"], "model_type": "qwen2_5_omni",
        "thinker_config": {"text_config": text, "vision_config": vision, "audio_config": audio},
    }))
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}))


CONVERT = """
import sys
from conversion.base import TextModel
# The real tokenizer's fingerprint is known to the converter; this small one stands in for it.
TextModel.get_vocab_base_pre = lambda self, tokenizer: "qwen2"
import convert_hf_to_gguf
sys.argv[0] = "convert_hf_to_gguf.py"
convert_hf_to_gguf.main()
"""


def convert(checkpoint, out, *flags):
    subprocess.run(
        [sys.executable, "-c", CONVERT, str(checkpoint), "--outfile", str(out), "--outtype", "f32", "--model-name", "tiny", *flags], cwd=LLAMA, check=True,
        env={"PYTHONPATH": f"{LLAMA}:{LLAMA}/gguf-py", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})


def embedding_model(path):
    out = GGUFWriter(path, "bert")
    out.add_context_length(64)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FEED_FORWARD)
    out.add_head_count(HEADS)
    out.add_layer_norm_eps(1e-6)
    out.add_causal_attention(False)
    out.add_uint32("bert.pooling_type", 1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + ["\u2581" + letter for letter in letters] + list(letters)
    out.add_tokenizer_model("bert")
    out.add_tokenizer_pre("default")
    out.add_token_list(tokens)
    out.add_token_types([TokenType.CONTROL] * 5 + [TokenType.NORMAL] * 52)
    out.add_token_type_count(2)
    for name, id in [("padding", 0), ("unknown", 1), ("bos", 2), ("seperator", 3), ("mask", 4)]:
        out.add_uint32(f"tokenizer.ggml.{name}_token_id", id)
    out.add_tensor("token_embd.weight", weight(len(tokens), WIDTH, scale=1))
    out.add_tensor("token_types.weight", weight(2, WIDTH))
    out.add_tensor("position_embd.weight", weight(64, WIDTH))
    norms(out, "token_embd_norm")
    for layer in range(LAYERS):
        name = f"blk.{layer}."
        for part, outputs, inputs in [
            ("attn_q", WIDTH, WIDTH), ("attn_k", WIDTH, WIDTH), ("attn_v", WIDTH, WIDTH), ("attn_output", WIDTH, WIDTH),
            ("ffn_up", FEED_FORWARD, WIDTH), ("ffn_down", WIDTH, FEED_FORWARD),
        ]:
            out.add_tensor(f"{name}{part}.weight", weight(outputs, inputs))
            out.add_tensor(f"{name}{part}.bias", weight(outputs))
        norms(out, f"{name}attn_output_norm")
        norms(out, f"{name}layer_output_norm")
    finish(out)


def norms(out, name):
    out.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    out.add_tensor(f"{name}.bias", np.zeros(WIDTH, np.float32))


def finish(out):
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


FOLDER.mkdir(parents=True, exist_ok=True)
with tempfile.TemporaryDirectory() as scratch:
    omni(Path(scratch))
    convert(Path(scratch), FOLDER / "tiny.gguf")
    convert(Path(scratch), FOLDER / "tiny-mmproj.gguf", "--mmproj")
embedding_model(FOLDER / "tiny-embed.gguf")
