"""Every stream of every route, read by the official client: no event is anything but an object."""
import io
import json

import openai
import pytest

import pictures
from harness import LIMIT, chat_body


def objects(client, path, body):
    """The events of a stream as the official client hands them to its users."""
    from openai import Stream

    stream = client.post(path, body=body, cast_to=object, stream=True, stream_cls=Stream[object])
    events = list(stream)
    assert events, path
    for event in events:
        assert isinstance(event, dict) and event, (path, event)
    return events


TEXT = {
    "/chat/completions": [chat_body(max_tokens=3), chat_body(max_tokens=3, n=2, logprobs=True, top_logprobs=2), chat_body(
        max_tokens=8, tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}}],
        tool_choice="required"), chat_body(max_tokens=3, response_format={"type": "json_object"})],
    "/completions": [{"prompt": "Once", "max_tokens": 3}, {"prompt": ["a", "b"], "n": 2, "max_tokens": 3, "echo": True, "logprobs": 1}],
}


@pytest.mark.parametrize("path", TEXT)
@pytest.mark.parametrize("options", [None, {"include_usage": True}, {"include_usage": False}, {"include_usage": None}])
def test_text(client, path, options):
    for body in TEXT[path]:
        events = objects(client, path, body | {"stream": True, "stream_options": options})
        wants = bool(options and options["include_usage"])
        assert all("choices" in e for e in events) and (events[-1]["choices"] == []) == wants
        assert any(c["finish_reason"] for e in events for c in e["choices"])


@pytest.mark.parametrize("path", TEXT)
def test_counts_in_every_chunk(client, path):
    """continuous_usage_stats: the counts so far with every chunk, and at the end those of the whole answer."""
    for body in TEXT[path]:
        events = objects(client, path, body | {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}})
        counts = [e["usage"] for e in events]
        assert all(counts), (body, events)
        spoken = [c["completion_tokens"] for c in counts]
        assert spoken == sorted(spoken) and spoken[-1] > 0 and events[-1]["choices"] == []
        assert all(c["total_tokens"] == c["prompt_tokens"] + c["completion_tokens"] for c in counts)


@pytest.mark.parametrize("options", [None, {"include_usage": True}])
def test_typed_completions_have_choices(client, model, options):
    """`for chunk in stream: chunk.choices` must not meet a None."""
    for chunk in client.completions.create(model=model, prompt="Once", max_tokens=3, stream=True, stream_options=options):
        assert chunk is not None and chunk.object == "text_completion" and chunk.choices is not None


def test_a_text_stream_that_fails(client, server, start):
    """The worker dies in the middle: an error that the official client raises, not an event."""
    import os
    import signal

    import openai

    own = start()
    with openai.OpenAI(base_url=own.base_url + "/v1", api_key="x", max_retries=0, timeout=LIMIT) as other:
        stream = other.completions.create(model=own.get("/v1/models").json["data"][0]["id"], prompt="Once", max_tokens=4000, stream=True, extra_body={"ignore_eos": True})
        with pytest.raises(openai.APIError):
            for number, chunk in enumerate(stream):
                assert chunk is not None
                if number == 2:
                    os.kill(next(iter(own.workers().values())), signal.SIGKILL)


def test_pictures(openai_client):
    for extra in ({}, {"partial_images": 2}, {"n": 2}):
        events = objects(openai_client, "/images/generations", {"prompt": "x", "size": "32x32", "num_inference_steps": 3, "stream": True} | extra)
        assert all("b64_json" in e for e in events)
    typed = list(openai_client.images.generate(prompt="x", size="32x32", stream=True, partial_images=1, extra_body={"num_inference_steps": 3}))
    assert typed[-1].type == "image_generation.completed" and all(e.b64_json for e in typed)
    edited = list(openai_client.images.edit(
        image=io.BytesIO(pictures.png(32, 32)), prompt="x", stream=True, partial_images=1, extra_body={"num_inference_steps": 3}))
    assert edited[-1].type == "image_edit.completed"
    for options in (None, {"include_usage": True}):
        events = objects(openai_client, "/chat/completions", chat_body("a fox", stream=True, size="32x32", num_inference_steps=3, stream_options=options))
        assert all("choices" in e for e in events)


def test_speech(speaking):
    from openai import OpenAI

    with OpenAI(base_url=speaking.base_url + "/v1", api_key="x", max_retries=0, timeout=LIMIT) as client:
        events = objects(client, "/audio/speech", {"input": "Hello there.", "stream_format": "sse"})
        assert all(e["type"].startswith("speech.audio.") for e in events)
        for options in (None, {"include_usage": True}):
            body = chat_body("Say hi.", max_tokens=8, modalities=["text", "audio"], audio={"voice": "joe", "format": "wav"}, stream=True, stream_options=options)
            assert all("choices" in e for e in objects(client, "/chat/completions", body))
    names = {m["id"] for m in speaking.get("/v1/audio/models").json["models"]}
    assert "joe" in names and names < {m["id"] for m in speaking.get("/v1/models").json["data"]}


def test_video_jobs(start):
    from harness import ROOT

    server = start(models=[ROOT / "Tests/Fixtures/wan/ti2v"])
    job = server.post("/v1/videos", {"prompt": "x", "size": "32x32", "num_frames": 1, "num_inference_steps": 1}).json
    with openai.OpenAI(base_url=server.base_url + "/v1", api_key="unused") as client:
        events = list(client.get(f"/videos/{job['id']}/events", cast_to=object, stream=True, stream_cls=openai.Stream[object]))
    assert events and all(isinstance(e, dict) and e for e in events)
    head = server.request("HEAD", f"/v1/videos/{job['id']}/events")
    assert head.status == 200 and head.body == b"" and head.headers["Content-Type"].startswith("text/event-stream")
