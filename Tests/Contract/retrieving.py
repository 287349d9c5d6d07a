"""Servers for retrieval: the starter model for embeddings, and tiny cross encoders as transformers publishes them."""
import base64
import json
import shutil
import struct

from harness import ROOT, starter_model

MINILM = starter_model().parent.parent / "all-minilm-l6-v2"
FIXTURES = ROOT / "Tests/OmniConversionTests/Fixtures"


def classifier(folder, name):
    """A tiny checkpoint of the fixtures with its tokenizer, and what transformers makes of its pairs."""
    golden = json.loads((FIXTURES / "checkpoints" / name / "golden.json").read_text())
    target = folder / name
    target.mkdir()
    for source in (FIXTURES / "checkpoints" / name, FIXTURES / "tokenizers" / golden["tokenizer"]):
        for file in source.iterdir():
            if file.name not in ("golden.json", "ids.json"):
                shutil.copy(file, target / file.name)
    return target, golden["pairs"]


def floats(text):
    data = base64.b64decode(text)
    return struct.unpack(f"<{len(data) // 4}f", data)


def cosine(left, right):
    return sum(a * b for a, b in zip(left, right))
