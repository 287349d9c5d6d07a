"""A thousand spoilt bodies: never a 500, never a dropped connection, and the server is well afterwards."""
import copy
import json
import os
import random

from harness import chat_body

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}}
VALID = [
    ("/v1/chat/completions", chat_body(max_tokens=1, temperature=0.5, top_p=0.9, n=1, stop=["x"], logit_bias={"5": 1}, seed=1)),
    ("/v1/chat/completions", chat_body(max_tokens=1, tools=[TOOL], tool_choice="auto", parallel_tool_calls=True)),
    ("/v1/chat/completions", chat_body(max_tokens=1, response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {
        "type": "object", "properties": {"x": {"type": "string", "maxLength": 3}}, "required": ["x"]}}})),
    ("/v1/chat/completions", {"max_tokens": 1, "stream": True, "stream_options": {"include_usage": True}, "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "1"}]}),
    ("/v1/completions", {"prompt": ["a", "b"], "max_tokens": 1, "logprobs": 1, "echo": True}),
    ("/v1/completions", {"prompt": [1, 2, 3], "max_tokens": 1, "stream": True}),
    ("/tokenize", {"prompt": "hi", "add_special_tokens": True}),
    ("/detokenize", {"tokens": [1, 2, 3]}),
    ("/v1/chat/completions/batch", {"messages": [[{"role": "user", "content": "hi"}]], "max_tokens": 1}),
    ("/v1/embeddings", {"input": "hi"}),
    ("/v1/rerank", {"query": "hi", "documents": ["x"]}),
    ("/v1/images/generations", {"prompt": "x"}),
    ("/v1/audio/speech", {"input": "x"}),
    ("/v1/omni/wakeup", {"stage_ids": [0]}),
]
NASTY = [None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, -1e308, 2**31, 2**63, -(2**63), 2**64, 10**40, "", " ", "x", "0", "-1", "NaN", "inf", "true", "\0", "😀",
         "\u202e", "a" * 3000, [], {}, [[]], [{}], {"": ""}, [None], [[[[[]]]]], {"type": None}, {"$ref": "#"}, "{{ x }}", "{% for %}", "../../etc/passwd",
         "data:image/png;base64,AAAA", "http://127.0.0.1:1/x.png", "file:///etc/passwd", "<|im_start|>system"]
NAMES = ["n", "stop", "tools", "tool_choice", "response_format", "logprobs", "top_logprobs", "top_k", "min_p", "min_tokens", "stop_token_ids", "chat_template",
         "chat_template_kwargs", "repetition_penalty", "reasoning_effort", "modalities", "ignore_eos", "suffix", "echo", "model", "user", "messages", "prompt",
         "stream_options", "logit_bias", "seed", "extra_body", "size", "image"]


def places(value, path=()):
    """Every place in a document."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from places(value[index], (*path, index))


def spoil(generator, body):
    """One to three mutations of a document; text or bytes now and then."""
    body = copy.deepcopy(body)
    for _ in range(generator.randint(1, 3)):
        path = generator.choice(list(places(body)))
        if not path:
            key = generator.choice(NAMES)
            if isinstance(body, dict):
                body[key] = generator.choice(NASTY)
            continue
        target = body
        for step in path[:-1]:
            target = target[step]
        match generator.randrange(4):
            case 0 | 1:
                target[path[-1]] = copy.deepcopy(generator.choice(NASTY))
            case 2:
                del target[path[-1]]
            case 3:
                target[path[-1]] = [copy.deepcopy(target[path[-1]])] * generator.randint(2, 3)
    data = json.dumps(body, allow_nan=True).encode()
    if generator.random() < 0.25:  # then bytes: flipped, cut, doubled
        raw = bytearray(data)
        for _ in range(generator.randint(1, 4)):
            match generator.randrange(3):
                case 0:
                    raw[generator.randrange(len(raw))] = generator.randrange(256)
                case 1:
                    raw = raw[: generator.randrange(1, len(raw) + 1)]
                case 2:
                    place = generator.randrange(len(raw))
                    raw[place:place] = raw[place : place + 20]
        data = bytes(raw)
    return data


def bounded(data):
    """Whether a body asks for so little that the test stays short; most spoilt ones do."""
    try:
        body = json.loads(data)
    except ValueError:
        return True
    if not isinstance(body, dict):
        return True

    def number(name, standard):
        try:
            return float(body.get(name, standard))
        except (TypeError, ValueError):
            return standard
    return body.get("max_tokens") in (1, "1", True, -1, 0, [], {}, "") or not isinstance(body.get("max_tokens"), (int, float, str, type(None))) or number("n", 1) * number(
        "max_tokens", 10_000) <= 20


def test_a_thousand_malformed_bodies(server):
    generator = random.Random(int(os.environ.get("OMNI_TEST_SEED", "8091")))
    statuses, connection, asked = {}, server.connection(), 0
    while asked < 1000:
        path, valid = generator.choice(VALID)
        data = spoil(generator, valid)
        if not bounded(data) and "max_tokens" in valid:
            continue
        asked += 1
        try:
            connection.request("POST", path, data, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            body = reply.read()
        except Exception as problem:
            raise AssertionError(f"no reply to {path} {data!r}: {problem!r}") from problem
        statuses[reply.status] = statuses.get(reply.status, 0) + 1
        assert reply.status in (200, 400, 404, 413), f"{reply.status} to {path} {data!r}: {body!r}"
        if reply.status == 200 and reply.headers["Content-Type"].startswith("text/event-stream"):
            assert b'"code":500' not in body and body.endswith(b"data: [DONE]\n\n"), f"{path} {data!r}: {body!r}"
        elif reply.status != 200:
            error = json.loads(body)["error"]
            assert error["code"] == reply.status and error["message"], f"{path} {data!r}: {body!r}"
    assert statuses[400] > 300, statuses
    server.wait_idle()
    assert server.chat(max_tokens=2).status == 200
