"""The network's edge under attack: seeded bytes that are nearly HTTP, nearly forms and nearly JSON. No crash, no hang, no connection
without an end, flat memory.

A thousand cases by default, a hundred thousand with OMNI_TEST_FULL=1; OMNI_FUZZ_CASES sets another number, OMNI_FUZZ_SEED another
first case. A case is made from its number alone: a failure names it.
"""
import asyncio
import json
import os
import random

import pytest

from harness import LIMIT, Server

CASES = int(os.environ.get("OMNI_FUZZ_CASES") or (100_000 if os.environ.get("OMNI_TEST_FULL") == "1" else 1_000))
SEED = int(os.environ.get("OMNI_FUZZ_SEED") or 0)
#: Connections at once.
WIDTH = 48

TEXT = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "max_tokens": 1, "temperature": 0, "stop": ["x"], "logit_bias": {"5": 1}}
JSONS = [
    ("/v1/chat/completions", TEXT), ("/v1/completions", {"prompt": ["a"], "max_tokens": 1, "echo": True}), ("/tokenize", {"prompt": "hi"}), ("/detokenize", {"tokens": [1]}),
    ("/v1/images/generations", {"prompt": "x", "size": "64x64"}), ("/v1/audio/speech", {"input": "x"}), ("/v1/videos", {"prompt": "x"}), ("/v1/embeddings", {"input": "x"}),
]
FORM = (
    b'--B\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na fox\r\n--B\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\nnot one\r\n--B\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1\r\n--B--\r\n")
PATHS = ["/health", "/v1/models", "/metrics", "/", "/v1/chat/completions", "/nowhere", "/v1/models/%2e%2e", "*", "http://x/health", "//health", "/health?a=%00", "/v1/audio/speech/stream"]
#: What HTTP's grammar turns on.
TOKENS = [
    b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b":", b",", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"GET ", b"HEAD ", b"POST ", b"CONNECT ", b"OPTIONS * ",
    b"Content-Length: 5\r\n", b"Content-Length: 99999999999999999999\r\n", b"content-length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: Upgrade\r\n", b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n", b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n",
    b"Host: localhost\r\nHost: y\r\n", b"Range: bytes=0-\r\n", b"Cookie: " + b"c" * 3000 + b"\r\n", b"X-Request-Id: a b\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"ffffffffffffffff\r\n", b"1;x=y\r\n.\r\n",
    b"\xff\xfe", b"\xef\xbb\xbf", b"\x16\x03\x01", b"--B", b"--B--", b"\x1f\x8b\x08\0", b"{", b"}", b"[", b'"', b"\\u0000", b"\\ud800", b"1e999", b"null", b"[" * 300, b'{"a":' * 200,
]


def spoil(rng, data, most=6):
    """One to `most` changes of bytes."""
    data = bytearray(data)
    for _ in range(rng.randint(1, most)):
        place = rng.randrange(len(data) + 1)
        how = rng.randrange(6)
        if how == 0 and place < len(data):
            data[place] = rng.randrange(256)
        elif how == 1:
            del data[place:place + rng.randint(1, 20)]
        elif how == 2:
            data[place:place] = rng.choice(TOKENS)
        elif how == 3:
            data[place:place + rng.randint(0, 8)] = rng.choice(TOKENS)
        elif how == 4:
            data[place:place] = data[place:place + rng.randint(1, 60)]
        else:
            data = data[:max(1, place)]
    return bytes(data)


def framed(rng, method, path, kind, body):
    """A request with the body in one of HTTP's two framings."""
    lines = [f"{method} {path} HTTP/1.{rng.choice('1110')}", "Host: localhost", f"Content-Type: {kind}"]
    if rng.random() < 0.5:
        return "\r\n".join([*lines, f"Content-Length: {len(body)}"]).encode() + b"\r\n\r\n" + body
    chunks, place = b"", 0
    while place < len(body):
        size = rng.randint(1, 400)
        piece = body[place:place + size]
        chunks, place = chunks + b"%x\r\n" % len(piece) + piece + b"\r\n", place + size
    return "\r\n".join([*lines, "Transfer-Encoding: chunked"]).encode() + b"\r\n\r\n" + chunks + b"0\r\n\r\n"


def case(number):
    """The bytes of a case, and whether the client ends its side."""
    rng = random.Random(number)
    kind = rng.randrange(4)
    if kind == 0:  # bytes
        plain = b"".join(b"GET " + rng.choice(PATHS).encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" for _ in range(rng.randint(1, 4)))
        data = spoil(rng, plain) if rng.random() < 0.7 else b"".join(rng.choice(TOKENS) for _ in range(rng.randint(1, 30)))
    elif kind == 1:  # JSON that is spoilt, in a request that is right
        path, body = rng.choice(JSONS)
        data = framed(rng, "POST", path, "application/json", spoil(rng, json.dumps(body).encode()))
    elif kind == 2:  # a spoilt form
        path = rng.choice(["/v1/images/edits", "/v1/videos", "/v1/videos/sync", "/v1/audio/voices"])
        data = framed(rng, "POST", path, "multipart/form-data; boundary=B", spoil(rng, FORM))
    else:  # a spoilt request
        path, body = rng.choice(JSONS)
        data = spoil(rng, framed(rng, "POST", path, "application/json", json.dumps(body).encode()) * rng.randint(1, 2))
    return data, rng.random() < 0.3


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """Waits for nobody, so that what a case leaves unsaid ends soon. It has no image, voice or video model: the edge is the target."""
    times = ["--timeout-first-byte", "--timeout-request-head", "--timeout-request-body", "--timeout-keep-alive"]
    flags = [word for name in times for word in (name, "0.3")]
    with Server(tmp_path_factory.mktemp("target"), *flags, "--max-num-seqs", "8") as server:
        yield server


async def play(port, number):
    """Plays a case to the end of its connection: what came."""
    data, half_close = case(number)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        writer.write(data)
        await writer.drain()
        if half_close:
            writer.write_eof()
        while piece := await reader.read(65536):
            got += piece
            assert len(got) < 16 << 20, f"case {number}: an answer without an end"
    except (ConnectionResetError, BrokenPipeError):
        pass
    finally:
        writer.close()
    return data, got


async def play_all(port, numbers):
    gate = asyncio.Semaphore(WIDTH)
    counts = {}

    async def one(number):
        async with gate:
            try:
                data, got = await asyncio.wait_for(play(port, number), LIMIT)
            except TimeoutError:
                raise AssertionError(f"case {number}: the connection has no end: {case(number)[0][:300]!r}") from None
            assert not got or got.startswith(b"HTTP/1."), f"case {number}: {got[:200]!r}"
            status = got[9:12].decode()
            assert status != "500", f"case {number}: {data[:300]!r} -> {got[:600]!r}"
            counts[status] = counts.get(status, 0) + 1
    await asyncio.gather(*(one(number) for number in numbers))
    return counts


def memory(pid):
    with open(f"/proc/{pid}/statm") as figures:
        return int(figures.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_edge_under_attack(target):
    workers = target.workers()
    warm = max(200, CASES // 10)
    counts = asyncio.run(play_all(target.port, range(SEED, SEED + warm)))
    before = memory(target.pid)
    for begin in range(SEED + warm, SEED + CASES, 2000):
        for status, count in asyncio.run(play_all(target.port, range(begin, min(begin + 2000, SEED + CASES)))).items():
            counts[status] = counts.get(status, 0) + count
    growth = memory(target.pid) - before
    print(counts, f"{growth / 1e6:.1f} MB more")
    assert target.process.poll() is None, "the server has ended"
    assert target.workers() == workers, "a worker has died"
    target.wait_idle()
    assert target.get("/health").status == 200 and target.chat(max_tokens=1).status == 200
    assert growth < 64 << 20, f"{growth} bytes more"
    # The cases reach all parts: some are served, some refused by the parser, some late, some by the routes.
    assert {"200", "400", "404"} <= set(counts), counts
