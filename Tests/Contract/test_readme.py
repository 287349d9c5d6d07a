"""What a newcomer is told to type, typed: the README's examples and every block of docs/first-hour.md, in order, on a server of the starter models."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

import swift_code
from harness import LIMIT, ROOT, binary
from pictures import decode

README = (ROOT / "README.md").read_text()
HOUR = (ROOT / "docs/first-hour.md").read_text()
TUTORIAL = (ROOT / "Sources/OmniClient/OmniClient.docc/Tutorial.md").read_text()
#: What the tutorial takes for granted.
PRELUDE = """struct Player { func schedule(_ samples: some Any, at rate: Int) {} }
let player = Player()
"""


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


@pytest.fixture
def type_in(starters, tmp_path):
    """Runs a command as if in the newcomer's terminal, but for where the server listens."""
    path = os.pathsep.join([str(pathlib.Path(binary()).parent), os.environ["PATH"]])
    settings = os.environ | {"PATH": path, "OMNI_BASE_URL": starters.base_url, "OMNI_API_KEY": ""}

    def type_in(command, **options):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=LIMIT * 3, env=settings, **options)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout.decode()

    return type_in


def here(text, server):
    assert "http://localhost:8091" in text or "omni" in text.lower(), f"a block that asks no server: {text}"
    return text.replace("http://localhost:8091", server.base_url)


def test_the_readme_s_lines(starters, type_in, tmp_path):
    lines = "\n".join(blocks(README, "sh"))
    said = type_in(["bash", "-euo", "pipefail", "-c", here(lines, starters)])
    assert '"error":{' not in said, said
    assert decode((tmp_path / "coffee.png").read_bytes())[:2] == (256, 256)
    for name, mark in {"hello.mp3": b"ID3", "rocket.mp4": b"ftyp"}.items():
        assert mark in (tmp_path / name).read_bytes()[:16], name


def test_the_shell_lines(starters, type_in, tmp_path):
    lines = "\n".join(blocks(HOUR, "sh"))
    said = type_in(["bash", "-euo", "pipefail", "-c", here(lines, starters)])
    assert '"error":{' not in said, said
    assert '"completed"' in said
    for name in ("coffee.png", "night.png"):
        assert decode((tmp_path / name).read_bytes())[:2] == (256, 256)
    for name, mark in {"hello.mp3": b"ID3", "hello.wav": b"RIFF", "rocket.mp4": b"ftyp", "again.mp4": b"ftyp"}.items():
        sound = (tmp_path / name).read_bytes()
        assert mark in sound[:16] and len(sound) > 1000, name


def test_the_python_lines(starters, type_in):
    said = type_in([sys.executable, "-c", here("\n".join(blocks(HOUR, "python")), starters)])
    assert re.search(r"\w", said.split("bytes of sound")[0]) and said.count("bytes of sound") > 1, said


def test_the_swift_lines(starters, type_in, tmp_path):
    (code,) = blocks(HOUR, "swift")
    assert re.search(r"\w", type_in([swift_code.built(code, tmp_path)]))
    decode((tmp_path / "fox.png").read_bytes())
    assert (tmp_path / "hello.wav").read_bytes()[:4] == b"RIFF"


def test_the_tutorial_is_swift(tmp_path):
    """Read from its beginning to its end it is one program."""
    code = [block for block in blocks(TUTORIAL, "swift") if ".package(" not in block]
    assert len(code) > 3 and "import OmniClient" in code[0]
    assert not swift_code.faults(PRELUDE + "".join(code), tmp_path)
