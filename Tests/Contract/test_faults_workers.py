"""Processes that die, and models that cannot be loaded."""
import json
import os
import re
import shutil
import signal
import sys
import threading

import pytest

from harness import ENDLESS, LIMIT, Server, Stream, binary, chat_body, is_alive, starter_model, text_of, wait_until


def test_a_worker_killed_in_a_stream(start, twins):
    """Its stream ends with an error and `[DONE]`; the other model's stream goes on; the next request is served."""
    server = start(models=twins)
    workers = server.workers()
    assert sorted(workers) == ["ann", "ben"]
    other = server.stream(model="ben", **ENDLESS | {"max_tokens": 60})
    other.tokens(1)
    doomed = server.stream(model="ann", **ENDLESS)
    doomed.tokens(1)
    whole = []
    waiter = threading.Thread(target=lambda: whole.append(server.chat(model="ann", **ENDLESS)))
    waiter.start()
    wait_until(lambda: (server.metric("vllm:num_requests_running", model_name="ann") or 0) >= 2, "both requests to run on ann")

    os.kill(workers["ann"], signal.SIGKILL)

    *_, error, done = doomed.rest()
    assert done == "[DONE]"
    assert error["error"]["code"] == 500 and error["error"]["type"] == "InternalServerError" and "ann" in error["error"]["message"]
    waiter.join(LIMIT)
    assert whole[0].status == 500 and "ann" in whole[0].error["message"]

    events = other.rest()
    assert events[-1] == "[DONE]" and not any("error" in e for e in events[:-1]), "the other model's stream must not notice"
    assert events[-2]["choices"][0]["finish_reason"] == "length"

    wait_until(lambda: server.model_states() == {"ann": "ready", "ben": "ready"}, "ann to be back")
    assert server.workers()["ann"] != workers["ann"] and server.workers()["ben"] == workers["ben"]
    assert server.chat(model="ann", max_tokens=3).status == 200


def test_health_tells_of_a_worker_that_is_gone(start, twins):
    server = start(models=twins)
    seen = []
    pid = server.workers()["ann"]
    os.kill(pid, signal.SIGKILL)

    def back():
        reply = server.health()
        seen.append(reply.json["models"]["ann"])
        assert reply.status == 200 and reply.json["models"]["ben"] == "ready", "the other model still serves"
        if seen[-1] != "ready":
            refused = server.chat(model="ann", max_tokens=1)
            assert refused.status in (200, 503), refused
            if refused.status == 503:
                assert int(refused.headers["Retry-After"]) >= 1 and refused.error["type"] == "ServiceUnavailableError"
        return seen[-1] == "ready" and server.workers().get("ann") not in (None, pid)

    wait_until(back, "ann to be back")
    assert "loading" in seen


def test_a_worker_that_dies_again_and_again_comes_back_each_time(start):
    server = start()
    for _ in range(3):
        (name, pid), = server.workers().items()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: server.workers().get(name) not in (None, pid) and server.model_states()[name] == "ready", "the worker to be back")
    assert server.chat(max_tokens=1).status == 200


def test_a_server_told_to_end_while_a_worker_backs_off_ends(start):
    server = start()
    for _ in range(4):
        (name, pid), = server.workers().items()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: server.workers().get(name) != pid, "the worker to be gone")
        wait_until(lambda: server.workers(), "a new worker")
    (name, pid), = server.workers().items()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server.workers(), "the worker to be gone")
    assert server.stop() == 0 and not server.workers()


def test_a_killed_gateway_leaves_no_worker(start):
    server = start()
    stream = server.stream(**ENDLESS)
    stream.tokens(1)
    workers = list(server.workers().values())
    assert workers
    server.process.kill()
    server.process.wait(LIMIT)
    wait_until(lambda: not any(map(is_alive, workers)), "the workers to end with their gateway", limit=30)
    # The same data folder serves again: neither its lock nor its sockets are in the way.
    with Server(server.folder / "again", data=server.data) as again:
        assert again.chat(max_tokens=1).status == 200


def test_a_worker_of_another_version_is_restarted_from_the_program_that_runs(start, tmp_path):
    """The program's file is replaced while the server runs, as an upgrade does."""
    program = tmp_path / "omni"
    shutil.copy2(binary(), program)
    server = start(program=program)
    upgrade = tmp_path / "upgrade"
    upgrade.write_text(f"#!{sys.executable}\n" + ANOTHER_VERSION)
    upgrade.chmod(0o755)
    upgrade.replace(program)
    os.kill(*server.workers().values(), signal.SIGKILL)
    wait_until(lambda: "worker of another version" in server.log, "the upgrade to be found out")
    wait_until(lambda: set(server.model_states().values()) == {"ready"}, "a worker of this version")
    assert server.chat(max_tokens=2).status == 200
    (pid,) = server.workers().values()
    assert os.readlink(f"/proc/{pid}/exe") == os.readlink(f"/proc/{server.pid}/exe")


