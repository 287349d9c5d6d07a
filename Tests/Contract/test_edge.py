"""The network's edge: connections that send no HTTP, too much, too little or nothing; HTTP's older and rarer forms."""
import gzip
import json
import os
import socket
import threading
import time
import zlib

import pytest

from edge import exchange, post, refusal, replies
from harness import ENDLESS, LIMIT, chat_body, wait_until

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A server that waits for nobody."""
    from harness import Server

    times = ["--timeout-first-byte", "--timeout-request-head", "--timeout-request-body", "--timeout-keep-alive"]
    with Server(tmp_path_factory.mktemp("hasty"), *[word for name in times for word in (name, "0.4")]) as server:
        yield server


# MARK: - What is no HTTP


@pytest.mark.parametrize("junk, says", [
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), "TLS"),
    (b"hello there\r\n", "method"), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""), (b"GET / HTTP/9.9\r\n\r\n", "version"), (b"\0" * 1000, "method"),
    (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", ""), (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", ""), (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "Content-Length"),
    (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""),
    (b"GET /\x01 HTTP/1.1\r\n\r\n", ""),
])
def test_what_is_no_http_is_told_so(server, junk, says):
    error = refusal(exchange(server, junk))
    assert error["code"] == 400 and error["type"] == "Bad Request" and "HTTP/1.1" in error["message"] and says in error["message"], error


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(100)) + b"\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(300)) + b"\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 300_000,
])
def test_a_head_that_is_too_large_is_told_so(server, head):
    error = refusal(exchange(server, head))
    assert error["code"] == 431 and "--h11-max-incomplete-event-size" in error["message"]


def test_a_large_head_within_the_limit_is_served(server):
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: " + b"a" * 60_000 + b"\r\n\r\n"
    assert [r[1] for r in replies(exchange(server, head))] == [200]


def test_a_broken_request_after_good_ones_is_refused_in_its_turn(server):
    """The good ones are answered first, a stream among them."""
    good = post("/v1/chat/completions", chat_body(max_tokens=3, stream=True))
    found = replies(exchange(server, GET + good + b"garbage\r\n\r\n"))
    assert [r[1] for r in found] == [200, 200, 400] and found[1][3].endswith(b"data: [DONE]\n\n")


def test_a_body_that_breaks_is_refused_in_place_of_its_answer(server):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert refusal(exchange(server, head + b"3\r\n{\"m\r\nzz\r\n"))["code"] == 400
    server.wait_idle()


# MARK: - What does not come


@pytest.mark.parametrize("part", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: localhost\r\n", GET[:-2]])
def test_a_request_that_does_not_come_is_408(hasty, part):
    error = refusal(exchange(hasty, part))
    assert error["code"] == 408 and ("--timeout-request-head" if part else "--timeout-first-byte") in error["message"]


@pytest.mark.parametrize("framing", [b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"])
def test_a_body_that_does_not_come_is_408(hasty, framing):
    error = refusal(exchange(hasty, b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + framing))
    assert error["code"] == 408 and "--timeout-request-body" in error["message"]
    hasty.wait_idle()


def test_a_body_that_only_drips_is_408(hasty):
    """Bytes that come all the time, and never enough of them; chunk extensions are none."""
    raw = hasty.connect()
    raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    raw.setblocking(False)
    data, sent = b"", 0

    def refused():
        nonlocal data, sent
        try:
            raw.send(b"1;x=" + b"y" * 200 + b"\r\n{\r\n")
            sent += 1
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        try:
            data += raw.recv(65536)
        except BlockingIOError:
            return False
        return True
    wait_until(refused, "the dripping body to be refused")
    assert b" 408 " in data.split(b"\r\n")[0] and sent > 1


def test_an_idle_connection_is_closed_without_a_word(hasty):
    found = replies(exchange(hasty, GET + GET))
    assert [r[1] for r in found] == [200, 200]


def test_no_limit_runs_while_the_server_answers(hasty):
    """A stream that takes many times longer than every limit, and a client that waits for its first byte of an answer."""
    def lasts(tokens):
        begin = time.monotonic()
        events = hasty.stream(max_tokens=tokens, ignore_eos=True).rest()
        assert events[-1] == "[DONE]"
        return time.monotonic() - begin > 1.6
    # As many tokens as take four times the limits on this machine.
    tokens = next(tokens for tokens in (50 << n for n in range(8)) if lasts(tokens))
    reply = hasty.chat(max_tokens=tokens, ignore_eos=True)
    assert reply.status == 200 and reply.json["usage"]["completion_tokens"] == tokens


def test_a_slow_and_honest_upload_is_taken(hasty):
    """Slower than every limit in all, but never silent for long."""
    body = json.dumps(chat_body("Say hi.", max_tokens=1, user="x" * 30_000)).encode()
    raw = hasty.connect()
    raw.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    begin = time.monotonic()
    for place in range(0, len(body), 2000):
        raw.sendall(body[place:place + 2000])
        threading.Event().wait(0.06)  # the pace of the upload is what is tested
    assert time.monotonic() - begin > 0.6
    data = raw.makefile("rb").read()
    assert data.startswith(b"HTTP/1.1 200"), data[:300]


def test_a_client_that_takes_nothing_is_left(start):
    """A stream into a window that stays shut ends, and so does its work."""
    server = start("--timeout-response-write", "1")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.settimeout(LIMIT)
    slow.connect(("127.0.0.1", server.port))
    # Each token of each answer brings twenty alternatives: megabytes fill the buffers on the way.
    slow.sendall(post("/v1/chat/completions", chat_body("Go on.", stream=True, n=8, logprobs=True, top_logprobs=20, **ENDLESS)))
    server.wait_running(1)
    server.wait_idle()
    slow.close()


def test_sigterm_does_not_wait_for_silent_connections(start):
    server = start("--drain-timeout", "120")
    silent = [server.connect() for _ in range(3)]
    silent[1].sendall(b"GET / HT")
    silent[2].sendall(GET)
    assert silent[2].recv(4096).startswith(b"HTTP/1.1 200")
    begin = time.monotonic()
    assert server.stop() == 0 and time.monotonic() - begin < 40


# MARK: - HTTP's older and rarer forms


@pytest.mark.parametrize("request_line", ["/v1/models", "/metrics", "/"])
def test_http_1_0_gets_no_chunks_and_a_closed_connection(server, request_line):
    (version, status, headers, body), = replies(exchange(server, f"GET {request_line} HTTP/1.0\r\n\r\n".encode()))
    assert version == "HTTP/1.0" and status == 200 and "transfer-encoding" not in headers and headers["connection"] == "close" and body


def test_http_1_0_streams_until_the_end(server):
    sent = post("/v1/chat/completions", chat_body(max_tokens=3, stream=True), "Connection: keep-alive", version="1.0")
    (version, status, headers, body), = replies(exchange(server, sent))
    assert status == 200 and "transfer-encoding" not in headers and body.startswith(b"data: {") and body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("path", ["/health", "/health/live", "/v1/models", "/metrics", "/version", "/openapi.json", "/", "/tokenizer_info", "/v1/audio/models"])
def test_head_is_answered_wherever_get_is(server, path):
    head, get = server.request("HEAD", path), server.get(path)
    assert head.status == get.status == 200 and head.body == b"" and head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.headers["Content-Length"] is None or path == "/metrics" or int(head.headers["Content-Length"]) == len(get.body)


def test_options_without_an_origin(server):
    for path, methods in (("/v1/models", {"GET", "HEAD", "OPTIONS"}), ("/v1/chat/completions", {"POST", "OPTIONS"}), ("*", {"GET", "POST", "OPTIONS"})):
        reply = server.request("OPTIONS", path)
        assert reply.status == 204 and methods <= set(reply.headers["Allow"].split(", ")) and reply.body == b"", (path, reply)
    assert server.request("OPTIONS", "/nowhere").status == 404


def test_a_connection_serves_on_after_rare_requests(server):
    connection = server.connection()
    for method, path, status in [("HEAD", "/v1/models", 200), ("OPTIONS", "/v1/models", 204), ("PUT", "/v1/models", 405), ("HEAD", "/v1/chat/completions", 405), ("GET", "/health", 200)]:
        connection.request(method, path)
        reply = connection.getresponse()
        assert reply.status == status and (method != "HEAD" or reply.read() == b""), (method, path)
        reply.read()
    connection.close()


@pytest.mark.parametrize("fields", ["Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", "Connection: Upgrade\r\nUpgrade: TLS/1.0"])
def test_an_offer_to_speak_another_protocol_is_passed_over(server, fields):
    """Java's HttpClient offers HTTP/2 with its first request."""
    data = json.dumps(chat_body(max_tokens=1)).encode()
    sent = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{fields}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
    (_, status, headers, body), = replies(exchange(server, sent))
    assert status == 200 and json.loads(body)["choices"] and headers["connection"] == "close"


