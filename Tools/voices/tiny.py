"""Makes Tests/OmniSpeechTests/Fixtures: voices of families whose weights are not to be had here, tiny and without meaning.

    python -m venv .venv && .venv/bin/pip install onnx numpy
    .venv/bin/python Tools/voices/tiny.py Tests/OmniSpeechTests/Fixtures

Each symbol becomes a short tone. That proves the way through: files, metadata, symbols, speakers, sound; not a voice.
"""
import json
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


def kokoro(folder: Path) -> None:
    """tokens [1, T], style [1, 4] of as many tokens, speed [1] → audio [T × 480]: the style raises the pitch, speed goes unheard."""
    node = helper.make_node
    save(
        folder / "model.onnx",
        [
            node("Cast", ["tokens"], ["symbols"], to=FLOAT), node("ReduceSum", ["style"], ["lift"], keepdims=0), node("Mul", ["speed", "zero"], ["nothing"]),
            node("Add", ["symbols", "lift"], ["lifted"]), node("Add", ["lifted", "nothing"], ["pitches"]), node("Unsqueeze", ["pitches", "last"], ["column"]),
            node("Mul", ["column", "ramp"], ["angles"]), node("Sin", ["angles"], ["waves"]), node("Mul", ["waves", "level"], ["quiet"]),
            node("Reshape", ["quiet", "flat"], ["audio"]),
        ],
        [("tokens", INT64, [1, "T"]), ("style", FLOAT, [1, 4]), ("speed", FLOAT, [1])], [("audio", FLOAT, ["N"])],
        {
            "ramp": (numpy.arange(480, dtype=numpy.float32) * 0.004).reshape(1, 1, 480), "level": numpy.float32(0.2), "zero": numpy.float32(0),
            "last": numpy.array([2], numpy.int64), "flat": numpy.array([-1], numpy.int64),
        },
        {
            "model_type": "kokoro", "language": "English", "has_espeak": "1", "sample_rate": "24000", "version": "1", "voice": "en-us",
            "style_dim": "510,1,4", "n_speakers": "2", "speaker_names": "af_low,af_high",
        })
    styles = numpy.zeros((2, 510, 1, 4), "<f4")
    styles[1] = 5
    (folder / "voices.bin").write_bytes(styles.tobytes())
    tokens(folder)


def piper(folder: Path) -> None:
    """input [1, T], input_lengths [1], scales [3] → output [1, 1, T × 480]. Settings beside it instead of metadata within, as Piper has it."""
    node = helper.make_node
    save(
        folder / "tiny.onnx",
        [
            node("Cast", ["input"], ["symbols"], to=FLOAT), node("Cast", ["input_lengths"], ["length"], to=FLOAT), node("Mul", ["length", "zero"], ["a"]),
            node("ReduceSum", ["scales"], ["b"], keepdims=0), node("Mul", ["b", "zero"], ["c"]), node("Add", ["symbols", "a"], ["d"]),
            node("Add", ["d", "c"], ["pitches"]), node("Unsqueeze", ["pitches", "last"], ["column"]), node("Mul", ["column", "ramp"], ["angles"]),
            node("Sin", ["angles"], ["waves"]), node("Mul", ["waves", "level"], ["quiet"]), node("Reshape", ["quiet", "flat"], ["output"]),
        ],
        [("input", INT64, [1, "T"]), ("input_lengths", INT64, [1]), ("scales", FLOAT, [3])], [("output", FLOAT, [1, 1, "N"])],
        {
            "ramp": (numpy.arange(480, dtype=numpy.float32) * 0.004).reshape(1, 1, 480), "level": numpy.float32(0.2), "zero": numpy.float32(0),
            "last": numpy.array([2], numpy.int64), "flat": numpy.array([1, 1, -1], numpy.int64),
        }, {})
    settings = {
        "audio": {"sample_rate": 16000}, "espeak": {"voice": "en-us"}, "inference": {"noise_scale": 0, "length_scale": 1, "noise_w": 0}, "num_speakers": 1,
        "phoneme_id_map": {symbol: [number] for number, symbol in enumerate(SYMBOLS)},
    }
    (folder / "tiny.onnx.json").write_text(json.dumps(settings, ensure_ascii=False) + "\n")


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


