"""Servers elsewhere as backends: real ones, and stand-ins that misbehave."""
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import ENDLESS, LIMIT, chat_body, text_of, wait_until

ANSWER = {"id": "chatcmpl-x", "object": "chat.completion", "created": 1, "model": "far", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "far"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}


class StandIn:
    """A backend whose chat answers are the test's; `held` requests wait until `release`."""

    def __init__(self, behave="answer"):
        self.seen, self.release, self.gone = [], threading.Event(), threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, data, kind="application/json"):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self.reply(200, b'{"status":"healthy"}')

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((self.path, dict(self.headers), json.loads(body)))
                if behave == "hold":
                    outer.release.wait(LIMIT)
                if behave == "busy":
                    self.send_response(503)
                    self.send_header("Retry-After", "7")
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")
                elif behave in ("die in stream", "stall"):
                    self.send_response(200)
                    self.send_header("Content-Type", "text/event-stream")
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    event = b'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                    self.wfile.flush()
                    if behave == "stall":
                        try:
                            while self.connection.recv(1):
                                pass
                        except OSError:
                            pass
                        outer.gone.set()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                elif behave == "die":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                else:
                    self.reply(200, json.dumps(ANSWER).encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def stand_in():
    made = []

    def make(behave="answer"):
        made.append(StandIn(behave))
        return made[-1]

    yield make
    for one in made:
        one.close()


def dead_url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def gateway(start, *places, **options):
    return start("--backend", "far=" + ",".join(p if isinstance(p, str) else p.url for p in places), models=[], **options)


def test_a_dead_one_among_two_is_passed_over(start, stand_in):
    alive = stand_in()
    server = gateway(start, dead_url(), alive)
    for _ in range(5):
        reply = server.chat(model="far")
        assert reply.status == 200 and reply.json["choices"][0]["message"]["content"] == "far"
    assert len(alive.seen) == 5
    assert server.model_states() == {"far": "ready"}


def test_the_least_busy_one_is_asked(start, stand_in):
    held, other = stand_in("hold"), stand_in("hold")
    server = gateway(start, held, other)
    threads = [threading.Thread(target=server.chat, kwargs={"model": "far"}) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(held.seen) + len(other.seen) == 6, "six requests to arrive")
    assert len(held.seen) == len(other.seen) == 3
    assert server.get("/load").json == {"server_load": 6}
    held.release.set()
    other.release.set()
    for thread in threads:
        thread.join(LIMIT)
    wait_until(lambda: server.get("/load").json == {"server_load": 0}, "the load to fall")


def test_none_reachable_is_503_and_health_says_so(start):
    server = gateway(start, dead_url(), ready=False)
    server.wait_listening()
    reply = server.chat(model="far")
    assert reply.status == 503 and int(reply.headers["Retry-After"]) >= 1 and "far" in reply.error["message"]
    wait_until(lambda: server.health().status == 503, "health to tell")
    assert server.health().json["models"] == {"far": "failed"}


def test_one_that_comes_up_later_is_found(start, stand_in):
    url = dead_url()
    server = gateway(start, url, ready=False)
    server.wait_listening()
    wait_until(lambda: server.health().status == 503, "health to tell")
    host = ThreadingHTTPServer(("127.0.0.1", int(url.rsplit(":", 1)[1])), stand_in().server.RequestHandlerClass)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    try:
        wait_until(lambda: server.health().status == 200, "the backend to be found")
        assert server.chat(model="far").status == 200
    finally:
        host.shutdown()
        host.server_close()


def test_one_that_dies_before_its_answer_is_500(start, stand_in):
    server = gateway(start, stand_in("die"))
    reply = server.chat(model="far")
    assert reply.status == 500 and "far" in reply.error["message"]


def test_one_that_dies_in_a_stream_ends_it_with_an_error(start, stand_in):
    server = gateway(start, stand_in("die in stream"))
    first, error, done = server.stream(model="far").rest()
    assert first["choices"][0]["delta"]["content"] == "half" and error["error"]["code"] == 500 and done == "[DONE]"


def test_a_client_that_leaves_takes_its_connection_along(start, stand_in):
    stalled = stand_in("stall")
    server = gateway(start, stalled)
    stream = server.stream(model="far")
    stream.tokens(1)
    stream.close()
    assert stalled.gone.wait(LIMIT), "the backend's connection must close with the client's"


def test_a_busy_ones_503_comes_through(start, stand_in):
    reply = gateway(start, stand_in("busy")).chat(model="far")
    assert reply.status == 503 and reply.headers["Retry-After"] == "7"


def test_what_is_sent_on(start, stand_in):
    far = stand_in()
    server = start("--backend", f"far={far.url}/", "--api-key", "mine", models=[])
    reply = server.post("/v1/chat/completions", chat_body(model="far", top_k=3, odd_field=1), {"Authorization": "Bearer mine", "X-Request-Id": "trace-9"})
    assert reply.status == 200
    path, headers, body = far.seen[0]
    assert path == "/v1/chat/completions" and body["odd_field"] == 1 and body["model"] == "far"
    lower = {k.lower(): v for k, v in headers.items()}
    assert lower["x-request-id"] == "trace-9"
    assert "authorization" not in lower, "the gateway's own key is not for others"


def test_a_gateway_before_a_gateway(start):
    """Ours as a backend of ours: streams, errors and cancellation pass through."""
    inner = start("--served-model-name", "far")
    outer = gateway(start, inner.base_url)
    settings = dict(model="far", max_tokens=12, temperature=0)
    assert text_of(outer.stream("Say hi.", **settings).rest()) == text_of(inner.stream("Say hi.", **settings).rest()) != ""
    assert outer.chat(model="far", temperature=-1).status == 400
    assert outer.chat(model="nobody").status == 404
    stream = outer.stream(model="far", **ENDLESS)
    stream.tokens(1)
    stream.close()
    inner.wait_idle()
