"""Speech from GGUF models over HTTP: tiny random ones of both architectures, served side by side.

What they say means nothing; the tests look at how it travels, and on what it depends.
"""
import base64
import shutil

import pytest

from harness import ROOT, Server, wait_until
from speech import Socket, events, refused, speak
from test_voices import delete, upload

FOLDER = ROOT / "Tests/Fixtures/speech"
SAMPLE = (FOLDER / "sample.wav").read_bytes()
TEXT = "Hello there."
#: Frames are 80 ms at 24 kHz; the first two of Pocket TTS come at once.
FRAME = 1920 * 2
MODELS = {"qwen3-tts": {}, "pocket-tts": {"voice": "ann"}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("gguf"), "--log-level", "debug", models=[FOLDER / name for name in MODELS]) as server:
        assert upload(server, "Ann", SAMPLE).status == 200
        first = server.workers()
        yield server
        assert server.workers() == first, "a worker died"


def pcm(server, model, text=TEXT, seed=7, **fields):
    return speak(server, text, model=model, seed=seed, response_format="pcm", **MODELS[model] | fields).body


def test_both_are_speech_models(tiny):
    assert {m["id"] for m in tiny.get("/v1/models").json["data"]} == set(MODELS)
    voices = tiny.get("/v1/audio/voices").json
    assert voices["voices"] == ["ann", "default", "pocket-tts", "qwen3-tts"] and [v["name"] for v in voices["uploaded_voices"]] == ["Ann"]


@pytest.mark.parametrize("model", MODELS)
def test_streams_are_the_whole_and_a_seed_is_honoured(tiny, model):
    whole = pcm(tiny, model)
    assert len(whole) >= 4 * FRAME and any(whole)
    fields = MODELS[model] | {"model": model, "seed": 7}
    assert speak(tiny, TEXT, response_format="pcm", stream_format="audio", **fields).body == whole
    reply = speak(tiny, TEXT, response_format="pcm", stream=True, **fields)
    *deltas, (last, _) = events(reply.body)
    assert last == "speech.audio.done" and b"".join(base64.b64decode(d["audio"]) for _, d in deltas) == whole
    assert "x-ignored-params" not in reply.headers
    assert pcm(tiny, model, seed=8) != whole
    file = speak(tiny, TEXT, response_format="wav", **fields).body
    assert file[44:] == whole and int.from_bytes(file[24:28], "little") == 24_000
    assert len(pcm(tiny, model, speed=2)) == pytest.approx(len(whole) / 2, rel=0.05)


def test_one_sentence_comes_in_many_pieces(tiny):
    reply = speak(tiny, TEXT, model="pocket-tts", voice="ann", seed=7, response_format="pcm", stream=True)
    sizes = [len(base64.b64decode(d["audio"])) for name, d in events(reply.body) if name == "speech.audio.delta"]
    assert sizes[0] < 2 * FRAME, "the first two frames, before the third is made"
    assert len(sizes) > 2 and sum(sizes) >= 10 * FRAME


def test_a_voice_is_imitated(tiny):
    own, ann = pcm(tiny, "qwen3-tts"), pcm(tiny, "qwen3-tts", voice="ann")
    sent = "data:audio/wav;base64," + base64.b64encode(SAMPLE).decode()
    assert ann != own and pcm(tiny, "qwen3-tts", ref_audio=sent) == ann
    assert pcm(tiny, "pocket-tts", voice=None, ref_audio=sent) == pcm(tiny, "pocket-tts")
    assert upload(tiny, "Ben", SAMPLE[:44] + SAMPLE[:43:-1]).status == 200, "another sound"
    try:
        assert pcm(tiny, "qwen3-tts", voice="ben") not in (own, ann)
    finally:
        delete(tiny, "ben")
    assert refused(tiny, model="pocket-tts")["param"] == "ref_audio", "it has no voice of its own"
    assert refused(tiny, model="qwen3-tts", voice="nobody")["param"] == "voice"
    assert speak(tiny, TEXT, model="qwen3-tts", voice="alloy", seed=7, response_format="pcm").body == own


def test_the_language_is_the_requests_where_the_model_knows_several(tiny):
    assert pcm(tiny, "qwen3-tts", language="German") != pcm(tiny, "qwen3-tts", language="English") == pcm(tiny, "qwen3-tts")
    assert "English, German, Chinese" in refused(tiny, model="qwen3-tts", language="French")["message"]
    reply = speak(tiny, TEXT, model="pocket-tts", voice="ann", language="German", instructions="sadly")
    assert set(reply.headers["x-ignored-params"].split(",")) == {"language", "instructions"}


def test_batch_and_web_socket(tiny):
    items = [{"input": TEXT}, {"input": TEXT, "voice": "nobody"}]
    for model, fields in MODELS.items():
        spoken, nobody = tiny.post("/v1/audio/speech/batch", {"model": model, "response_format": "pcm", "items": items} | fields).json["results"]
        # A batch has no seed: a random model may stop after its first frame.
        assert len(base64.b64decode(spoken["audio_data"])) >= FRAME and spoken["usage"]["output_tokens"] > 0 and "nobody" in nobody["error"]
    link = Socket(tiny)
    try:
        link.configure(model="pocket-tts", voice="ann", response_format="pcm", seed=7)
        link.say(TEXT)
        link.done()
        assert b"".join(link.unit()[1]) == pcm(tiny, "pocket-tts")
    finally:
        link.raw.close()


def test_a_model_without_its_projector_is_refused_before_anything_starts(start, tmp_path):
    shutil.copy(FOLDER / "qwen3-tts/qwen3-tts.gguf", tmp_path)
    server = start(models=[tmp_path / "qwen3-tts.gguf"], ready=False)
    assert server.process.wait(60) != 0
    assert "only its projector makes audible" in server.log and "mmproj-*.gguf" in server.log


def test_a_damaged_projector_fails_with_its_reason_and_the_others_are_served(start, tmp_path):
    broken = shutil.copytree(FOLDER / "pocket-tts", tmp_path / "broken")
    projector = broken / "mmproj-pocket-tts.gguf"
    projector.write_bytes(projector.read_bytes().replace(b"a.gen.wav", b"a.gen.wax"))
    server = start(models=[FOLDER / "qwen3-tts", broken], ready=False)
    server.wait_listening()
    wait_until(lambda: server.get("/health/ready").json["models"] == {"qwen3-tts": "ready", "broken": "failed"}, "one ready and one failed")
    assert refused(server, model="broken", status=503)["message"].count("unable to find tensor a.gen.wav") == 1
    assert pcm(server, "qwen3-tts")
