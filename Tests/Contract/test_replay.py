"""The recorded wire cases of the contract, played against real servers."""
import os
import pathlib
import subprocess
import sys

import pytest

from harness import ROOT, Server
from speech import STARTER_VOICE

SHARED = pathlib.Path(os.environ.get("OMNI_SHARED") or ROOT.parent / "shared")
#: In a worktree the shared folder stands one level further up.
CONTRACT = next((p / "contract" for p in (SHARED, ROOT.parent.parent / "shared") if (p / "contract/replay.py").exists()), None)

pytestmark = pytest.mark.skipif(CONTRACT is None, reason=f"THE RECORDED CASES ARE MISSING: no contract/replay.py in {SHARED}; set OMNI_SHARED")

NAMES = ("--served-model-name", "stub/model")
#: The flags that recorded cases name.
FLAGS = "--api-key sekret --max-generated-image-size 262144 --enable-request-id-headers"


def replay(server, needs, *arguments):
    done = subprocess.run(
        [sys.executable, CONTRACT / "replay.py", "--base-url", server.base_url, "--cases", CONTRACT / "cases.jsonl", "--needs", needs, *arguments],
        capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def test_cases_for_any_server_and_text(start):
    replay(start(*NAMES), "any,text")


def test_cases_about_sleeping(start):
    replay(start(*NAMES), "sleep")


def test_cases_with_a_key(start):
    replay(start(*NAMES, *FLAGS.split()), "any-auth,any", "--api-key", "sekret", "--flags", FLAGS)


def test_cases_about_pictures(start):
    """`imggen-oc-null` is left out: the peer refuses null where it is not its default, ours takes it for a field that is not given; and
    `imggen-rf-url`: ours has links."""
    replay(start(*NAMES, models=[ROOT / "Models/omni-emoji"]), "image,image-edit", "--only", "^(?!imggen-(oc-null|rf-url)$)")


def test_cases_about_videos(start):
    """`video-json` is left out: the peer's form takes no JSON, ours does, as OpenAI's clients send it when there is no file."""
    replay(start(*NAMES, models=[ROOT / "Tests/Fixtures/wan/ti2v"]), "video", "--only", "^(?!video-json$)")


def test_cases_about_speech(start, tmp_path):
    """The starter voice under the names of the recorded ones. `speech-fmt-null` is left out as `imggen-oc-null` is, and `speech-stream-mp3`:
    the peer streams wav and pcm only."""
    aliases = tmp_path / "omni.yaml"
    aliases.write_text("voices: {vivian: joe, ryan: joe}\n")
    replay(start(*NAMES, "--config", aliases, models=[STARTER_VOICE]), "any,tts", "--only", "^(?!speech-fmt-null$|speech-stream-mp3$)")
