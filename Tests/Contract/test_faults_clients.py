"""Clients that leave, crowd, dawdle, or break the rules of HTTP."""
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import ENDLESS, LIMIT, Stream, chat_body, text_of, wait_until

LONG = "Read this and say what it is about: " + " ".join(f"item {i} costs {i * 7} coins," for i in range(200))


def raw_post(path, body, *headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def read_reply(raw):
    """One reply with a Content-Length or chunks from a bare connection: status, headers, body."""
    file = raw if hasattr(raw, "readline") else raw.makefile("rb")
    status = int(file.readline().split()[1])
    headers = {}
    while (line := file.readline().strip()):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while (size := int(file.readline(), 16)):
            body += file.read(size)
            file.readline()
        file.readline()
    else:
        body = file.read(int(headers.get("content-length", 0)))
    return status, headers, body


# Clients that leave.

@pytest.fixture
def neighbour(server):
    """Somebody else's stream, which must not notice: it says its whole say, and nothing but its own."""
    token = server.post("/tokenize", {"prompt": " mine", "add_special_tokens": False}).json["tokens"][0]
    stream = server.stream("Whose is it?", max_tokens=60, ignore_eos=True, temperature=0, logit_bias={str(token): 100})
    head = stream.tokens(1)
    yield stream
    events = stream.rest()
    assert events[-1] == "[DONE]" and events[-2]["choices"][0]["finish_reason"] == "length"
    assert (head + text_of(events)).split() == ["mine"] * 60
    server.wait_idle()


def test_gone_in_decode(server, neighbour):
    stream = server.stream(**ENDLESS)
    stream.tokens(3)
    server.wait_running(2)
    stream.close()
    wait_until(lambda: server.metric("vllm:num_requests_running") <= 1, "the gone client's answer to stop")


def test_gone_in_prefill(server, neighbour):
    raw = server.connect()
    raw.sendall(raw_post("/v1/chat/completions", chat_body(LONG, stream=True, max_tokens=500, ignore_eos=True)))
    server.wait_running(2)
    raw.close()
    wait_until(lambda: server.metric("vllm:num_requests_running") <= 1, "the gone client's prefill to stop")


def test_gone_without_streaming(server, neighbour):
    raw = server.connect()
    raw.sendall(raw_post("/v1/chat/completions", chat_body(**ENDLESS)))
    server.wait_running(2)
    raw.close()
    wait_until(lambda: server.metric("vllm:num_requests_running") <= 1, "the gone client's answer to stop")


def test_gone_by_reset(server, neighbour):
    raw = server.connect()
    raw.sendall(raw_post("/v1/chat/completions", chat_body(stream=True, **ENDLESS)))
    server.wait_running(2)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # RST, not FIN
    raw.close()
    wait_until(lambda: server.metric("vllm:num_requests_running") <= 1, "the gone client's answer to stop")


def test_gone_from_completions_and_batch(server):
    for path, body in (("/v1/completions", {"prompt": ["Once", "Twice"], **ENDLESS}),
                       ("/v1/completions", {"prompt": "Once", "stream": True, **ENDLESS}),
                       ("/v1/chat/completions", chat_body(n=3, **ENDLESS)),
                       ("/v1/chat/completions/batch", {"messages": [chat_body()["messages"]] * 2, **ENDLESS})):
        raw = server.connect()
        raw.sendall(raw_post(path, body))
        server.wait_running(1)
        raw.close()
        server.wait_idle()


def test_gone_in_the_middle_of_the_upload(server):
    for _ in range(5):
        raw = server.connect()
        raw.sendall(raw_post("/v1/chat/completions", chat_body("x" * 5000))[:3000])
        raw.close()
    assert server.chat(max_tokens=1).status == 200


def test_gone_from_the_queue(start):
    server = start("--max-num-seqs", "1")
    first = server.stream(**ENDLESS)
    first.tokens(1)
    waiting = []
    for _ in range(3):
        raw = server.connect()
        raw.sendall(raw_post("/v1/chat/completions", chat_body(**ENDLESS)))
        waiting.append(raw)
    wait_until(lambda: server.metric("vllm:num_requests_waiting") == 3, "three to wait")
    for raw in waiting[:2]:
        raw.close()
    wait_until(lambda: server.metric("vllm:num_requests_waiting") == 1, "the gone ones to leave the queue")
    first.tokens(2)  # untouched
    waiting[2].close()
    first.close()
    server.wait_idle()


def test_cancel_latency_is_published(server):
    stream = server.stream(**ENDLESS)
    stream.tokens(1)
    before = server.metric("omni:cancel_latency_seconds_count") or 0
    stream.close()
    server.wait_idle()
    wait_until(lambda: server.metric("omni:cancel_latency_seconds_count") == before + 1, "the cancellation to be timed")


def test_many_come_and_go(server):
    """A hundred streams cut at different places leave nothing behind."""
    def visit(number):
        stream = server.stream(f"Visitor {number}.", **ENDLESS)
        if stream.status == 200:
            for _ in range(number % 4):
                stream.next()
        stream.close()
        return stream.status

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(visit, range(100))) <= {200, 503}
    server.wait_idle()
    assert server.get("/load").json == {"server_load": 0}
    assert server.chat(max_tokens=2).status == 200


