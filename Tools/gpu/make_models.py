"""Random models of true widths for Tools/gpu/run.sh. Needs numpy alone.

    python3 Tools/gpu/make_models.py picture FOLDER [--layers 30] [--text-layers 4]   Z-Image-Turbo, bf16
    python3 Tools/gpu/make_models.py text FILE.gguf [--layers 36]                     Qwen3-8B, Q8_0, a small vocabulary

Numbers repeat, which costs nothing to make and changes no time. Tokenizers are the fixtures' tiny ones.
"""

import argparse
import json
import os
import shutil
import struct
from pathlib import Path

import numpy as np

ROOT = Path(os.environ.get("OMNI_CHECKOUT") or Path(__file__).resolve().parents[2])
GENERATOR = np.random.default_rng(1)
# 2 MB of noise: bf16 is the upper half of f32.
NOISE = GENERATOR.standard_normal(1 << 20, dtype=np.float32)


def bf16(scale, count):
    pattern = (np.ascontiguousarray(NOISE * np.float32(scale)).view(np.uint32) >> 16).astype(np.uint16).tobytes()
    return repeated(pattern, 2 * count)


def repeated(pattern, size):
    """`pattern` over and over, `size` bytes in pieces."""
    while size > 0:
        yield pattern[:size]
        size -= len(pattern)


