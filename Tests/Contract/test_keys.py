"""API keys with names, scopes and limits; origins and names of a server that asks for none."""
import asyncio
import collections
import contextlib
import datetime
import hashlib
import json
import os
import re
import threading
import time

import openai
import pytest
from concurrent.futures import ThreadPoolExecutor

from harness import ENDLESS, KEYS, LIMIT, chat_body, delta_text, wait_until
from talking import talk

#: Short answers of a known length.
SHORT = {"max_tokens": 4, "ignore_eos": True, "temperature": 0}


def entry(name, secret=None, **fields):
    return {"name": name, "key": secret or f"secret-of-{name}"} | {k.replace("_", "-"): v for k, v in fields.items()}


def write(path, *keys):
    """JSON is YAML too. Replaced in one step, as editors do it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"keys": keys}))
    fresh.chmod(0o600)
    os.replace(fresh, path)
    return path


@pytest.fixture
def keyed(start, tmp_path):
    def keyed(*keys, flags=()):
        server = start("--api-keys-file", write(tmp_path / "keys.yaml", *keys), *flags)
        server.keys_path = tmp_path / "keys.yaml"
        return server

    return keyed


def bearer(name):
    return {"Authorization": f"Bearer {name if name.startswith('plain') else 'secret-of-' + name}"}


def ask(server, name, text="Say hi.", **fields):
    return server.post("/v1/chat/completions", chat_body(text, **(SHORT | fields)), bearer(name))


def usage(server, name):
    found = server.request("GET", "/v1/usage", headers=bearer(name)).json["data"]
    return {row["key"]: row for row in found}


# MARK: - Who is let in


def test_keys_by_name_hash_and_expiry(keyed):
    past = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    server = keyed(
        entry("ann"), entry("ben", "sha256:" + hashlib.sha256(b"secret-of-ben").hexdigest()), entry("old", expires=past),
        flags=("--api-key", "plain"))
    for name in ("ann", "ben", "plain"):
        assert server.request("GET", "/v1/models", headers=bearer(name)).status == 200
    assert server.request("GET", "/v1/models", headers={"x-api-key": "secret-of-ann"}).status == 200
    for name, says in (("old", "has expired"), ("eve", "not known"), ("benn", "not known")):
        reply = server.request("GET", "/v1/models", headers=bearer(name))
        error = reply.json["error"]
        assert reply.status == 401 and error["code"] == "invalid_api_key" and says in error["message"], reply
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert server.get("/v1/models").status == 401
    with pytest.raises(openai.AuthenticationError) as fault:
        openai.OpenAI(base_url=server.base_url + "/v1", api_key="x", max_retries=0).models.list()
    assert fault.value.code == "invalid_api_key"
    assert "secret-of" not in server.log and server.get("/metrics").status == 200


def test_scopes_are_403_and_name_what_is_allowed(start, tmp_path, twins):
    keys = write(tmp_path / "keys.yaml", entry("talker", routes=["/v1/chat/completions"]), entry("benfan", models=["ben"]), entry("all"))
    server = start("--api-keys-file", keys, models=twins)
    assert ask(server, "talker").status == 200
    reply = server.post("/v1/completions", {"prompt": "x", "max_tokens": 1}, bearer("talker"))
    assert reply.status == 403 and reply.error["type"] == "PermissionDeniedError" and "/v1/chat/completions" in reply.error["message"]
    assert server.request("GET", "/v1/usage", headers=bearer("talker")).status == 200
    reply = ask(server, "benfan", model="ann")
    assert reply.status == 403 and reply.error["param"] == "model" and "ben" in reply.error["message"]
    assert ask(server, "benfan", model="ben").status == 200
    assert ask(server, "benfan").json["model"] == "ben", "without a name the first that the key may use"
    assert ask(server, "all").json["model"] == "ann"
    listed = server.request("GET", "/v1/models", headers=bearer("benfan")).json["data"]
    assert [m["id"] for m in listed] == ["ben"]
    assert server.post("/v1/omni/sleep", {"stage_ids": [0]}, bearer("benfan")).status == 403
    with pytest.raises(openai.PermissionDeniedError):
        openai.OpenAI(base_url=server.base_url + "/v1", api_key="secret-of-talker", max_retries=0).models.list()
    message = server.post("/v1/messages", {"model": "ann", "max_tokens": 2, "messages": [{"role": "user", "content": "Hi."}]}, bearer("benfan"))
    assert message.status == 403 and message.json["error"]["type"] == "permission_error"


# MARK: - Limits


def test_requests_a_minute(keyed):
    server = keyed(entry("few", requests_per_minute=2), entry("free"))
    first = ask(server, "few")
    assert first.status == 200 and first.headers["x-ratelimit-limit-requests"] == "2" and first.headers["x-ratelimit-remaining-requests"] == "1"
    assert re.fullmatch(r"(\d+m)?[\d.]+m?s", first.headers["x-ratelimit-reset-requests"])
    assert first.headers["x-ratelimit-limit-tokens"] is None
    assert ask(server, "few").status == 200
    late = ask(server, "few")
    assert late.status == 429 and late.error["type"] == "RateLimitError" and "2 requests a minute" in late.error["message"]
    assert 1 <= int(late.headers["Retry-After"]) <= 30 and late.headers["x-ratelimit-remaining-requests"] == "0"
    # Reading is free, and so are others.
    assert server.request("GET", "/v1/models", headers=bearer("few")).status == 200
    assert ask(server, "free").status == 200
    assert usage(server, "few") == {"few": usage(server, "few")["few"]}, "a key sees itself only"
    assert usage(server, "few")["few"]["requests"] == 2 and usage(server, "few")["few"]["refused"] == 1
    assert server.metric("omni:key_requests_total", key="few") == 2
    assert server.metric("omni:key_requests_refused_total", key="few", limit="requests") == 1
    client = openai.OpenAI(base_url=server.base_url + "/v1", api_key="secret-of-few", max_retries=0)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=server.request("GET", "/v1/models", headers=bearer("free")).json["data"][0]["id"], **chat_body())


@pytest.mark.parametrize("path, body", [
    ("/v1/chat/completions", chat_body(**SHORT)), ("/v1/completions", {"prompt": "Once upon a time there was", **SHORT}),
    ("/v1/responses", {"input": "Say hi.", "max_output_tokens": 4}),
    ("/v1/messages", {"max_tokens": 4, "messages": [{"role": "user", "content": "Say hi."}]}),
])
@pytest.mark.parametrize("stream", [False, True])
def test_tokens_a_minute_on_every_route(keyed, path, body, stream):
    server = keyed(entry("thrifty", tokens_per_minute=5), entry("free"))
    model = server.request("GET", "/v1/models", headers=bearer("free")).json["data"][0]["id"]
    reply = server.post(path, body | {"model": model, "stream": stream}, bearer("thrifty"))
    assert reply.status == 200 and reply.headers["x-ratelimit-limit-tokens"] == "5"
    if stream:
        events = [json.loads(line[6:]) for line in reply.body.decode().splitlines() if line.startswith("data: {")]
        assert events and not any(e.get("choices") == [] for e in events), "the usage that nobody asked for is not sent"
    spent = usage(server, "thrifty")["thrifty"]
    assert spent["total_tokens"] > 5 and spent["prompt_tokens"] + spent["completion_tokens"] == spent["total_tokens"]
    late = server.post(path, body | {"model": model, "stream": stream}, bearer("thrifty"))
    assert late.status == 429 and int(late.headers["Retry-After"]) >= 1 and late.headers["x-ratelimit-remaining-tokens"] == "0"
    assert server.metric("omni:key_tokens_total", key="thrifty") == spent["total_tokens"]


def test_a_stream_costs_what_the_whole_answer_does(keyed):
    server = keyed(entry("whole"), entry("stream"), entry("asking"))
    told = ask(server, "whole").json["usage"]["total_tokens"]
    ask(server, "stream", stream=True)
    events = ask(server, "asking", stream=True, stream_options={"include_usage": True}).body.decode()
    assert '"choices":[]' in events.replace(" ", "")
    for name in ("whole", "stream", "asking"):
        assert usage(server, name)[name]["total_tokens"] == told


def test_a_stream_that_is_left_costs_what_came(keyed):
    server = keyed(entry("fickle"))
    connection = server.connection()
    connection.request("POST", "/v1/chat/completions", json.dumps(chat_body(stream=True, **ENDLESS)), {"Content-Type": "application/json"} | bearer("fickle"))
    reply = connection.getresponse()
    pieces = 0
    while pieces < 5:
        line = reply.readline()
        pieces += line.startswith(b"data: {") and bool(delta_text(json.loads(line[6:])))
    reply.close()
    connection.close()
    wait_until(lambda: usage(server, "fickle")["fickle"]["running"] == 0, "the request to end")
    wait_until(lambda: usage(server, "fickle")["fickle"]["total_tokens"] >= 5, "the pieces to be charged")


def test_requests_at_once_and_none_starves_another(keyed):
    server = keyed(entry("greedy", concurrent_requests=2), entry("calm"))
    held = []
    for _ in range(2):
        connection = server.connection()
        connection.request("POST", "/v1/chat/completions", json.dumps(chat_body(stream=True, **ENDLESS)), {"Content-Type": "application/json"} | bearer("greedy"))
        held.append((connection, connection.getresponse()))
        assert held[-1][1].status == 200
    late = ask(server, "greedy")
    assert late.status == 429 and late.headers["Retry-After"] == "1" and "2 requests at once" in late.error["message"]
    assert server.metric("omni:key_requests_running", key="greedy") == 2
    assert ask(server, "calm").status == 200
    for connection, reply in held:
        reply.close()
        connection.close()
    wait_until(lambda: ask(server, "greedy", max_tokens=1).status == 200, "the places to come back")


def test_two_hundred_clients_with_four_keys(keyed):
    """Every answer is right, or a 429 that tells when to come back."""
    server = keyed(
        entry("free"), entry("narrow", concurrent_requests=8), entry("few", requests_per_minute=10),
        entry("thrifty", tokens_per_minute=60, concurrent_requests=4))
    names = ("free", "narrow", "few", "thrifty")
    seen, lock, begin = collections.Counter(), threading.Lock(), time.monotonic()
    tokens = collections.Counter()

    def client(number):
        name = names[number % 4]
        while True:
            reply = ask(server, name, f"Say {number}.", stream=number % 8 < 4)
            with lock:
                seen[name, reply.status] += 1
            if reply.status == 429:
                wait = int(reply.headers["Retry-After"])
                assert 1 <= wait <= 60 * 60 and f"Try again in {wait} s" in reply.error["message"]
                # Those over a limit of a minute are not waited for.
                if name == "narrow":
                    time.sleep(wait)  # as the server says
                    continue
                return
            assert reply.status == 200, reply
            if reply.headers["Content-Type"].startswith("text/event-stream"):
                events = [line[6:] for line in reply.body.decode().splitlines() if line.startswith("data: ")]
                assert events[-1] == "[DONE]" and json.loads(events[-2])["choices"][0]["finish_reason"] == "length"
            else:
                assert reply.json["usage"]["completion_tokens"] == 4 and reply.json["choices"][0]["message"]["content"]
                with lock:
                    tokens[name] += reply.json["usage"]["total_tokens"]
            return

    with ThreadPoolExecutor(200) as pool:
        list(pool.map(client, range(200)))
    minutes = (time.monotonic() - begin) / 60
    print(dict(seen), f"{minutes * 60:.1f} s")
    assert seen["free", 200] == 50 and seen["free", 429] == 0
    assert seen["narrow", 200] == 50, "whoever comes back when it is told to is served"
    assert 10 <= seen["few", 200] <= 10 + 10 * minutes + 1 and seen["few", 200] + seen["few", 429] == 50
    assert 1 <= seen["thrifty", 200] <= 49 and seen["thrifty", 200] + seen["thrifty", 429] == 50
    for name in names:
        row = usage(server, name)[name]
        assert (row["requests"], row["refused"], row["running"]) == (seen[name, 200], seen[name, 429], 0)
        assert row["completion_tokens"] == 4 * seen[name, 200] and row["total_tokens"] >= tokens[name]


# MARK: - WebSockets


def test_sockets_count(keyed):
    server = keyed(entry("one", concurrent_requests=1, tokens_per_minute=5), entry("none", routes=["/v1/models"]))

    async def test():
        async with talk(server, key="secret-of-one") as session:
            assert usage(server, "one")["one"]["running"] == 1
            assert ask(server, "one").status == 429
            with pytest.raises(Exception, match="429"):
                async with talk(server, key="secret-of-one"):
                    pass
            await session.update(output_modalities=["text"])
            await session.write("Say hi.")
            assert (await session.respond(max_output_tokens=4)).status in ("completed", "incomplete")
            spent = usage(server, "one")["one"]["total_tokens"]
            assert spent > 5
            await session.write("Say more.")
            assert (await session.respond(max_output_tokens=4)).status == "failed", "a key in debt gets no further answer"
            assert usage(server, "one")["one"]["total_tokens"] == spent

    asyncio.run(asyncio.wait_for(test(), LIMIT))
    wait_until(lambda: usage(server, "one")["one"]["running"] == 0, "the socket to end")

    async def refused():
        async with talk(server, key="secret-of-none"):
            pass

    with pytest.raises(Exception, match="403"):
        asyncio.run(refused())


def test_a_key_for_one_client_is_paid_for_by_its_maker(keyed):
    server = keyed(entry("maker", concurrent_requests=1))
    secret = server.post("/v1/realtime/client_secrets", {"session": {"type": "realtime"}}, bearer("maker")).json["value"]

    async def test():
        async with talk(server, key=secret):
            assert usage(server, "maker")["maker"]["running"] == 1

    asyncio.run(asyncio.wait_for(test(), LIMIT))
    write(server.keys_path, entry("other"))
    wait_until(lambda: server.request("GET", "/v1/models", headers=bearer("other")).status == 200, "the file to be read again")
    with pytest.raises(Exception, match="401"):
        asyncio.run(test())


# MARK: - The file


def test_the_file_is_read_again(keyed):
    server = keyed(entry("ann"), entry("ben"))
    assert ask(server, "ben").status == 200
    write(server.keys_path, entry("ann"), entry("cid", requests_per_minute=1))
    wait_until(lambda: server.request("GET", "/v1/models", headers=bearer("cid")).status == 200, "the file to be read again")
    assert server.request("GET", "/v1/models", headers=bearer("ben")).status == 401
    server.keys_path.write_text("keys:\n  - name: dan\n    kee: x\n")
    wait_until(lambda: "keys stay as they were" in server.log, "the fault to be told")
    assert re.search(r"keys\.yaml:3.*did you mean key", server.log), server.log[-800:]
    assert server.request("GET", "/v1/models", headers=bearer("cid")).status == 200
    os.remove(server.keys_path)
    wait_until(lambda: "cannot be read" in server.log, "the missing file to be told of")
    assert server.request("GET", "/v1/models", headers=bearer("ann")).status == 200
    write(server.keys_path)
    wait_until(lambda: server.request("GET", "/v1/models", headers=bearer("ann")).status == 401, "no keys to open nothing")


@pytest.mark.parametrize("text, says", [
    ("keys:\n  - name: a\n    key: sha256:1\n", "keys.yaml:3: "), ("keys: [", "keys.yaml:2: is not YAML"), (None, "cannot be read"),
    ("- {name: a, key: x}\n- {name: b, key: x}\n", "are the same key"),
])
def test_a_wrong_file_ends_the_start(start, tmp_path, text, says):
    path = tmp_path / "keys.yaml"
    if text is not None:
        path.write_text(text)
    server = start("--api-keys-file", path, ready=False)
    assert server.process.wait(LIMIT) != 0 and says in server.log, server.log


def test_a_file_that_all_can_read_is_warned_of(start, tmp_path):
    path = write(tmp_path / "keys.yaml", entry("ann"))
    path.chmod(0o644)
    assert "chmod 600" in start("--api-keys-file", path).log


def test_the_configuration_has_keys_too(start, tmp_path):
    path = tmp_path / "omni.yaml"
    path.write_text("api-keys:\n  - {name: ann, key: secret-of-ann, requests-per-minute: 1}\n")
    path.chmod(0o600)
    server = start("--config", path)
    assert [ask(server, "ann").status for _ in range(2)] == [200, 429] and server.get("/v1/models").status == 401


def test_plain_keys_see_everybody_and_have_no_limits(start, tmp_path):
    server = start("--api-key", "plain-1", "--api-keys-file", write(tmp_path / "keys.yaml", entry("ann")))
    assert ask(server, "ann").status == 200
    reply = ask(server, "plain-1")
    assert reply.status == 200 and not [h for h in reply.headers if h.startswith("x-ratelimit")]
    rows = usage(server, "plain-1")
    assert set(rows) == {"ann", "api-key-1"} and rows["ann"]["total_tokens"] == rows["api-key-1"]["total_tokens"] > 0


# MARK: - Pages and names


def test_a_page_of_another_origin_cannot_spend_the_machine(server):
    form = b"--x\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na fox\r\n--x--\r\n"
    for origin in ("https://evil.example", "null"):
        # What a page can send unasked: no preflight goes before it.
        reply = server.request("POST", "/v1/images/edits", form, {"Origin": origin, "Content-Type": "multipart/form-data; boundary=x"})
        assert reply.status == 403 and "--allowed-origins" in reply.error["message"] and reply.headers["Access-Control-Allow-Origin"] is None
    own = server.request("POST", "/v1/chat/completions", chat_body(**SHORT), {"Origin": server.base_url})
    assert own.status == 200
    import websockets

    async def opened(origin):
        with contextlib.suppress(websockets.exceptions.InvalidStatus):
            async with websockets.connect(server.base_url.replace("http", "ws") + "/v1/realtime", origin=origin):
                return True
        return False

    assert not asyncio.run(opened("https://evil.example")) and asyncio.run(opened("http://localhost:5173"))


def test_a_name_that_came_to_point_here_is_refused(server, shared):
    for host in ("rebound.example", f"rebound.example:{server.port}"):
        reply = server.get("/v1/models", Host=host)
        assert reply.status == 403 and "--allowed-hosts" in reply.error["message"]
    for host in ("localhost", f"localhost:{server.port}", "127.0.0.1", "[::1]:80"):
        assert server.get("/v1/models", Host=host).status == 200
    named = shared("--allowed-hosts", "omni.example")
    assert named.get("/v1/models", Host="omni.example").status == 200 and named.get("/v1/models", Host="x.example").status == 403
    assert shared(*KEYS).get("/v1/models", Host="omni.example", Authorization="Bearer sekret").status == 200
