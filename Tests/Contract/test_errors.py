"""What goes wrong, as the official client and plain HTTP see it."""
import json

import openai
import pytest

from harness import KEYS, chat_body

HI = [{"role": "user", "content": "Say hi."}]


#: Flags that narrow what requests may be, each by itself: one server has them all.
NARROW = ("--max-model-len", 128, "--max-body-size", 20_000, "--strict-params", "--allowed-origins", '["https://good.example"]')


def field(error):
    return (error["param"] or "").removeprefix("body.")


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no/such", messages=HI)
    assert caught.value.param == "model" and caught.value.type == "NotFoundError" and "no/such" in caught.value.message


@pytest.mark.parametrize("fields, param", [
    ({"temperature": -1}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"temperature": [1]}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"top_p": 1.1}, "top_p"),
    ({"top_k": -2}, "top_k"),
    ({"min_p": 2}, "min_p"),
    ({"n": 0}, "n"),
    ({"n": 1.5}, "n"),
    ({"n": "two"}, "n"),
    ({"n": 100000}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": -5}, "max_tokens"),
    ({"max_tokens": 1e30}, "max_tokens"),
    ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ({"presence_penalty": 3}, "presence_penalty"),
    ({"frequency_penalty": -3}, "frequency_penalty"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"logit_bias": {"5": 101}}, "logit_bias.5"),
    ({"logit_bias": {"five": 1}}, "logit_bias"),
    ({"logit_bias": [1]}, "logit_bias"),
    ({"stop": 5}, "stop"),
    ({"stop": ["a", 5]}, "stop.1"),
    ({"stop": [""]}, "stop.0"),
    ({"seed": "x"}, "seed"),
    ({"seed": 2**80}, "seed"),
    ({"logprobs": 5}, "logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"stream": "maybe"}, "stream"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [1]}, "messages.0"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
    ({"messages": [*HI, {"role": "user", "content": 5}]}, "messages.1.content"),
    ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages.0.content.0.type"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
    ({"model": 7}, "model"),
    ({"user": 7}, "user"),
    ({"chat_template": "{{ messages }}"}, "chat_template"),
])
def test_a_wrong_field_is_named(server, fields, param):
    reply = server.post("/v1/chat/completions", chat_body(max_tokens=1) | fields)
    assert reply.status == 400, reply
    assert field(reply.error) == param
    assert reply.error["type"] in ("Bad Request", "BadRequestError")


@pytest.mark.parametrize("fields", [
    {"n": "1"}, {"n": 1.0}, {"n": None}, {"logprobs": None}, {"top_logprobs": 0}, {"parallel_tool_calls": None}, {"stream": "no"}, {"temperature": "0.5"}, {"seed": -1}, {"stop": None}, {"stop": []}, {"temperature": None},
    {"max_tokens": "2"}, {"logprobs": 0}, {"tools": None}, {"response_format": {"type": "text"}}, {"model": ""}, {"top_k": 0}, {"top_k": -1},
    {"stream": False, "stream_options": None}, {"seed": 2**63 - 1}, {"seed": -(2**63)}, {"metadata": {"a": "b"}}, {"store": False}, {"service_tier": "auto"},
])
def test_what_the_peer_takes_is_taken(server, fields):
    reply = server.post("/v1/chat/completions", chat_body(max_tokens=1) | fields)
    assert reply.status == 200, reply


@pytest.mark.parametrize("fields, param", [
    ({}, "prompt"), ({"prompt": None}, "prompt"), ({"prompt": []}, "prompt"), ({"prompt": 5}, "prompt"), ({"prompt": [[]]}, "prompt.0"),
    ({"prompt": "x", "suffix": "y"}, "suffix"), ({"prompt": "x", "logprobs": 99}, "logprobs"), ({"prompt": "x", "n": 0}, "n"),
    ({"prompt": ["a", 5]}, "prompt.1"), ({"prompt": [1, -2]}, "prompt.1"), ({"prompt": {"a": 1}}, "prompt"),
])
def test_a_wrong_completion_is_named(server, fields, param):
    reply = server.post("/v1/completions", fields)
    assert reply.status == 400 and field(reply.error) == param, reply


def test_a_template_of_a_strangers_is_not_run(server):
    """Recursion in a template ends the worker that runs it, a loop keeps it busy: vLLM refuses them by default too."""
    recursion = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"
    for path, body in (("/v1/chat/completions", chat_body(chat_template=recursion)),
                       ("/v1/chat/completions/batch", {"messages": [HI], "chat_template": recursion})):
        reply = server.post(path, body)
        assert reply.status == 400 and field(reply.error) == "chat_template" and "--trust-request-chat-template" in reply.error["message"]


