"""Servers elsewhere as backends: real ones, and stand-ins that misbehave."""
import threading
from http.server import ThreadingHTTPServer

from harness import ENDLESS, LIMIT, chat_body, dead_port, text_of, wait_until


def dead_url():
    return f"http://127.0.0.1:{dead_port()}"


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
