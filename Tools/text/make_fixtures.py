"""Writes tiny random models for the tests: Tests/Fixtures/text/tiny.gguf and tiny-mmproj.gguf, which see and hear, and
tiny-embed.gguf, which turns text into vectors.

The text model has Qwen2-VL's architecture (positions in three dimensions), the projector its vision tower and Qwen2-Audio's
encoder, all of them a few dozen wide. The weights are random: what the model says means nothing, that it depends on the
picture and the sound is what the tests look at.

    PYTHONPATH=<llama.cpp>/gguf-py python3 Tools/text/make_fixtures.py
"""

from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

FOLDER = Path(__file__).resolve().parents[2] / "Tests" / "Fixtures" / "text"
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


def text_model(path):
    out = GGUFWriter(path, "qwen2vl")
    out.add_name("tiny")
    out.add_context_length(2048)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FEED_FORWARD)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_rope_freq_base(10000.0)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_rope_dimension_sections([2, 3, 3, 0])
    tokens = byte_tokens() + ["th"] + SPECIAL
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("qwen2")
    out.add_token_list(tokens)
    out.add_token_types([TokenType.NORMAL] * 257 + [TokenType.CONTROL] * len(SPECIAL))
    out.add_token_merges(["t h"])
    out.add_eos_token_id(tokens.index("<|im_end|>"))
    out.add_bos_token_id(tokens.index("<|endoftext|>"))
    out.add_add_bos_token(False)
    out.add_chat_template(TEMPLATE)
    out.add_tensor("token_embd.weight", weight(len(tokens), WIDTH, scale=1))
    out.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        name = f"blk.{layer}."
        for part in ["attn_norm", "ffn_norm"]:
            out.add_tensor(f"{name}{part}.weight", np.ones(WIDTH, np.float32))
        for part in ["attn_q", "attn_k", "attn_v"]:
            out.add_tensor(f"{name}{part}.weight", weight(WIDTH, WIDTH))
            out.add_tensor(f"{name}{part}.bias", weight(WIDTH))
        out.add_tensor(f"{name}attn_output.weight", weight(WIDTH, WIDTH))
        out.add_tensor(f"{name}ffn_gate.weight", weight(FEED_FORWARD, WIDTH))
        out.add_tensor(f"{name}ffn_up.weight", weight(FEED_FORWARD, WIDTH))
        out.add_tensor(f"{name}ffn_down.weight", weight(WIDTH, FEED_FORWARD))
    finish(out)


def tower(out, prefix, key_bias):
    for layer in range(LAYERS):
        name = f"{prefix}.blk.{layer}."
        for part in ["ln1", "ln2"]:
            out.add_tensor(f"{name}{part}.weight", np.ones(WIDTH, np.float32))
            out.add_tensor(f"{name}{part}.bias", np.zeros(WIDTH, np.float32))
        for part in ["attn_q", "attn_k", "attn_v", "attn_out"]:
            out.add_tensor(f"{name}{part}.weight", weight(WIDTH, WIDTH))
            if part != "attn_k" or key_bias:
                out.add_tensor(f"{name}{part}.bias", weight(WIDTH))
        out.add_tensor(f"{name}ffn_up.weight", weight(FEED_FORWARD, WIDTH))
        out.add_tensor(f"{name}ffn_up.bias", weight(FEED_FORWARD))
        out.add_tensor(f"{name}ffn_down.weight", weight(WIDTH, FEED_FORWARD))
        out.add_tensor(f"{name}ffn_down.bias", weight(WIDTH))
    out.add_tensor(f"{prefix}.post_ln.weight", np.ones(WIDTH, np.float32))
    out.add_tensor(f"{prefix}.post_ln.bias", np.zeros(WIDTH, np.float32))


def projector(path):
    out = GGUFWriter(path, "clip")
    out.add_string("general.type", "mmproj")
    for kind in ["vision", "audio"]:
        out.add_bool(f"clip.has_{kind}_encoder", True)
        out.add_uint32(f"clip.{kind}.embedding_length", WIDTH)
        out.add_uint32(f"clip.{kind}.attention.head_count", HEADS)
        out.add_uint32(f"clip.{kind}.feed_forward_length", FEED_FORWARD)
        out.add_uint32(f"clip.{kind}.block_count", LAYERS)
        out.add_uint32(f"clip.{kind}.projection_dim", WIDTH)
        out.add_float32(f"clip.{kind}.attention.layer_norm_epsilon", 1e-6)
    out.add_string("clip.vision.projector_type", "qwen2vl_merger")
    out.add_string("clip.audio.projector_type", "qwen2a")
    out.add_uint32("clip.vision.image_size", 56)
    out.add_uint32("clip.vision.patch_size", 14)
    out.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    out.add_array("clip.vision.image_std", [0.25, 0.25, 0.25])
    out.add_uint32("clip.audio.num_mel_bins", 80)

    for name in ["v.patch_embd.weight", "v.patch_embd.weight.1"]:
        out.add_tensor(name, weight(WIDTH, 3, 14, 14, scale=0.1).astype(np.float16))
    tower(out, "v", key_bias=True)
    for name, outputs in [("mm.0", WIDTH * 4), ("mm.2", WIDTH)]:
        out.add_tensor(f"{name}.weight", weight(outputs, WIDTH * 4))
        out.add_tensor(f"{name}.bias", weight(outputs))

    out.add_tensor("a.position_embd.weight", weight(1500, WIDTH, scale=0.1))
    for number, inputs in [(1, 80), (2, WIDTH)]:
        out.add_tensor(f"a.conv1d.{number}.weight", weight(WIDTH, inputs, 3).astype(np.float16))
        # A column, so that it adds to every frame.
        out.add_tensor(f"a.conv1d.{number}.bias", weight(WIDTH, 1))
    tower(out, "a", key_bias=False)
    out.add_tensor("mm.a.fc.weight", weight(WIDTH, WIDTH, scale=1))
    out.add_tensor("mm.a.fc.bias", weight(WIDTH, scale=1))
    finish(out)


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
text_model(FOLDER / "tiny.gguf")
projector(FOLDER / "tiny-mmproj.gguf")
embedding_model(FOLDER / "tiny-embed.gguf")