def zipvoice(folder: Path) -> None:
    """tokens [1, T], a sample of L frames → conditions [1, L + 8 T, 16] → one flow step back to them → a hum, through vocos."""
    node = helper.make_node
    ints = lambda *values: numpy.array(values, numpy.int64)
    save(
        folder / "encoder.onnx",
        [
            node("Shape", ["tokens"], ["shape"]), node("Gather", ["shape", "second"], ["count"]), node("Mul", ["count", "frames_each"], ["own"]),
            node("Add", ["own", "prompt_features_len"], ["frames"]), node("Concat", ["one", "frames", "width"], ["size"], axis=0),
            node("Cast", ["tokens"], ["symbols"], to=FLOAT), node("ReduceMean", ["symbols"], ["mean"], keepdims=0),
            node("Cast", ["prompt_tokens"], ["prompt"], to=FLOAT), node("ReduceMean", ["prompt"], ["prompt_mean"], keepdims=0),
            node("Add", ["mean", "prompt_mean"], ["a"]), node("Mul", ["speed", "zero"], ["b"]), node("Add", ["a", "b"], ["c"]),
            node("Expand", ["c", "size"], ["text_condition"]),
        ],
        [("tokens", INT64, [1, "T"]), ("prompt_tokens", INT64, [1, "P"]), ("prompt_features_len", INT64, [1]), ("speed", FLOAT, [1])],
        [("text_condition", FLOAT, [1, "F", 16])],
        {"second": ints(1), "frames_each": ints(8), "one": ints(1), "width": ints(16), "zero": numpy.float32(0)}, {"use_espeak": "0"})
    save(
        folder / "decoder.onnx",
        [
            node("Sub", ["text_condition", "x"], ["a"]), node("Mul", ["speech_condition", "zero"], ["b"]), node("Mul", ["t", "zero"], ["c"]),
            node("Mul", ["guidance_scale", "zero"], ["d"]), node("Add", ["a", "b"], ["e"]), node("Add", ["e", "c"], ["f"]), node("Add", ["f", "d"], ["v"]),
        ],
        [("t", FLOAT, [1])] + [(name, FLOAT, [1, "F", 16]) for name in ("x", "text_condition", "speech_condition")] + [("guidance_scale", FLOAT, [1])],
        [("v", FLOAT, [1, "F", 16])], {"zero": numpy.float32(0)},
        {"version": "1", "feat_dim": "16", "num_mels": "16", "sample_rate": "24000", "n_fft": "1024", "hop_length": "256", "window_length": "1024"})
    bump = numpy.zeros((1, 513, 1), numpy.float32)
    bump[0, 20] = 1
    save(
        folder / "vocos_24khz.onnx",
        [
            node("Abs", ["mel"], ["a"]), node("ReduceMean", ["a"], ["b"], axes=[1]), node("Mul", ["b", "bump"], ["mag"]),
            node("Mul", ["mag", "zero"], ["y"]), node("Add", ["y", "unit"], ["x"]),
        ],
        [("mel", FLOAT, [1, 16, "F"])], [(name, FLOAT, [1, 513, "F"]) for name in ("mag", "x", "y")],
        {"bump": bump, "zero": numpy.float32(0), "unit": numpy.float32(1)},
        {"model_type": "vocos", "sample_rate": "24000", "n_fft": "1024", "hop_length": "256", "win_length": "1024"})
    tokens(folder)
    words = "hello there good morning to you all".split()
    (folder / "lexicon.txt").write_text("".join(f"{word} {' '.join(word)}\n" for word in words))