# Crowds.

def test_two_hundred_at_once(start):
    """Each gets an answer, or 503 with Retry-After; none hangs, and the server is well afterwards."""
    server = start("--max-queue", "32", "--max-num-seqs", "4")
    gate = threading.Barrier(200)

    def ask(number):
        gate.wait()
        return server.chat(f"Number {number}?", max_tokens=4, ignore_eos=True)

    with ThreadPoolExecutor(200) as pool:
        replies = list(pool.map(ask, range(200)))
    statuses = [r.status for r in replies]
    assert set(statuses) == {200, 503}, {s: statuses.count(s) for s in set(statuses)}
    assert statuses.count(200) >= 36, "a full queue and its places must all be answered"
    for reply in replies:
        if reply.status == 200:
            assert reply.json["usage"]["completion_tokens"] == 4
        else:
            assert int(reply.headers["Retry-After"]) >= 1 and reply.error["type"] == "ServiceUnavailableError"
    server.wait_idle()
    assert server.chat(max_tokens=1).status == 200


def test_a_stream_refused_for_a_full_queue_is_a_503_not_a_stream(start):
    server = start("--max-queue", "1", "--max-num-seqs", "1")
    first = server.stream(**ENDLESS)
    first.tokens(1)
    second = server.connect()
    second.sendall(raw_post("/v1/chat/completions", chat_body(**ENDLESS)))
    wait_until(lambda: server.metric("vllm:num_requests_waiting") == 1, "one to wait")
    third = server.post("/v1/chat/completions", chat_body(stream=True, **ENDLESS))
    assert third.status == 503 and third.headers["Retry-After"] and third.error
    assert server.health().status == 200, "a full queue is not ill health"
    second.close()
    first.close()
    server.wait_idle()


def test_conversations_at_once_do_not_mix(server):
    """At temperature 0 each begins as it does alone, with its own number. Further on sums over another batch may round
    another way and turn a near-tie, as in every batching server; one conversation's words in another are no rounding."""
    prompts = [f"Tell me about the number {n}." for n in range(6)]

    def ask(prompt):
        return server.chat(prompt, max_tokens=16, temperature=0).json["choices"][0]["message"]["content"]

    alone = [ask(p) for p in prompts]
    assert [ask(p) for p in prompts] == alone, "in sequence they repeat exactly"
    for _ in range(2):
        with ThreadPoolExecutor(6) as pool:
            together = list(pool.map(ask, prompts))
        assert [t.split()[:4] for t in together] == [a.split()[:4] for a in alone]


def test_a_long_prompt_does_not_hold_others_up(server):
    """Chunked prefill: while a long prompt is read, a running stream goes on."""
    stream = server.stream("Count.", **ENDLESS)
    stream.tokens(2)
    raw = server.connect()
    raw.sendall(raw_post("/v1/chat/completions", chat_body(LONG, max_tokens=1)))
    server.wait_running(2)
    stream.tokens(2)  # must come before the long one is done
    raw.setblocking(False)
    with pytest.raises(BlockingIOError):
        raw.recv(1)
    raw.close()
    stream.close()
    server.wait_idle()