SOCKET = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"


@pytest.mark.parametrize("path, fields, status", [
    ("/nowhere", SOCKET, 404), ("/v1/realtime/nowhere?model=x", SOCKET, 404), ("/v1/models", SOCKET, 200), ("/v1/audio/speech/stream", "Accept: */*", 426),
    ("/v1/audio/speech/stream", SOCKET.replace("13", "8"), 426), ("/v1/audio/speech/stream", SOCKET + "\r\nContent-Length: 5", 426),
])
def test_an_upgrade_that_is_not_to_be_had_gets_a_status(server, path, fields, status):
    (_, got, headers, body), = replies(exchange(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\nhello".encode(), half_close=True)[:100_000])[:1]
    assert got == status and (status < 400 or json.loads(body)["error"]["code"] == status)
    assert status != 426 or (headers["upgrade"] == "websocket" and headers["sec-websocket-version"] == "13")


def test_a_lone_upgrade_on_an_unknown_path_is_not_a_closed_line(server):
    """A client that waits for the answer before it sends more."""
    raw = server.connect()
    raw.sendall(f"GET /v1/nowhere HTTP/1.1\r\nHost: localhost\r\n{SOCKET}\r\n\r\n".encode())
    assert raw.recv(65536).startswith(b"HTTP/1.1 404 ")
    raw.close()


# MARK: - Bodies as clients code them


CODINGS = {
    "gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress,
    "Deflate": lambda data: (lambda c: c.compress(data) + c.flush())(zlib.compressobj(wbits=-15)), "identity": lambda data: data,
}


@pytest.mark.parametrize("coding", CODINGS)
def test_coded_bodies_are_read(server, coding):
    body = CODINGS[coding](json.dumps(chat_body("Say hi.", max_tokens=2, user="x" * 100_000)).encode())
    reply = server.post("/v1/chat/completions", body, {"Content-Type": "application/json", "Content-Encoding": coding})
    assert reply.status == 200 and reply.json["usage"]["completion_tokens"] <= 2


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip"])
def test_other_codings_are_415_by_name(server, coding):
    reply = server.post("/v1/chat/completions", b"whatever", {"Content-Type": "application/json", "Content-Encoding": coding})
    assert reply.status == 415 and f"`{coding}`" in reply.error["message"] and "gzip" in reply.error["message"]


def test_damaged_and_cut_codings_are_400(server):
    whole = gzip.compress(json.dumps(chat_body(max_tokens=1)).encode())
    for body in (whole[:-5], b"{}", whole[:20] + b"\0\0\0" + whole[23:], whole + b"more"):
        reply = server.post("/v1/chat/completions", body, {"Content-Type": "application/json", "Content-Encoding": "gzip"})
        assert reply.status == 400 and "Content-Encoding" in reply.error["message"], body


def bomb(head):
    """A gigabyte in a megabyte, behind a beginning: the same block over and over, each of which stands by itself."""
    packer = zlib.compressobj(9, wbits=31)
    begin = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + 1024 * (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH))


@pytest.mark.parametrize("path, kind", [("/v1/chat/completions", "application/json"), ("/v1/videos", "multipart/form-data; boundary=B"), ("/v1/images/edits", "multipart/form-data; boundary=B")])
def test_a_zip_bomb_is_413_and_takes_no_memory(server, path, kind):
    head = b'--B\r\nContent-Disposition: form-data; name="input_reference"; filename="x"\r\n\r\n' if "multipart" in kind else b'{"messages":"'
    sent = bomb(head)
    assert len(sent) < 2_000_000
    before = memory(server)
    reply = server.post(path, sent, {"Content-Type": kind, "Content-Encoding": "gzip"})
    assert reply.status == 413 and "--max-body-size" in reply.error["message"], reply
    assert memory(server) - before < 200 << 20


def memory(server):
    """Bytes of memory that a server's gateway holds."""
    with open(f"/proc/{server.pid}/statm") as figures:
        return int(figures.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_byte_order_mark_is_passed_over(server):
    body = b"\xef\xbb\xbf" + json.dumps(chat_body(max_tokens=1)).encode()
    assert server.post("/v1/chat/completions", body, {"Content-Type": "application/json"}).status == 200


# MARK: - Null, and values that say nothing


NULLS = {
    "/v1/chat/completions": chat_body(max_tokens=1), "/v1/completions": {"prompt": "a", "max_tokens": 1}, "/tokenize": {"prompt": "a"}, "/detokenize": {"tokens": [1]},
}


@pytest.mark.parametrize("path", NULLS)
def test_null_is_a_field_that_is_not_given(server, path):
    """Every optional field of the document, one by one and all at once."""
    document = server.get("/openapi.json").json
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]

    def names(schema):
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        found = set(schema.get("properties", {})) - set(schema.get("required", []))
        return found.union(*(names(part) for part in schema.get("allOf", [])))

    optional = sorted(names(schema) - set(NULLS[path]))
    assert len(optional) > 20 or "tokenize" in path
    want = server.post(path, NULLS[path] | {"temperature": 0, "seed": 1} if "completions" in path else NULLS[path])
    for fields in [[name] for name in optional] + [optional]:
        reply = server.post(path, NULLS[path] | dict.fromkeys(fields))
        assert reply.status == 200 == want.status, (fields, reply)


def test_values_that_ask_for_nothing(client, model):
    """As the official client sends them when they are passed through from options."""
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Hi."}], max_tokens=1, logprobs=False, top_logprobs=0, stop=None, n=None, temperature=None, tools=None, seed=None,
        stream=False, user=None, presence_penalty=None, response_format=None)
    assert answer.choices[0].logprobs is None