def test_an_empty_prompt_is_answered_or_refused(server):
    """Nothing to go on from is never a server's fault."""
    assert server.post("/v1/completions", {"prompt": "", "max_tokens": 2}).status in (200, 400)
    assert server.chat("", max_tokens=2).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b'{"messages": [', b"nul", b"[]", b"5", b'"x"', b"\xff\xfe", b'{"messages":"\xff"}', b"{} x", b"[" * 50_000,
                                  b'{"a":' * 50_000, b"\x00", "{\"messages\": \"\ud83d\"}".encode("utf-8", "surrogatepass")])
def test_a_body_that_is_no_json_object(server, body):
    reply = server.post("/v1/chat/completions", body, {"Content-Type": "application/json"})
    assert reply.status == 400 and reply.error, reply


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data; boundary=x"])
def test_other_content_types_are_refused(server, kind):
    reply = server.post("/v1/chat/completions", json.dumps(chat_body()).encode(), {"Content-Type": kind} if kind else {})
    assert reply.status == 400 and reply.error, reply


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;charset=UTF-8"])
def test_json_by_other_spellings(server, kind):
    assert server.post("/v1/chat/completions", json.dumps(chat_body(max_tokens=1)).encode(), {"Content-Type": kind}).status == 200


def test_unknown_paths_and_methods(server):
    assert server.get("/v1/nothing").status == 404 and server.get("/v1/nothing").error["type"] == "NotFoundError"
    assert server.get("/nothing").status == 404 and server.get("/nothing").error
    assert server.get("/v1/chat/completions/../../etc/passwd").status == 404
    reply = server.get("/v1/chat/completions")
    assert reply.status == 405 and "POST" in reply.headers["Allow"] and reply.error
    assert server.request("DELETE", "/v1/models").status == 405


@pytest.mark.parametrize("path, body", [
    ("/v1/images/generations", {"prompt": "a cup"}), ("/v1/audio/speech", {"input": "hi"}), ("/v1/embeddings", {"input": "hi"}),
])
def test_what_no_model_can_do_is_404_and_says_what_is_served(server, model, path, body):
    reply = server.post(path, body)
    assert reply.status == 404 and reply.error["type"] == "NotFoundError" and model in reply.error["message"]


def test_a_prompt_longer_than_the_context_is_413_with_lengths_and_flag(shared):
    server = shared(*NARROW)
    from openai import OpenAI

    client = OpenAI(base_url=server.base_url + "/v1", api_key="x", max_retries=0)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=client.models.list().data[0].id, messages=[{"role": "user", "content": "long " * 400}], max_tokens=5)
    assert caught.value.status_code == 413
    message = caught.value.message
    assert "128" in message and "--max-model-len" in message and any(str(n) in message for n in range(400, 480)), message
    # Without a limit the answer fills what is left and says so.
    reply = server.chat("Tell a long story.", ignore_eos=True)
    assert reply.status == 200 and reply.json["choices"][0]["finish_reason"] == "length" and reply.json["usage"]["total_tokens"] <= 128
    # A completion is held to the same.
    assert server.post("/v1/completions", {"prompt": "long " * 400}).status == 413
    # A prompt that fits, with an answer that would not, is cut or refused, never an error of the server.
    assert server.chat(max_tokens=10_000, ignore_eos=True).status in (200, 400, 413)


def test_a_body_over_the_limit_is_413_naming_the_flag(shared):
    server = shared(*NARROW)
    from openai import OpenAI

    client = OpenAI(base_url=server.base_url + "/v1", api_key="x", max_retries=0)
    model = client.models.list().data[0].id
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x" * 30_000}])
    assert caught.value.status_code == 413
    assert "20000" in caught.value.message and "--max-body-size" in caught.value.message
    assert client.chat.completions.create(model=model, messages=HI, max_tokens=1).choices


def test_strict_params_refuses_what_it_does_not_know(shared):
    server = shared(*NARROW)
    reply = server.chat(max_tokens=1, colour="red")
    assert reply.status == 400 and field(reply.error) == "colour"
    assert server.chat(max_tokens=1).status == 200


def test_an_api_key_opens_and_nothing_else_does(shared):
    server = shared(*KEYS)
    from openai import OpenAI

    def ask(key):
        return OpenAI(base_url=server.base_url + "/v1", api_key=key, max_retries=0).models.list().data

    assert ask("sekret") and ask("andere")
    for wrong in ("sekre", "sekrett", "SEKRET", "x"):
        with pytest.raises(openai.AuthenticationError):
            ask(wrong)
    assert server.get("/v1/models").json == {"error": "Unauthorized"}
    assert server.get("/v1/models", Authorization="bearer sekret").status == 200
    assert server.get("/v1/models", Authorization="Basic sekret").status == 401
    assert server.chat().status == 401
    assert server.get("/v1/no/such/path").status == 401, "a stranger must not learn which paths exist"
    for open_path in ("/health", "/ping", "/version", "/metrics"):
        assert server.get(open_path).status == 200
    for trick in ("//v1/models", "/./v1/models", "/V1/models", "/v1%2Fmodels", "/%761/models", "http://x/v1/models"):
        assert server.get(trick).status in (400, 401, 404), f"{trick} got in"


