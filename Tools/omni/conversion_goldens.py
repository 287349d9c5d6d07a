"""Records every key and tensor that llama.cpp's converter makes of the tiny Qwen2.5-Omni: Tests/Fixtures/omni/conversion.json.

    VENV/bin/python Tools/omni/conversion_goldens.py LLAMA_CPP Tests/Fixtures/omni/qwen2.5-omni Tests/Fixtures/omni/conversion.json

VENV and LLAMA_CPP as in Tools/conversion/goldens.py.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

_, LLAMA, SOURCE, OUT = sys.argv
sys.argv[2:] = [tempfile.mkdtemp()]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conversion"))
import goldens  # noqa: E402

with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch) / "tiny"
    folder.symlink_to(Path(SOURCE).resolve())
    golden = {}
    for name, flags in [("model", []), ("encoders", ["--mmproj"])]:
        out = Path(scratch) / f"{name}.gguf"
        goldens.convert(folder, out, "qwen2", "bf16", *flags)
        golden[name] = goldens.contents(out)
Path(OUT).write_text(json.dumps(golden, indent=0) + "\n")
