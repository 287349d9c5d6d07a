"""Makes whisper.cpp's `ggml-base.bin` of Whisper's weights in CTranslate2's form. Needs the standard library only.

    python3 Tools/whisper/convert.py for-tests-ggml-base.bin ggml-base.bin model.bin.part1 model.bin.part2

The first file, which comes with whisper.cpp, has all that stands before the weights: sizes, mel filters and the vocabulary. Writes the
target under another name first. Ends with an error, and without a target, where a weight is missing, left over, or of another size.
"""
import os
import re
import struct
import sys

F16 = 4  # CTranslate2's number for the type; 1 and 2 are integers of 8 and 16 bits.


class Variables:
    """The variables of a `model.bin` of version 6: name → (dims, type, bytes)."""

    def __init__(self, data):
        self.data, self.place, self.found = data, 0, {}
        version, spec, _ = self.number("I"), self.text(), self.number("I")
        if version != 6 or spec != "WhisperSpec":
            raise SystemExit(f"this is {spec or 'no model'} of version {version}; WhisperSpec of version 6 is known")
        for _ in range(self.number("I")):
            name = self.text()
            dims = [self.number("I") for _ in range(self.number("B"))]
            kind, size = self.number("B"), self.number("I")
            self.found[name] = (dims, kind, self.take(size))
        for _ in range(self.number("I")):
            self.text(), self.text()
        if self.place != len(data):
            raise SystemExit(f"{len(data) - self.place} bytes are left over")

    def take(self, count):
        if self.place + count > len(self.data):
            raise SystemExit(f"the file ends at byte {len(self.data)}, in the middle of a variable")
        self.place += count
        return self.data[self.place - count:self.place]

    def number(self, kind):
        return struct.unpack("<" + kind, self.take(struct.calcsize(kind)))[0]

    def text(self):
        return bytes(self.take(self.number("H"))[:-1]).decode()

    def pop(self, name):
        """Dims and bytes of a variable in f16."""
        if name not in self.found:
            raise SystemExit(f"the variable {name} is missing")
        dims, kind, data = self.found.pop(name)
        size = 2
        for dim in dims:
            size *= dim
        if kind != F16 or size != len(data):
            raise SystemExit(f"{name} is of type {kind} with {len(data)} bytes; f16 of {dims} is {size}")
        return dims, data


def rows(dims, data, count):
    """A matrix or vector cut into `count` of equal heights."""
    size, height = len(data) // count, dims[0] // count
    return [([height, *dims[1:]], data[part * size:(part + 1) * size]) for part in range(count)]


def tensors(variables, encoder_layers, decoder_layers):
    """Names as in OpenAI's code, with their dims and bytes."""
    def pair(ours, theirs, weight="weight", bias="bias"):
        yield f"{ours}.weight", *variables.pop(f"{theirs}/{weight}")
        yield f"{ours}.bias", *variables.pop(f"{theirs}/{bias}")

    def norm(ours, theirs):
        return pair(ours, f"{theirs}/layer_norm", "gamma", "beta")

    def stacked(names, theirs):
        """Several products that are one matrix there. A key has no bias in Whisper: there it is zero."""
        weights, biases = (rows(*variables.pop(f"{theirs}/{part}"), len(names)) for part in ("weight", "bias"))
        for name, weight, bias in zip(names, weights, biases):
            yield f"{name}.weight", *weight
            if not name.endswith(".key"):
                yield f"{name}.bias", *bias
            elif any(bias[1]):
                raise SystemExit(f"{name} has a bias, which Whisper does not know")

    def block(ours, theirs, crosses):
        yield from norm(f"{ours}.attn_ln", f"{theirs}/self_attention")
        yield from stacked([f"{ours}.attn.{part}" for part in ("query", "key", "value")], f"{theirs}/self_attention/linear_0")
        yield from pair(f"{ours}.attn.out", f"{theirs}/self_attention/linear_1")
        if crosses:
            yield from norm(f"{ours}.cross_attn_ln", f"{theirs}/attention")
            yield from pair(f"{ours}.cross_attn.query", f"{theirs}/attention/linear_0")
            yield from stacked([f"{ours}.cross_attn.{part}" for part in ("key", "value")], f"{theirs}/attention/linear_1")
            yield from pair(f"{ours}.cross_attn.out", f"{theirs}/attention/linear_2")
        yield from norm(f"{ours}.mlp_ln", f"{theirs}/ffn")
        yield from pair(f"{ours}.mlp.0", f"{theirs}/ffn/linear_0")
        yield from pair(f"{ours}.mlp.2", f"{theirs}/ffn/linear_1")

    yield "encoder.positional_embedding", *variables.pop("encoder/position_encodings/encodings")
    yield from pair("encoder.conv1", "encoder/conv1")
    yield from pair("encoder.conv2", "encoder/conv2")
    for layer in range(encoder_layers):
        yield from block(f"encoder.blocks.{layer}", f"encoder/layer_{layer}", crosses=False)
    yield from norm("encoder.ln_post", "encoder")
    yield "decoder.positional_embedding", *variables.pop("decoder/position_encodings/encodings")
    yield "decoder.token_embedding.weight", *variables.pop("decoder/embeddings/weight")
    for layer in range(decoder_layers):
        yield from block(f"decoder.blocks.{layer}", f"decoder/layer_{layer}", crosses=True)
    yield from norm("decoder.ln", "decoder")


def record(name, dims, data):
    """A tensor as ggml's file has it: dims from the innermost, vectors and positions in f32, a convolution's bias as a column."""
    is_wide = len(dims) == 1 or name.endswith("positional_embedding")
    if re.fullmatch(r"encoder\.conv\d\.bias", name):
        dims = [*dims, 1]
    if is_wide:
        count = len(data) // 2
        data = struct.pack(f"<{count}f", *struct.unpack(f"<{count}e", data))
    label = name.encode()
    return struct.pack(f"<iii{len(dims)}i", len(dims), len(label), 0 if is_wide else 1, *reversed(dims)) + label + bytes(data)


def main(header, target, *parts):
    with open(header, "rb") as file:
        head = file.read()
    magic, vocabulary, _, width, _, encoder_layers, _, _, _, decoder_layers, _, _ = struct.unpack_from("<12i", head)
    if magic != 0x67676D6C:
        raise SystemExit(f"{header} is no file of whisper.cpp")
    data = b""
    for part in parts:
        with open(part, "rb") as file:
            data += file.read()
    variables = Variables(memoryview(data))
    dims = variables.found.get("decoder/embeddings/weight", ([0, 0],))[0]
    if dims != [vocabulary, width]:
        raise SystemExit(f"the weights are of {dims[0]} tokens of width {dims[1]}; {header} is for {vocabulary} of {width}")
    fresh = f"{target}.{os.getpid()}.partial"
    try:
        with open(fresh, "wb") as file:
            file.write(head)
            for name, dims, data in tensors(variables, encoder_layers, decoder_layers):
                file.write(record(name, dims, data))
            # Single numbers about the computation are all that may be left.
            left = [name for name, (dims, kind, _) in variables.found.items() if kind == F16]
            if left:
                raise SystemExit(f"nobody asked for {', '.join(left)}")
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, target)
    finally:
        if os.path.exists(fresh):
            os.remove(fresh)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