def supertonic(folder: Path) -> None:
    """60 ms for each character; noise that shrinks from step to step; frames of 256 samples whose pitch is the latent's mean."""
    node = helper.make_node
    zero, text = numpy.float32(0), [("text_ids", INT64, [1, "T"]), ("style", FLOAT, [1, 2, 3]), ("text_mask", FLOAT, [1, 1, "T"])]
    unheard = [node("ReduceSum", ["style"], ["s"], keepdims=0), node("Mul", ["s", "zero"], ["nothing"])]
    save(
        folder / "duration_predictor.onnx",
        unheard + [
            node("Cast", ["text_ids"], ["i"], to=FLOAT), node("ReduceSum", ["i"], ["j"], keepdims=0), node("Mul", ["j", "zero"], ["k"]),
            node("ReduceSum", ["text_mask"], ["count"], keepdims=0), node("Mul", ["count", "each"], ["a"]), node("Add", ["a", "nothing"], ["b"]),
            node("Add", ["b", "k"], ["c"]), node("Reshape", ["c", "flat"], ["duration"]),
        ], text, [("duration", FLOAT, [1])], {"zero": zero, "each": numpy.float32(0.06), "flat": numpy.array([1], numpy.int64)}, {})
    save(
        folder / "text_encoder.onnx",
        unheard + [node("Cast", ["text_ids"], ["i"], to=FLOAT), node("Mul", ["i", "text_mask"], ["a"]), node("Add", ["a", "nothing"], ["text_emb"])],
        text, [("text_emb", FLOAT, [1, 1, "T"])], {"zero": zero}, {})
    save(
        folder / "vector_estimator.onnx",
        [
            node("Mul", ["noisy_latent", "half"], ["a"]), node("Mul", ["a", "latent_mask"], ["b"]), node("ReduceMean", ["text_emb"], ["c"], keepdims=0),
            node("Mul", ["c", "hundredth"], ["d"]), node("Add", ["b", "d"], ["e"]), node("ReduceSum", ["style"], ["f"], keepdims=0),
            node("ReduceSum", ["text_mask"], ["g"], keepdims=0), node("Add", ["current_step", "total_step"], ["h"]), node("Add", ["f", "g"], ["i"]),
            node("Add", ["h", "i"], ["j"]), node("Mul", ["j", "zero"], ["k"]), node("Add", ["e", "k"], ["denoised"]),
        ],
        [
            ("noisy_latent", FLOAT, [1, 8, "L"]), ("text_emb", FLOAT, [1, 1, "T"]), ("style", FLOAT, [1, 2, 3]), ("latent_mask", FLOAT, [1, 1, "L"]),
            ("text_mask", FLOAT, [1, 1, "T"]), ("current_step", FLOAT, [1]), ("total_step", FLOAT, [1]),
        ], [("denoised", FLOAT, [1, 8, "L"])], {"zero": zero, "half": numpy.float32(0.5), "hundredth": numpy.float32(0.01)}, {})
    save(
        folder / "vocoder.onnx",
        [
            node("ReduceMean", ["latent"], ["a"], axes=[1], keepdims=0), node("Add", ["a", "base"], ["b"]), node("Unsqueeze", ["b", "last"], ["c"]),
            node("Mul", ["c", "ramp"], ["d"]), node("Sin", ["d"], ["e"]), node("Mul", ["e", "level"], ["f"]), node("Reshape", ["f", "flat"], ["wav"]),
        ], [("latent", FLOAT, [1, 8, "L"])], [("wav", FLOAT, [1, "N"])],
        {
            "ramp": (numpy.arange(256, dtype=numpy.float32) * 0.05).reshape(1, 1, 256), "level": numpy.float32(0.2), "base": numpy.float32(1),
            "last": numpy.array([2], numpy.int64), "flat": numpy.array([1, -1], numpy.int64),
        }, {})
    (folder / "tts.json").write_text('{"ae": {"sample_rate": 24000, "base_chunk_size": 128}, "ttl": {"chunk_compress_factor": 2, "latent_dim": 4}}\n')
    (folder / "unicode_indexer.bin").write_bytes(numpy.arange(256, dtype="<i4").tobytes())
    sizes = numpy.array([1, 2, 3, 1, 2, 3], "<i8").tobytes()
    (folder / "voice.bin").write_bytes(sizes + numpy.ones(12, "<f4").tobytes())


