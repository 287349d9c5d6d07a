"""Every kind of voice folder, found, loaded and spoken by `omni serve`: tiny ones, in which each symbol is a short tone."""
import base64
import math
import shutil
import struct

import pytest

from harness import ROOT, Server
from speech import Socket, events, refused, speak, wav_seconds

FOLDER = ROOT / "Tests/OmniSpeechTests/Fixtures"
TEXT = "Hello there. Good morning."
#: Hz of each kind's own sound.
KINDS = {"piper": 16000, "kokoro": 24000, "kitten": 24000, "matcha": 22050, "zipvoice": 24000, "pocket": 24000, "supertonic": 24000}


def tone(rate=24000):
    samples = b"".join(struct.pack("<h", int(9000 * math.sin(place * 0.05))) for place in range(rate))
    return b"RIFF" + (36 + len(samples)).to_bytes(4, "little") + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16) + b"data" + len(samples).to_bytes(4, "little") + samples


SAMPLE = {"ref_audio": "data:audio/wav;base64," + base64.b64encode(tone()).decode()}
#: What a kind without voices of its own needs in a request.
NEEDS = {"zipvoice": SAMPLE | {"ref_text": "hello there"}, "pocket": SAMPLE}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("kinds"), models=[FOLDER / kind for kind in KINDS]) as server:
        first = server.workers()
        yield server
        assert server.workers() == first, "a worker died"


def test_all_are_served_as_speech_models(kinds):
    told = {m["id"]: m for m in kinds.get("/v1/capabilities").json["data"]}
    assert set(told) == set(KINDS) and {m["kind"] for m in told.values()} == {"speech"}
    assert {name: m["speech"]["sample_rate"] for name, m in told.items()} == KINDS
    assert {name for name, m in told.items() if m["speech"]["clones_voices"]} == set(NEEDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_speaks_whole_and_in_pieces(kinds, kind):
    fields = {"model": kind, "seed": 5, **NEEDS.get(kind, {})}
    file = speak(kinds, TEXT, **fields).body
    assert wav_seconds(file) > 0.5 and any(file[44:]) and int.from_bytes(file[24:28], "little") == KINDS[kind]
    reply = speak(kinds, TEXT, response_format="pcm", stream=True, **fields)
    *deltas, (last, _) = events(reply.body)
    samples = b"".join(base64.b64decode(d["audio"]) for _, d in deltas)
    assert last == "speech.audio.done" and reply.headers["X-Sample-Rate"] == "24000"
    assert len(samples) / 2 / 24000 == pytest.approx(wav_seconds(file), rel=0.02)


@pytest.mark.parametrize("kind", NEEDS)
def test_one_without_voices_of_its_own_asks_for_a_sample(kinds, kind):
    assert refused(kinds, model=kind)["param"] == "ref_audio"


def test_a_web_socket_speaks_with_any_of_them(kinds):
    link = Socket(kinds)
    try:
        link.configure(model="supertonic", response_format="pcm", stream_audio=True, seed=5)
        link.say(TEXT)
        link.done()
        start, sound = link.unit()
        assert start["sample_rate"] == 24000 and any(b"".join(sound))
    finally:
        link.raw.close()


def test_a_folder_that_lacks_a_file_is_refused_with_its_name(start, tmp_path):
    broken = shutil.copytree(FOLDER / "pocket", tmp_path / "pocket")
    (broken / "token_scores.json").unlink()
    server = start(models=[broken], ready=False)
    assert server.process.wait(60) != 0
    assert str(broken / "token_scores.json") in server.log and "pocket" in server.log