def test_the_key_may_come_from_the_environment(start):
    server = start(environment={"VLLM_API_KEY": "from-env"})
    assert server.get("/v1/models").status == 401
    assert server.get("/v1/models", Authorization="Bearer from-env").status == 200


# Headers.

def test_a_request_id_is_echoed_and_becomes_the_answers(client, model):
    raw = client.with_raw_response.chat.completions.create(model=model, messages=HI, max_tokens=1, extra_headers={"X-Request-Id": "my-id-7"})
    assert raw.headers["x-request-id"] == "my-id-7" and raw.parse().id == "chatcmpl-my-id-7"
    raw = client.with_raw_response.chat.completions.create(model=model, messages=HI, max_tokens=1)
    assert raw.parse().id == "chatcmpl-" + raw.headers["x-request-id"]


def test_a_request_id_that_could_forge_the_log_is_replaced(server):
    for bad in ("a b", "x" * 129, "ü"):
        echoed = server.get("/v1/models", **{"X-Request-Id": bad.encode("utf-8").decode("latin-1")}).headers["X-Request-Id"]
        assert len(echoed) == 32 and echoed.isalnum()


def test_errors_carry_the_request_id_too(server):
    reply = server.post("/v1/chat/completions", {}, {"X-Request-Id": "err-1"})
    assert reply.status == 400 and reply.headers["X-Request-Id"] == "err-1"
    assert server.get("/nowhere").headers["X-Request-Id"]


def test_ignored_fields_are_named(client, model):
    raw = client.with_raw_response.chat.completions.create(
        model=model, messages=HI, max_tokens=1, extra_body={"colour": "red", "ütf": 1, "a\r\nSet-Cookie: x": 2})
    names = raw.headers["x-ignored-params"].split(",")
    assert "colour" in names and "set-cookie" not in raw.headers
    raw = client.with_raw_response.chat.completions.create(model=model, messages=HI, max_tokens=1)
    assert "x-ignored-params" not in raw.headers


@pytest.mark.parametrize("wish", [["image"], ["text", "image"]])
def test_what_a_text_model_cannot_make_is_refused(server, model, wish):
    """API.md, section 7.1."""
    reply = server.chat("Hi.", model=model, max_tokens=1, modalities=wish)
    assert reply.status == 400 and reply.error["param"] == "modalities" and reply.error["type"] == "BadRequestError", reply
    assert "Supported modalities: text" in reply.error["message"]
    assert server.chat("Hi.", model=model, max_tokens=1, modalities=["text"]).status == 200


def test_ignored_fields_are_named_on_streams(client, model):
    raw = client.with_raw_response.chat.completions.create(model=model, messages=HI, max_tokens=1, stream=True, extra_body={"colour": "red"})
    assert raw.headers["x-ignored-params"] == "colour" and raw.headers["content-type"].startswith("text/event-stream")
    list(raw.parse())


@pytest.mark.parametrize("origin, flags", [("http://localhost:5173", ()), ("vscode-webview://1a2b", ()), ("https://example.com", ("--allowed-origins", '["*"]'))])
def test_browsers_may_call(shared, origin, flags):
    """On loopback without keys from pages of this machine; from all by flag."""
    server, told = shared(*flags), "*" if flags else origin
    reply = server.get("/v1/models", Origin=origin)
    assert reply.headers["Access-Control-Allow-Origin"] == told and reply.headers["Vary"] == "Origin"
    preflight = server.request("OPTIONS", "/v1/chat/completions", headers={
        "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"})
    assert preflight.status == 200 and "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Origin"] == told
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()


def test_only_named_origins_may_call(shared):
    server = shared(*NARROW)
    assert server.get("/health/live", Origin="https://good.example").headers["Access-Control-Allow-Origin"] == "https://good.example"
    assert server.get("/health/live", Origin="https://evil.example").headers["Access-Control-Allow-Origin"] is None


def test_preflights_pass_without_a_key(shared):
    server = shared(*KEYS)
    reply = server.request("OPTIONS", "/v1/models", headers={"Origin": "https://a.example", "Access-Control-Request-Method": "GET"})
    assert reply.status == 200
    refused = server.get("/v1/models", Origin="https://a.example")
    assert refused.status == 401 and refused.headers["Access-Control-Allow-Origin"] == "*", "a browser must be able to read the 401"