@pytest.mark.parametrize("stream", [False, True])
def test_echo_without_an_answer_scores_the_prompt(client, model, stream):
    """lm-eval's way of asking how likely a text is."""
    text = "Roses are red, violets are blue"
    asked = dict(model=model, prompt=text, max_tokens=0, echo=True, logprobs=1)
    if stream:
        chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
        choices, usage = [c for chunk in chunks for c in chunk.choices], chunks[-1].usage
        said, finish, logprobs = "".join(c.text for c in choices), choices[-1].finish_reason, next(c.logprobs for c in choices if c.logprobs)
    else:
        answer = client.completions.create(**asked)
        said, finish, logprobs, usage = answer.choices[0].text, answer.choices[0].finish_reason, answer.choices[0].logprobs, answer.usage
    assert said == text and finish == "length" and usage.completion_tokens == 0
    assert len(logprobs.tokens) == usage.prompt_tokens and "".join(logprobs.tokens) == text
    assert all(p is None or p <= 0 for p in logprobs.token_logprobs)


def test_nothing_to_say_needs_an_echo(server):
    reply = server.post("/v1/completions", {"prompt": "a", "max_tokens": 0})
    assert reply.status == 400 and reply.error["param"] == "body.max_tokens" and "echo" in reply.error["message"]


