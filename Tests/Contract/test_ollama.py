"""Ollama's API, through its official client and as others write it."""
import base64
import datetime
import json

import ollama
import pytest
from harness import ROOT, is_alive, starter_model, wait_until

EMBED = ROOT / "Tests/Fixtures/text/tiny-embed.gguf"
SAID = [{"role": "user", "content": "The capital of France is"}]
SHORT = {"num_predict": 12, "temperature": 0}
TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather of a city.", "parameters": {
    "type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}}}


@pytest.fixture(scope="module")
def both(shared):
    """The shared server with a text model and one for vectors."""
    return shared(models=[starter_model(), EMBED])


@pytest.fixture(scope="module")
def names(both):
    kinds = {each["kind"]: each["id"] for each in both.get("/v1/models").json["data"]}
    return kinds["text"], kinds["embedding"]


@pytest.fixture(scope="module")
def client(both):
    return ollama.Client(host=both.base_url)


def test_models_are_listed_as_ollama_does(both, client, names):
    assert [each.model for each in client.list().models] == [f"{name}:latest" for name in names]
    first = client.list().models[0]
    assert first.size > 50_000_000 and first.details.format == "gguf" and first.details.family == "llama" and len(first.digest) == 64
    assert {each.model for each in client.ps().models} == {f"{name}:latest" for name in names}
    assert client.ps().models[0].size > 0 and client.ps().models[0].size_vram == 0
    shown = client.show(f"{names[0]}:latest")
    assert shown.capabilities == ["completion", "tools"] and shown.modelinfo["llama.context_length"] > 0
    assert client.show(names[1]).capabilities == ["embedding"]
    assert both.get("/api/version").json["version"].count(".") == 2


def test_a_chat_whole_and_in_lines(client, names):
    whole = client.chat(f"{names[0]}:latest", SAID, options=SHORT)
    assert whole.done and whole.done_reason == "length" and whole.eval_count == 12 and whole.prompt_eval_count > 5 and whole.model == f"{names[0]}:latest"
    assert whole.total_duration >= whole.eval_duration > 0
    lines = list(client.chat(names[0], SAID, options=SHORT, stream=True))
    assert "".join(each.message.content for each in lines) == whole.message.content
    assert [each.done for each in lines] == [False] * (len(lines) - 1) + [True] and lines[-1].eval_count == 12


def test_lines_are_json_each(both, names):
    reply = both.request("POST", "/api/chat", json.dumps({"model": names[0], "messages": SAID, "options": SHORT}).encode())
    assert reply.status == 200 and reply.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in reply.body.decode().splitlines()]
    assert all("content" in line["message"] and "created_at" in line for line in lines) and lines[-1]["done"]


def test_a_prompt_with_and_without_the_template(client, names):
    raw = client.generate(names[0], "The capital of France is", raw=True, options=SHORT)
    assert raw.response.startswith(" Paris")
    assert "".join(each.response for each in client.generate(names[0], "The capital of France is", raw=True, options=SHORT, stream=True)) == raw.response
    told = client.generate(names[0], "Say hi.", system="You are polite.", options=SHORT)
    assert told.done and told.response and told.response != raw.response


def test_answers_of_a_form(client, names):
    schema = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string", "maxLength": 12}}, "additionalProperties": False}
    answer = client.chat(names[0], SAID, format=schema, options={"temperature": 0, "num_predict": 60})
    assert list(json.loads(answer.message.content)) == ["city"]
    assert client.generate(names[0], "Paris", format="json", options=SHORT).response.lstrip().startswith("{")


def test_tools_are_called_and_their_results_read(both, client, names):
    said = [{"role": "user", "content": "How is the weather in Rome?"}]
    call = {"function": {"name": "weather", "arguments": {"city": "Rome"}}}
    answer = client.chat(names[0], [*said, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_name": "weather", "content": "Sunny."}], tools=[TOOL], options=SHORT)
    assert answer.done and answer.message.content
    # Whether this small model calls anything is its own affair; what it writes comes as a call or as text.
    free = client.chat(names[0], said, tools=[TOOL], options={"temperature": 0, "num_predict": 40})
    assert free.message.tool_calls or free.message.content


def test_pictures_are_refused_by_a_model_that_sees_none(client, names):
    picture = base64.b64encode(b"\x89PNG").decode()
    with pytest.raises(ollama.ResponseError) as error:
        client.chat(names[0], [{"role": "user", "content": "What is it?", "images": [picture]}])
    assert error.value.status_code == 400 and "image_url" in error.value.error


def test_vectors(both, client, names):
    many = client.embed(names[1], ["a", "b"])
    assert len(many.embeddings) == 2 and many.prompt_eval_count > 0
    own = both.post("/v1/embeddings", {"model": names[1], "input": "a"}).json["data"][0]["embedding"]
    assert many.embeddings[0] == pytest.approx(own, abs=1e-6) and client.embed(names[1], "a").embeddings[0] == pytest.approx(own, abs=1e-6)
    assert client.embeddings(names[1], "a").embedding == pytest.approx(own, abs=1e-6)


def test_what_has_no_meaning_is_named(both, names):
    reply = both.post("/api/chat", {"model": names[0], "messages": SAID, "stream": False, "options": {**SHORT, "num_ctx": 4096, "mirostat": 1}})
    assert reply.headers["x-ignored-params"] == "options.num_ctx,options.mirostat"


@pytest.mark.parametrize("method, path", [("POST", "pull"), ("POST", "push"), ("POST", "create"), ("POST", "copy"), ("DELETE", "delete")])
def test_what_is_not_served_says_so(both, method, path):
    reply = both.request(method, f"/api/{path}", b'{"model": "x"}')
    assert reply.status == 404 and "omni models pull" in reply.json["error"]


def test_errors_are_ollamas(both, client):
    with pytest.raises(ollama.ResponseError) as error:
        client.chat("nobody", SAID)
    assert error.value.status_code == 404 and "nobody" in error.value.error
    assert isinstance(both.post("/api/chat", {"model": 3}).json["error"], str)


def test_a_model_is_loaded_kept_and_unloaded(start):
    server = start(models=[starter_model()])
    client = ollama.Client(host=server.base_url)
    name = client.list().models[0].model
    worker = next(iter(server.workers().values()))
    assert client.chat(name, [], keep_alive=0).done_reason == "unload"
    wait_until(lambda: not is_alive(worker), "the worker to end")
    assert client.ps().models == []
    assert client.generate(name, keep_alive="10m").done_reason == "load"
    # Ten minutes from when it began to serve, and not from when one looks.
    served = datetime.datetime.now(datetime.timezone.utc)
    assert client.ps().models[0].expires_at <= served + datetime.timedelta(minutes=10)
    worker = next(iter(server.workers().values()))
    # Kept for no time: it goes as soon as it has answered.
    assert client.chat(name, SAID, options=SHORT, keep_alive=0).message.content
    wait_until(lambda: not is_alive(worker), "the worker to end")