def test_a_client_that_reads_slowly_slows_nobody_else(server):
    """It stops reading with a full window; others are served, and it gets every byte once it reads on."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.settimeout(LIMIT)
    slow.connect(("127.0.0.1", server.port))
    body = chat_body("Go on.", stream=True, max_tokens=120, ignore_eos=True, temperature=0)
    slow.sendall(raw_post("/v1/chat/completions", body))
    assert server.chat(max_tokens=3).status == 200
    wait_until(lambda: server.metric("vllm:num_requests_running") == 0, "the answer to be computed though nobody reads")
    status, _, data = read_reply(slow)
    assert status == 200 and data.endswith(b"data: [DONE]\n\n")
    events = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: {")]
    assert events[-1]["choices"][0]["finish_reason"] == "length"
    slow.close()


# The rules of HTTP.

def test_pipelined_requests_are_answered_in_order(server):
    raw = server.connect()
    raw.sendall(b"".join([
        raw_post("/v1/chat/completions", chat_body(max_tokens=2), "X-Request-Id: p1"), b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: p2\r\n\r\n",
        raw_post("/v1/chat/completions", {}, "X-Request-Id: p3"), raw_post("/v1/chat/completions", chat_body(max_tokens=2, stream=True), "X-Request-Id: p4")]))
    file = raw.makefile("rb")
    replies = [read_reply(file) for _ in range(4)]
    assert [(status, headers["x-request-id"]) for status, headers, _ in replies] == [(200, "p1"), (200, "p2"), (400, "p3"), (200, "p4")]
    raw.close()


def test_a_connection_is_used_again_after_streams_and_errors(server):
    connection = server.connection()
    for number in range(12):
        body = [chat_body(max_tokens=2, stream=True), chat_body(max_tokens=1), {}, {"messages": 5}][number % 4]
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        data = reply.read()
        assert reply.status == (200 if number % 4 < 2 else 400)
        assert not (number % 4 == 0) or data.endswith(b"data: [DONE]\n\n")
    connection.close()


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/v1/chat/completions", "/nowhere"])
def test_head_sends_no_body(server, path):
    """A body after HEAD would be read as the next reply."""
    raw = server.connect()
    raw.sendall(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    data = raw.makefile("rb").read()
    head, _, rest = data.partition(b"\r\n\r\n")
    assert rest.startswith(b"HTTP/1.1 200"), data


def test_a_body_over_the_limit_is_refused_before_it_is_sent(start):
    server = start("--max-body-size", "1000000")
    raw = server.connect()
    raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n{")
    status, headers, body = read_reply(raw)
    assert status == 413 and b"--max-body-size" in body and b"1000000" in body
    raw.close()
    # Without a declared length: refused where the limit is passed, not at the end.
    raw = server.connect()
    raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n" % 200_000 + b"x" * 200_000 + b"\r\n"
    for _ in range(6):
        raw.sendall(chunk)
    assert read_reply(raw)[0] == 413
    raw.close()
    # The official client, which sends all of it before it reads.
    import openai

    client = openai.OpenAI(base_url=server.base_url + "/v1", api_key="x", max_retries=0)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x" * 30_000_000}])
    assert caught.value.status_code == 413
    assert server.chat(max_tokens=1).status == 200


def test_expect_continue(server):
    body = json.dumps(chat_body(max_tokens=1)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    raw = server.connect()
    raw.sendall(head.encode())
    file = raw.makefile("rb")
    assert b" 100 " in file.readline() and file.readline() == b"\r\n"
    raw.sendall(body)
    assert read_reply(file)[0] == 200
    raw.close()


def test_expect_continue_is_not_given_to_a_body_that_will_be_refused(start):
    server = start("--max-body-size", "1000", "--api-key", "sekret")
    for extra, expected in (("Authorization: Bearer sekret\r\nContent-Length: 5000", 413), ("Content-Length: 10", 401)):
        raw = server.connect()
        raw.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{extra}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert read_reply(raw)[0] == expected
        raw.close()


@pytest.mark.parametrize("junk", [
    b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"POST /v1/completions HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"\0" * 1000, b"GET /%zz%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
])
def test_what_is_no_http_hurts_nobody(server, junk):
    raw = server.connect()
    raw.sendall(junk)
    raw.shutdown(socket.SHUT_WR)
    data = b""
    try:
        while (piece := raw.recv(65536)):
            data += piece
    except ConnectionResetError:
        pass
    raw.close()
    assert b" 500 " not in data.split(b"\r\n")[0]
    assert not data or data.startswith(b"HTTP/1.1 4"), data[:200]
    assert server.health().status == 200


def test_half_a_request_holds_nothing_up(server):
    held = []
    for _ in range(50):
        raw = server.connect()
        raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        held.append(raw)
    assert server.chat(max_tokens=1).status == 200
    for raw in held:
        raw.close()