def pocket(folder: Path) -> None:
    """Two frames of 1920 samples for each character. The sample's mean gives the pitch, noise bends it; the sizes are sherpa-onnx's own.

    Embeddings carry in their first place how many frames they ask for, and in their second the pitch; the language model's state adds
    up both and counts frames down.
    """
    node = helper.make_node
    ints = lambda *values: numpy.array(values, numpy.int64)
    number, wide = numpy.float32, [1, "T", 1024]
    first, second = numpy.zeros((2, 1, 1, 1024), numpy.float32)
    first[0, 0, 0], second[0, 0, 1] = 2, 1
    save(
        folder / "text_conditioner.onnx",
        [
            node("Cast", ["token_ids"], ["i"], to=FLOAT), node("Mul", ["i", "zero"], ["a"]), node("Add", ["a", "one"], ["b"]),
            node("Unsqueeze", ["b", "last"], ["c"]), node("Mul", ["c", "first"], ["embeddings"]),
        ], [("token_ids", INT64, [1, "T"])], [("embeddings", FLOAT, wide)], {"zero": number(0), "one": number(1), "last": ints(2), "first": first}, {})
    save(
        folder / "encoder.onnx",
        [
            node("Abs", ["audio"], ["a"]), node("ReduceMean", ["a"], ["b"], axes=[0, 1, 2], keepdims=0), node("Mul", ["b", "second"], ["embeddings"]),
        ], [("audio", FLOAT, [1, 1, "N"])], [("embeddings", FLOAT, wide)], {"second": second}, {})
    save(
        folder / "lm_main.onnx",
        [
            node("Shape", ["sequence"], ["shape"]), node("Gather", ["shape", "place"], ["frames"]), node("Cast", ["frames"], ["spoken"], to=FLOAT),
            node("ReduceSum", ["text_embeddings", "over"], ["sum"], keepdims=0), node("Gather", ["sum", "none"], ["asked"], axis=1),
            node("Gather", ["sum", "place"], ["lift"], axis=1), node("Reshape", ["asked", "flat"], ["asked1"]), node("Reshape", ["lift", "flat"], ["lift1"]),
            node("Add", ["left", "asked1"], ["more"]), node("Sub", ["more", "spoken"], ["left_after"]), node("Add", ["pitch", "lift1"], ["pitch_after"]),
            node("Reshape", ["pitch_after", "column"], ["p"]), node("Expand", ["p", "latent"], ["conditioning"]),
            node("LessOrEqual", ["left_after", "zero"], ["ends"]), node("Cast", ["ends"], ["e"], to=FLOAT), node("Sub", ["e", "one"], ["f"]),
            node("Mul", ["f", "ten"], ["g"]), node("Reshape", ["g", "column"], ["eos_logit"]),
        ],
        [("sequence", FLOAT, [1, "S", 32]), ("text_embeddings", FLOAT, wide), ("left", FLOAT, [1]), ("pitch", FLOAT, [1])],
        [("conditioning", FLOAT, [1, 32]), ("eos_logit", FLOAT, [1, 1]), ("left_after", FLOAT, [1]), ("pitch_after", FLOAT, [1])],
        {
            "none": ints(0), "place": ints(1), "over": ints(1), "flat": ints(1), "column": ints(1, 1), "latent": ints(1, 32),
            "zero": number(0), "one": number(1), "ten": number(10),
        }, {})
    save(
        folder / "lm_flow.onnx",
        [
            node("Mul", ["x", "half"], ["a"]), node("Sub", ["c", "a"], ["b"]), node("Add", ["s", "t"], ["d"]), node("Mul", ["d", "zero"], ["e"]),
            node("Add", ["b", "e"], ["flow_dir"]),
        ],
        [("c", FLOAT, [1, 32]), ("s", FLOAT, [1, 1]), ("t", FLOAT, [1, 1]), ("x", FLOAT, [1, 32])], [("flow_dir", FLOAT, [1, 32])],
        {"zero": number(0), "half": number(0.5)}, {})
    save(
        folder / "decoder.onnx",
        [
            node("ReduceMean", ["latent"], ["a"], axes=[2]), node("Add", ["a", "base"], ["b"]), node("Mul", ["b", "ramp"], ["c"]), node("Sin", ["c"], ["d"]),
            node("Mul", ["d", "level"], ["e"]), node("Reshape", ["e", "flat"], ["f"]), node("Mul", ["chunks", "zero"], ["g"]), node("Add", ["f", "g"], ["audio"]),
            node("Add", ["chunks", "base"], ["chunks_after"]),
        ],
        [("latent", FLOAT, [1, "F", 32]), ("chunks", FLOAT, [1])], [("audio", FLOAT, [1, 1, "N"]), ("chunks_after", FLOAT, [1])],
        {
            "ramp": (numpy.arange(1920, dtype=numpy.float32) * 0.05).reshape(1, 1, 1920), "level": number(0.2), "base": number(1), "zero": number(0),
            "flat": ints(1, 1, -1),
        }, {})
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + list("▁abcdefghijklmnopqrstuvwxyzHG.,")
    (folder / "vocab.json").write_text(json.dumps({piece: number for number, piece in enumerate(pieces)}, ensure_ascii=False) + "\n")
    (folder / "token_scores.json").write_text(json.dumps({piece: -float(number > 2) for number, piece in enumerate(pieces)}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    piper(Path(sys.argv[1]) / "piper")
    kokoro(Path(sys.argv[1]) / "kokoro")
    kitten(Path(sys.argv[1]) / "kitten")
    matcha(Path(sys.argv[1]) / "matcha")
    zipvoice(Path(sys.argv[1]) / "zipvoice")
    supertonic(Path(sys.argv[1]) / "supertonic")
    pocket(Path(sys.argv[1]) / "pocket")
