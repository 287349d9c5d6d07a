"""Makes Tests/OmniSpeechTests/Fixtures: voices of families whose weights are not to be had here, tiny and without meaning.

    python -m venv .venv && .venv/bin/pip install onnx numpy
    .venv/bin/python Tools/voices/tiny.py Tests/OmniSpeechTests/Fixtures

Each symbol becomes a short tone. That proves the way through: files, metadata, symbols, speakers, sound; not a voice.
"""
import sys
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
SYMBOLS = "_^$ abcdefghijklmnopqrstuvwxyzæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒʔˈˌːθᵻ.,!?;:"


def save(path: Path, nodes, inputs, outputs, constants, metadata) -> None:
    graph = helper.make_graph(
        nodes, path.stem, [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


def tokens(folder: Path) -> None:
    (folder / "tokens.txt").write_text("".join(f"{symbol} {number}\n" for number, symbol in enumerate(SYMBOLS)))


def kitten(folder: Path) -> None:
    """ids [1, T], style [1, 4], speed [1] → waveform [T × 480]: the style raises the pitch, speed goes unheard."""
    node = helper.make_node
    save(
        folder / "model.onnx",
        [
            node("Cast", ["input_ids"], ["symbols"], to=FLOAT), node("ReduceSum", ["style"], ["lift"], keepdims=0), node("Mul", ["speed", "zero"], ["nothing"]),
            node("Add", ["symbols", "lift"], ["lifted"]), node("Add", ["lifted", "nothing"], ["pitches"]), node("Unsqueeze", ["pitches", "last"], ["column"]),
            node("Mul", ["column", "ramp"], ["angles"]), node("Sin", ["angles"], ["waves"]), node("Mul", ["waves", "level"], ["quiet"]),
            node("Reshape", ["quiet", "flat"], ["waveform"]),
        ],
        [("input_ids", INT64, [1, "T"]), ("style", FLOAT, [1, 4]), ("speed", FLOAT, [1])], [("waveform", FLOAT, ["N"])],
        {
            "ramp": (numpy.arange(480, dtype=numpy.float32) * 0.004).reshape(1, 1, 480), "level": numpy.float32(0.2), "zero": numpy.float32(0),
            "last": numpy.array([2], numpy.int64), "flat": numpy.array([-1], numpy.int64),
        },
        {
            "model_type": "kitten-tts", "language": "English", "has_espeak": "1", "sample_rate": "24000", "version": "1", "voice": "en-us",
            "style_dim": "1,4", "n_speakers": "2", "speaker_names": "Low,High",
        })
    (folder / "voices.bin").write_bytes(numpy.array([[0] * 4, [5] * 4], "<f4").tobytes())
    tokens(folder)


def matcha(folder: Path) -> None:
    """x [1, T] → mel [1, 8, T × 4] → waveform [1, 1, T × 4 × 128]."""
    node = helper.make_node
    save(
        folder / "model-steps-3.onnx",
        [
            node("Cast", ["x"], ["symbols"], to=FLOAT), node("Cast", ["x_length"], ["length"], to=FLOAT), node("Mul", ["length", "zero"], ["a"]),
            node("Mul", ["noise_scale", "zero"], ["b"]), node("Mul", ["length_scale", "zero"], ["c"]), node("Add", ["symbols", "a"], ["d"]),
            node("Add", ["d", "b"], ["e"]), node("Add", ["e", "c"], ["f"]), node("Reshape", ["f", "column"], ["g"]), node("Mul", ["g", "spread"], ["h"]),
            node("Reshape", ["h", "frames"], ["mel"]),
        ],
        [("x", INT64, [1, "T"]), ("x_length", INT64, [1]), ("noise_scale", FLOAT, [1]), ("length_scale", FLOAT, [1])], [("mel", FLOAT, [1, 8, "F"])],
        {
            "zero": numpy.float32(0), "column": numpy.array([1, 1, -1, 1], numpy.int64), "spread": numpy.ones((1, 8, 1, 4), numpy.float32),
            "frames": numpy.array([1, 8, -1], numpy.int64),
        },
        {
            "model_type": "matcha-tts", "language": "English", "voice": "en-us", "has_espeak": "1", "jieba": "0", "n_speakers": "1",
            "sample_rate": "22050", "version": "1", "pad_id": "0", "use_eos_bos": "1", "num_ode_steps": "3",
        })
    save(
        folder / "hifigan_v2.onnx",
        [
            node("ReduceMean", ["mel"], ["pitches"], axes=[1], keepdims=0), node("Unsqueeze", ["pitches", "last"], ["column"]),
            node("Mul", ["column", "ramp"], ["angles"]), node("Sin", ["angles"], ["waves"]), node("Mul", ["waves", "level"], ["quiet"]),
            node("Reshape", ["quiet", "flat"], ["audio"]),
        ],
        [("mel", FLOAT, [1, 8, "F"])], [("audio", FLOAT, [1, 1, "N"])],
        {
            "ramp": (numpy.arange(128, dtype=numpy.float32) * 0.005).reshape(1, 1, 128), "level": numpy.float32(0.2),
            "last": numpy.array([2], numpy.int64), "flat": numpy.array([1, 1, -1], numpy.int64),
        }, {"model_type": "hifigan", "sample_rate": "22050"})
    tokens(folder)


if __name__ == "__main__":
    kitten(Path(sys.argv[1]) / "kitten")
    matcha(Path(sys.argv[1]) / "matcha")