def write_safetensors(path, tensors):
    """`tensors`: name to shape, PyTorch's order. Vectors named weight are ones, other vectors zeros."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (header, place) = ({}, 0)
    for name, shape in tensors.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors.items():
            count = int(np.prod(shape))
            if len(shape) == 1:
                file.write(struct.pack("<H", 0x3F80 if name.endswith("weight") else 0) * count)
                continue
            for piece in bf16((count / shape[0]) ** -0.5, count):
                file.write(piece)


def picture(folder, layers, text_layers):
    fixture = ROOT / "Tests/Fixtures/zimage/small"
    folder.mkdir(parents=True, exist_ok=True)
    for part in ["tokenizer", "scheduler"]:
        shutil.copytree(fixture / part, folder / part, dirs_exist_ok=True)
    shutil.copy(fixture / "model_index.json", folder)

    def config(part, **changes):
        known = json.loads((fixture / part / "config.json").read_text())
        (folder / part).mkdir(exist_ok=True)
        (folder / part / "config.json").write_text(json.dumps(known | changes))

    dim, features, hidden, time = 3840, 2560, 10240, 256
    config("transformer", dim=dim, n_heads=30, n_kv_heads=30, n_layers=layers, n_refiner_layers=2, cap_feat_dim=features,
           axes_dims=[32, 48, 48], axes_lens=[1536, 512, 512])
    tensors = {
        "all_x_embedder.2-1.weight": (dim, 64), "all_x_embedder.2-1.bias": (dim,), "t_embedder.mlp.0.weight": (1024, time), "t_embedder.mlp.0.bias": (1024,),
        "t_embedder.mlp.2.weight": (time, 1024), "t_embedder.mlp.2.bias": (time,), "cap_embedder.0.weight": (features,),
        "cap_embedder.1.weight": (dim, features), "cap_embedder.1.bias": (dim,), "x_pad_token": (1, dim), "cap_pad_token": (1, dim),
        "all_final_layer.2-1.linear.weight": (64, dim), "all_final_layer.2-1.linear.bias": (64,),
        "all_final_layer.2-1.adaLN_modulation.1.weight": (dim, time), "all_final_layer.2-1.adaLN_modulation.1.bias": (dim,),
    }
    blocks = [(f"noise_refiner.{i}", True) for i in range(2)] + [(f"context_refiner.{i}", False) for i in range(2)]
    for name, modulated in blocks + [(f"layers.{i}", True) for i in range(layers)]:
        for part in ["to_q", "to_k", "to_v", "to_out.0"]:
            tensors[f"{name}.attention.{part}.weight"] = (dim, dim)
        for part in ["attention.norm_q", "attention.norm_k"]:
            tensors[f"{name}.{part}.weight"] = (128,)
        for part in ["attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"]:
            tensors[f"{name}.{part}.weight"] = (dim,)
        for part, shape in [("w1", (hidden, dim)), ("w2", (dim, hidden)), ("w3", (hidden, dim))]:
            tensors[f"{name}.feed_forward.{part}.weight"] = shape
        if modulated:
            tensors[f"{name}.adaLN_modulation.0.weight"] = (4 * dim, time)
            tensors[f"{name}.adaLN_modulation.0.bias"] = (4 * dim,)
    write_safetensors(folder / "transformer/diffusion_pytorch_model.safetensors", tensors)

    config("text_encoder", vocab_size=151936, hidden_size=features, intermediate_size=9728, num_hidden_layers=text_layers, num_attention_heads=32,
           num_key_value_heads=8, head_dim=128, max_position_embeddings=40960, layer_types=["full_attention"] * text_layers)
    tensors = {"model.embed_tokens.weight": (151936, features), "model.norm.weight": (features,)}
    for i in range(text_layers):
        name = f"model.layers.{i}"
        for part, shape in [("q_proj", (4096, features)), ("k_proj", (1024, features)), ("v_proj", (1024, features)), ("o_proj", (features, 4096)),
                            ("q_norm", (128,)), ("k_norm", (128,))]:
            tensors[f"{name}.self_attn.{part}.weight"] = shape
        for part, shape in [("gate_proj", (9728, features)), ("up_proj", (9728, features)), ("down_proj", (features, 9728))]:
            tensors[f"{name}.mlp.{part}.weight"] = shape
        for part in ["input_layernorm", "post_attention_layernorm"]:
            tensors[f"{name}.{part}.weight"] = (features,)
    write_safetensors(folder / "text_encoder/model.safetensors", tensors)

    widths = [128, 256, 512, 512]
    config("vae", block_out_channels=widths, layers_per_block=2, norm_num_groups=32, sample_size=1024, down_block_types=["DownEncoderBlock2D"] * 4,
           up_block_types=["UpDecoderBlock2D"] * 4)
    tensors = {}

    def layer(name, outputs, inputs, size):
        tensors[f"{name}.weight"] = (outputs, inputs, size, size) if size else (outputs, inputs)
        tensors[f"{name}.bias"] = (outputs,)

    def norm(name, channels):
        tensors[f"{name}.weight"] = tensors[f"{name}.bias"] = (channels,)

    def resnet(name, inputs, outputs):
        norm(f"{name}.norm1", inputs)
        layer(f"{name}.conv1", outputs, inputs, 3)
        norm(f"{name}.norm2", outputs)
        layer(f"{name}.conv2", outputs, outputs, 3)
        if inputs != outputs:
            layer(f"{name}.conv_shortcut", outputs, inputs, 1)

    for side, first, last, order, rest in [("encoder", 3, 32, widths, ("down", 2)), ("decoder", 16, 3, widths[::-1], ("up", 3))]:
        layer(f"{side}.conv_in", order[0], first, 3)
        for i, width in enumerate(order):
            for j in range(rest[1]):
                resnet(f"{side}.{rest[0]}_blocks.{i}.resnets.{j}", order[max(0, i - 1)] if j == 0 else width, width)
            if i < 3:
                layer(f"{side}.{rest[0]}_blocks.{i}.{rest[0]}samplers.0.conv", width, width, 3)
        for j in range(2):
            resnet(f"{side}.mid_block.resnets.{j}", 512, 512)
        norm(f"{side}.mid_block.attentions.0.group_norm", 512)
        for part in ["to_q", "to_k", "to_v", "to_out.0"]:
            layer(f"{side}.mid_block.attentions.0.{part}", 512, 512, 0)
        norm(f"{side}.conv_norm_out", order[-1])
        layer(f"{side}.conv_out", last, order[-1], 3)
    write_safetensors(folder / "vae/diffusion_pytorch_model.safetensors", tensors)


class TinyModel:
    """What a GGUF says of its tokenizer, as bytes that can be written again (github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""

    SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def __init__(self, path):
        self.data = path.read_bytes()
        (count,) = struct.unpack_from("<Q", self.data, 16)
        self.place = 24
        (self.pairs, self.words) = ([], 0)
        for _ in range(count):
            start = self.place
            key = self.string().decode()
            self.value(struct.unpack_from("<I", self.data, self.skip(4))[0], key)
            if key.startswith("tokenizer."):
                self.pairs.append(self.data[start:self.place])

    def skip(self, size):
        self.place += size
        return self.place - size

    def string(self):
        (size,) = struct.unpack_from("<Q", self.data, self.skip(8))
        start = self.skip(size)
        return self.data[start:start + size]

    def value(self, kind, key):
        if kind == 8:
            self.string()
        elif kind == 9:
            (inner, count) = struct.unpack_from("<IQ", self.data, self.skip(12))
            if key == "tokenizer.ggml.tokens":
                self.words = count
            for _ in range(count):
                self.value(inner, "")
        else:
            self.skip(self.SIZES[kind])


def text(path, layers):
    tiny = TinyModel(ROOT / "Tests/Fixtures/text/tiny.gguf")
    width, inner, heads, groups, head = 4096, 12288, 32, 8, 128

    def key(name):
        return struct.pack("<Q", len(name)) + name.encode()

    def number(name, value):
        return key(f"qwen3.{name}") + struct.pack("<II", 4, value)

    def real(name, value):
        return key(f"qwen3.{name}") + struct.pack("<If", 6, value)

    pairs = tiny.pairs + [
        key("general.architecture") + struct.pack("<I", 8) + key("qwen3"), number("block_count", layers), number("context_length", 40960),
        number("embedding_length", width), number("feed_forward_length", inner), number("attention.head_count", heads),
        number("attention.head_count_kv", groups), number("attention.key_length", head), number("attention.value_length", head),
        real("rope.freq_base", 1e6), real("attention.layer_norm_rms_epsilon", 1e-6),
    ]
    # Shapes as GGUF has them: the row's length first.
    tensors = {"token_embd.weight": (width, tiny.words), "output_norm.weight": (width,), "output.weight": (width, tiny.words)}
    for i in range(layers):
        for part, shape in [
            ("attn_norm", (width,)), ("attn_q", (width, heads * head)), ("attn_k", (width, groups * head)), ("attn_v", (width, groups * head)),
            ("attn_output", (heads * head, width)), ("attn_q_norm", (head,)), ("attn_k_norm", (head,)), ("ffn_norm", (width,)),
            ("ffn_gate", (width, inner)), ("ffn_up", (width, inner)), ("ffn_down", (inner, width)),
        ]:
            tensors[f"blk.{i}.{part}.weight"] = shape

    def size(shape):
        return 4 * shape[0] if len(shape) == 1 else int(np.prod(shape)) // 32 * 34

    blocks = np.zeros((1 << 15, 34), dtype=np.uint8)
    blocks[:, :2] = np.frombuffer(np.float16(0.02 / 40).tobytes(), dtype=np.uint8)
    blocks[:, 2:] = GENERATOR.normal(0, 40, (1 << 15, 32)).clip(-127, 127).astype(np.int8).view(np.uint8)
    pattern = blocks.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs))
        place = 0
        for name, shape in tensors.items():
            file.write(key(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0 if len(shape) == 1 else 8, place))
            place += -(-size(shape) // 32) * 32
        file.write(b"\0" * (-file.tell() % 32))
        for shape in tensors.values():
            if len(shape) == 1:
                file.write(struct.pack("<f", 1) * shape[0])
            else:
                for piece in repeated(pattern, size(shape)):
                    file.write(piece)
            file.write(b"\0" * (-file.tell() % 32))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("kind", choices=["picture", "text"])
    arguments.add_argument("target", type=Path)
    arguments.add_argument("--layers", type=int)
    arguments.add_argument("--text-layers", type=int, default=4)
    options = arguments.parse_args()
    if options.kind == "picture":
        picture(options.target, options.layers or 30, options.text_layers)
    else:
        text(options.target, options.layers or 36)


if __name__ == "__main__":
    main()