# A worker that says a version which no server of today knows.
ANOTHER_VERSION = """
import http.server, socketserver, sys
class Reply(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b'{"protocol_version": 9999, "state": "ready"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return "gateway"
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
server = Server(sys.argv[sys.argv.index("--socket") + 1], Reply)
import threading
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"""


def test_a_stopped_worker_is_not_the_others_problem(start, twins):
    """A worker that hangs, not dies: requests to other models and /health do not wait for it."""
    server = start(models=twins)
    pid = server.workers()["ann"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert server.chat(model="ben", max_tokens=2).status == 200
        assert server.health().status == 200
        assert server.get("/v1/models").status == 200
    finally:
        os.kill(pid, signal.SIGCONT)


# Models that cannot be loaded.

def test_a_model_cut_short_says_so_and_the_gateway_lives(start, tmp_path, twins):
    """Cut inside the tensors: the header is whole, so only a reader of the sizes can tell."""
    short = tmp_path / "short.gguf"
    with open(starter_model(), "rb") as source:
        short.write_bytes(source.read(40_000_000))
    server = start(models=[short, twins[0]], ready=False)
    if server.process.poll() is None:
        def settled():
            if server.process.poll() is not None:
                return True
            found = re.search(r"listening address=\S+?:(\d+)", server.log)
            if not found:
                return False
            server.port = int(found[1])
            return server.health().json["models"]["short"] == "failed" and server.health().json["models"]["ann"] == "ready"
        wait_until(settled, "the cut model to be found out")
    if server.process.poll() is None:
        health = server.health()
        assert health.status == 200 and re.search("short|cut|incomplete|truncat|bytes", health.json["faults"]["short"]), health
        refused = server.chat(model="short")
        assert refused.status == 503 and health.json["faults"]["short"].split(".")[0] in refused.error["message"]
        assert server.chat(model="ann", max_tokens=2).status == 200
        server.wait_idle()
        assert server.stop() == 0
    else:
        assert server.process.returncode != 0
    assert "short" in server.log and "Fatal error" not in server.log


@pytest.mark.parametrize("size", [0, 3, 100, 5_000, 1_000_000])
def test_a_model_cut_in_its_header_never_serves(start, tmp_path, size):
    cut = tmp_path / "cut.gguf"
    with open(starter_model(), "rb") as source:
        cut.write_bytes(source.read(size))
    server = start(models=[cut], ready=False)
    wait_until(lambda: server.process.poll() is not None or "cannot be loaded" in server.log, "the fault to be found")
    if server.process.poll() is not None:
        assert server.process.returncode not in (0, None) and server.process.returncode > 0, "it must end by itself, not crash"
    assert "cut.gguf" in server.log
    assert "Fatal error" not in server.log and "Stack dump" not in server.log, server.log


def test_a_model_of_noise_never_serves(start, tmp_path):
    noise = tmp_path / "noise.gguf"
    noise.write_bytes(b"GGUF" + os.urandom(100_000))
    server = start(models=[noise], ready=False)
    wait_until(lambda: server.process.poll() is not None or "cannot be loaded" in server.log, "the fault to be found")
    assert "noise.gguf" in server.log and "Fatal error" not in server.log


def test_flipped_header_bytes_never_hang_the_server(start, tmp_path):
    """The header's counts and lengths are the attacker's; one flipped byte each."""
    with open(starter_model(), "rb") as source:
        good = source.read(200_000)
    for place in (4, 8, 16, 24, 32):
        bad = tmp_path / f"bad{place}.gguf"
        bad.write_bytes(good[:place] + b"\xff\xff\xff\x7f" + good[place + 4:])
        server = start(models=[bad], ready=False)
        wait_until(lambda: server.process.poll() is not None or "cannot be loaded" in server.log, f"the fault at byte {place} to be found")
        assert "Fatal error" not in server.log
        server.stop()


def test_everything_missing_is_said_before_anything_is_loaded(start, tmp_path):
    server = start(models=[tmp_path / "nowhere.gguf", "no-org/no-model", starter_model()], ready=False)
    assert server.process.wait(LIMIT) > 0
    assert "nowhere.gguf" in server.log and "no-org/no-model" in server.log, server.log
    assert "worker started" not in server.log