# MARK: - Words and routes that clients look for


@pytest.mark.parametrize("path, body, param", [
    ("/v1/chat/completions", chat_body("word " * 9000), "body.messages"), ("/v1/completions", {"prompt": "word " * 9000}, "body.prompt"),
    ("/v1/completions", {"prompt": "word", "max_tokens": 100_000}, "body.prompt"), ("/v1/chat/completions", chat_body(max_tokens=100_000), "body.messages"),
])
def test_too_many_tokens_are_told_in_the_words_that_clients_know(server, path, body, param):
    limit = server.get("/v1/models").json["data"][0]["max_model_len"]
    reply = server.post(path, body)
    assert reply.status == 413 and reply.error["param"] == param
    assert reply.error["message"].startswith(f"This model's maximum context length is {limit} tokens."), reply.error


def test_tokenizer_info_is_what_lm_eval_reads(server):
    info = server.get("/tokenizer_info").json
    for name in ("bos_token", "eos_token", "pad_token"):
        # Its one token, as lm-eval's RemoteTokenizer takes for granted.
        assert len(server.post("/tokenize", {"prompt": info[name], "add_special_tokens": False}).json["tokens"]) == 1, name
    assert info["tokenizer_class"].startswith("GPT2") and "messages" in info["chat_template"] and info["vocab_size"] > 10_000
    assert server.get("/tokenizer_info?model=nobody").status == 404


def test_audio_models_without_a_voice_are_none(server):
    assert server.get("/v1/audio/models").json == {"models": []}


def test_tokenizing_needs_no_key(start):
    server = start("--api-key", "sekret")
    assert server.post("/tokenize", {"prompt": "a"}).status == 200 and server.get("/tokenizer_info").status == 200


def test_pictures_without_padding(server):
    """Base64 as browsers and JavaScript write it; a text model says that it takes no pictures, not that they are unreadable."""
    reply = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,YQ"}}]}]})
    assert reply.status == 400 and "image_url" in reply.error["message"]
