"""A tiny random Qwen2.5-Omni as published (safetensors, no GGUF) behind the server: it is converted, loads with its encoders, and what it
says depends on what it sees and hears."""
import base64
import json
import shutil

import pytest

from harness import ROOT

OMNI = ROOT / "Tests/Fixtures/omni"
MEDIA = OMNI / "thinker"


@pytest.fixture(scope="module")
def omni_server(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("omni") / "tiny-omni"
    shutil.copytree(OMNI / "qwen2.5-omni", folder)
    return shared(models=[folder])


def data(name, kind):
    return f"data:{kind};base64," + base64.b64encode((MEDIA / name).read_bytes()).decode()


PARTS = {
    "picture": {"type": "image_url", "image_url": {"url": data("windows.png", "image/png")}},
    "other picture": {"type": "image_url", "image_url": {"url": data("strip.png", "image/png")}},
    "sound": {"type": "input_audio", "input_audio": {"data": base64.b64encode((MEDIA / "odd.flac").read_bytes()).decode(), "format": "flac"}},
    "sound by address": {"type": "audio_url", "audio_url": {"url": data("long.flac", "audio/flac")}},
    "video": {"type": "video_url", "video_url": {"url": data("clip.mp4", "video/mp4")}},
}
# Places that each takes between its marks, as transformers counts them.
PLACES = {"picture": 66, "other picture": 18, "sound": 52, "sound by address": 133, "video": 420}


def ask(server, *names, **members):
    content = [PARTS[name] for name in names] + [{"type": "text", "text": "What is it?"}]
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 6, "temperature": 0, "logprobs": True, "ignore_eos": True, **members}
    answer = server.post("/v1/chat/completions", body)
    assert answer.status == 200, answer
    return answer.json


def test_what_it_is(omni_server):
    capabilities = json.dumps(omni_server.get("/v1/models").json)
    assert "tiny-omni" in capabilities
    assert "converting the checkpoint to GGUF, once" in omni_server.log


def test_media_take_the_places_of_the_reference(omni_server):
    plain = ask(omni_server)["usage"]["prompt_tokens"]
    for name, places in PLACES.items():
        assert ask(omni_server, name)["usage"]["prompt_tokens"] - plain == places + 2, name
    assert ask(omni_server, "picture", "sound", "video")["usage"]["prompt_tokens"] - plain == 66 + 52 + 420 + 6


def test_answers_depend_on_media(omni_server):
    def chances(*names):
        return [each["logprob"] for each in ask(omni_server, *names)["choices"][0]["logprobs"]["content"]]

    seen = [chances(name) for name in [*PLACES]] + [chances()]
    assert len({json.dumps(each) for each in seen}) == len(seen)
    first, again = chances("video"), ask(omni_server, "video")
    assert again["usage"]["prompt_tokens_details"]["cached_tokens"] > 400, "the video is known by its content"
    assert first[0] == pytest.approx(again["choices"][0]["logprobs"]["content"][0]["logprob"], abs=0.05)


def test_what_is_no_video(omni_server):
    content = [{"type": "video_url", "video_url": {"url": data("odd.flac", "video/mp4")}}]
    answer = omni_server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": content}]})
    assert answer.status == 400 and "content" in answer.error["param"], answer
