"""How a server starts, sleeps, wakes and ends."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest

from harness import ENDLESS, LIMIT, Server, binary, chat_body, is_alive, starter_model, text_of, wait_until


def run(*arguments, **settings):
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL, **settings)


# Start.

def test_live_at_once_and_not_ready_while_loading(start, twins):
    """The port is bound before the models are loaded; what is asked meanwhile is told to come back."""
    server = start(models=twins, ready=False)
    server.wait_listening()
    ready = server.get("/health/ready")
    if ready.status == 503:
        assert 0 <= ready.json["progress_percent"] < 100 and ready.json["ready"] is False and int(ready.headers["Retry-After"]) >= 1
    reply = server.chat(model="ben", max_tokens=1)
    assert reply.status in (200, 503)
    if reply.status == 503:
        assert int(reply.headers["Retry-After"]) >= 1 and "loading" in reply.error["message"]
    server.wait_ready()
    assert server.get("/health/ready").json["progress_percent"] == 100
    assert server.chat(model="ben", max_tokens=1).status == 200


def test_a_port_in_use(start, tmp_path):
    first = start()
    second = start(port=first.port, data=tmp_path / "other", ready=False)
    assert second.process.wait(LIMIT) > 0
    assert f"127.0.0.1:{first.port}" in second.log and "--port" in second.log and "in use" in second.log.lower()
    assert "Fatal error" not in second.log and not second.workers()
    assert first.chat(max_tokens=1).status == 200


def test_a_data_folder_in_use(start):
    first = start()
    second = start(data=first.data, ready=False)
    assert second.process.wait(LIMIT) > 0
    assert str(first.data) in second.log and "--data-dir" in second.log and str(first.pid) in second.log
    assert first.chat(max_tokens=1).status == 200


def test_a_data_folder_that_cannot_be_made(start, tmp_path):
    (tmp_path / "file").write_text("")
    server = start(data=tmp_path / "file" / "data", ready=False)
    assert server.process.wait(LIMIT) > 0 and "--data-dir" in server.log


def test_a_data_folder_with_a_very_long_path(start, tmp_path):
    """A Unix socket's path has 107 bytes at most."""
    server = start(data=tmp_path / ("long" * 40) / "and" / ("longer" * 20))
    assert server.chat(max_tokens=1).status == 200
    (worker,) = server.workers().values()
    arguments = pathlib.Path(f"/proc/{worker}/cmdline").read_bytes().decode().split("\0")
    folder = pathlib.Path(arguments[arguments.index("--socket") + 1]).parent
    assert folder.stat().st_mode & 0o777 == 0o700 and str(server.pid) not in folder.name, "others could sit on its place"
    assert server.stop() == 0 and not folder.exists()


@pytest.mark.parametrize("flags, word", [
    (["--no-such-flag"], "--no-such-flag"), (["--port", "many"], "port"), (["--port", "99999"], "port"), (["--max-num-seqs", "0"], "--max-num-seqs"),
    (["--max-queue", "-1"], "--max-queue"), (["--backend", "x"], "backend"), (["--backend", "x=ftp://y"], "ftp://y"), (["--config", "/nowhere.yaml"], "/nowhere.yaml"),
    (["--log-level", "loud"], "loud"), (["--allowed-origins", "me"], "--allowed-origins"), (["--max-body-size=-5"], "max-body-size"), (["--idle-unload=-1"], "idle-unload"), (["--idle-unload=nan"], "idle-unload"), (["--drain-timeout=inf"], "drain-timeout"),
    (["--port=-3"], "--port"), (["--gpu-layers=-5"], "gpu-layers"),
    (["--host", "not a host"], "not a host"),
])
def test_wrong_flags_end_the_start_with_a_reason(start, flags, word):
    server = start(*flags, ready=False, port=0 if "--port" not in flags else 0)
    assert server.process.wait(LIMIT) > 0, "it must end by itself"
    assert word in server.log and "Fatal error" not in server.log, server.log


def test_a_vllm_line_works_with_the_programs_name_changed(start):
    server = start("--omni", "--trust-remote-code", "--tensor-parallel-size", "1", "--gpu-memory-utilization", "0.9", "--dtype", "auto", "--enforce-eager")
    assert server.chat(max_tokens=1).status == 200
    assert "--tensor-parallel-size" in server.log, "what is ignored is said"


def test_a_unix_socket(start, tmp_path):
    import httpx2 as httpx  # what this release of the client is built on
    import openai

    path = tmp_path / "omni.sock"
    server = start(uds=path)
    client = openai.OpenAI(base_url="http://omni/v1", api_key="x", http_client=httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=LIMIT), max_retries=0)
    model = client.models.list().data[0].id
    assert client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], max_tokens=2).choices
    assert server.stop() == 0


def test_a_unix_socket_left_by_a_killed_server_is_no_hindrance(start, tmp_path):
    path = tmp_path / "omni.sock"
    first = start(uds=path)
    first.process.kill()
    first.process.wait()
    assert path.exists()
    second = start(uds=path)
    assert second.chat(max_tokens=1).status == 200


def test_a_log_on_a_full_disk(start):
    """/dev/full refuses every write. Lines are lost, the server is not."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open("/dev/full", "w") as full:
        server = start(port=port, stderr=full)
    for _ in range(5):
        assert server.chat(max_tokens=2).status == 200
    assert server.stop() == 0


def test_a_log_whose_reader_has_gone(start):
    """`omni serve 2>&1 | head`: a closed pipe must not kill the server."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        server = start(port=port, stderr=writer)
    finally:
        os.close(writer)
    assert server.chat(max_tokens=2).status == 200
    assert server.stop() == 0


def test_the_json_log_is_json_with_request_ids(start):
    server = start("--log-format", "json")
    server.post("/v1/chat/completions", chat_body(max_tokens=1), {"X-Request-Id": 'find"me'})
    server.get("/no%0Awhere%22")
    lines = wait_until(lambda: [json.loads(l) for l in server.log.splitlines() if "find" in l], "the request's line")
    assert lines[-1]["request_id"] == 'find"me' and lines[-1]["status"] == "200" and lines[-1]["path"] == "/v1/chat/completions"
    for line in server.log.splitlines():
        json.loads(line)


def test_version_and_help():
    assert re.search(r"\d+\.\d+", run("--version").stdout)
    assert "serve" in run("--help").stdout and "--port" in run("serve", "--help").stdout
    assert run("dance").returncode != 0


def test_a_template_from_a_request_is_run_only_where_clients_are_trusted(start):
    """A template is a program: a loop in it hangs a worker, a recursion ends one."""
    server = start("--trust-request-chat-template")
    assert server.chat("x", chat_template="{{ messages[0].content }}", max_tokens=1).json["usage"]["prompt_tokens"] < 5 < server.chat("x", max_tokens=1).json["usage"]["prompt_tokens"]


# End.

def test_sigterm_lets_a_running_stream_end(start):
    server = start()
    workers = list(server.workers().values())
    stream = server.stream(max_tokens=60, ignore_eos=True)
    head = stream.tokens(1)
    waiting = server.connection()
    waiting.request("POST", "/v1/chat/completions", json.dumps(chat_body(max_tokens=30, ignore_eos=True)), {"Content-Type": "application/json"})
    server.wait_running(2)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "draining" in server.log, "the drain to begin")
    events = stream.rest()
    assert events[-1] == "[DONE]" and events[-2]["choices"][0]["finish_reason"] == "length" and head + text_of(events)
    reply = waiting.getresponse()
    assert reply.status == 200 and json.loads(reply.read())["usage"]["completion_tokens"] == 30
    assert server.process.wait(LIMIT) == 0
    assert not any(map(is_alive, workers))
    with pytest.raises(OSError):
        server.connect()


def test_a_drain_has_an_end(start):
    server = start("--drain-timeout", "1")
    stream = server.stream(**ENDLESS)
    stream.tokens(1)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0, "an endless stream must not keep the server alive"
    assert not server.workers()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_an_idle_server_cleanly(start, how):
    server = start()
    workers = list(server.workers().values())
    idle = server.connection()  # a kept-alive connection does not keep the server
    idle.request("GET", "/health")
    idle.getresponse().read()
    server.process.send_signal(how)
    assert server.process.wait(LIMIT) == 0 and not any(map(is_alive, workers))
    assert not list((server.data / "run").glob("*.sock")), "sockets are cleared away"


def test_ctrl_c_in_a_terminal_lets_answers_end(start):
    """The terminal signals the whole process group; workers must not fall first."""
    server = start()
    stream = server.stream(max_tokens=40, ignore_eos=True)
    stream.tokens(1)
    os.killpg(server.pid, signal.SIGINT)
    events = stream.rest()
    assert events[-1] == "[DONE]" and not any("error" in e for e in events[:-1])
    assert server.process.wait(LIMIT) == 0


def test_sigterm_while_loading(start):
    server = start(ready=False)
    server.wait_listening()
    assert server.stop() == 0 and not server.workers()


# Sleep.

def test_sleep_ends_the_worker_and_wakeup_restarts_it(start):
    server = start()
    (name, pid), = server.workers().items()
    slept = server.post("/v1/omni/sleep", {"stage_ids": [0], "level": 1})
    assert slept.status == 200 and slept.json["status"] == "SUCCESS" and slept.json["acks"][0]["stage_id"] == 0
    assert not is_alive(pid) and server.model_states() == {name: "asleep"}
    assert server.health().status == 200, "a sleeping model can serve"
    woken = server.post("/v1/omni/wakeup", {"stage_ids": [0]})
    assert woken.status == 200 and woken.json["status"] == "SUCCESS"
    assert server.model_states() == {name: "ready"} and server.chat(max_tokens=1).status == 200
    assert server.post("/v1/omni/wakeup", {"stage_ids": [0]}).json["status"] == "SKIPPED"
    assert server.post("/v1/omni/sleep", {"stage_ids": [5]}).status == 400
    assert server.post("/v1/omni/sleep", {"stage_ids": "all"}).status == 400


def test_sleep_lets_running_answers_end(start):
    server = start()
    stream = server.stream(max_tokens=60, ignore_eos=True)
    stream.tokens(1)
    slept = server.post("/v1/omni/sleep", {"stage_ids": [0]})
    assert slept.json["acks"][0]["status"] == "SUCCESS" and list(server.model_states().values()) == ["asleep"] and not server.workers()
    events = stream.rest()
    assert events[-1] == "[DONE]" and not any("error" in e for e in events[:-1])


def test_sleep_does_not_wait_for_ever(start):
    server = start("--drain-timeout", "0.2")
    stream = server.stream(**ENDLESS)
    stream.tokens(1)
    assert server.post("/v1/omni/sleep", {"stage_ids": [0]}).json["acks"][0]["status"] == "SUCCESS"
    assert "error" in stream.rest()[-2]


def test_a_request_wakes_a_sleeping_model_and_so_do_ten_at_once(start):
    server = start()
    server.post("/v1/omni/sleep", {"stage_ids": [0]})
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(server.chat(max_tokens=1).status)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert replies == [200] * 10
    assert len(server.workers()) == 1


def test_idle_models_are_unloaded_and_wake(start):
    server = start("--idle-unload", "1")
    wait_until(lambda: list(server.model_states().values()) == ["asleep"], "the idle model to be unloaded")
    assert not server.workers()
    stream = server.stream(max_tokens=40, ignore_eos=True)
    events = stream.rest()
    assert events[-1] == "[DONE]" and len(events) > 30, "a running answer is not idle"
    wait_until(lambda: list(server.model_states().values()) == ["asleep"], "the model to be unloaded again")


def test_sleep_and_wake_in_a_race(start):
    """Sleep, wake and requests at once, many times: each request has an answer or an error, and the end is sane."""
    server = start()
    statuses = []

    def ask():
        for _ in range(6):
            statuses.append(server.chat(max_tokens=1).status)

    def toggle(path):
        for _ in range(6):
            statuses.append(server.post(path, {"stage_ids": [0]}).status)

    threads = [threading.Thread(target=ask) for _ in range(3)] + [threading.Thread(target=toggle, args=(p,)) for p in ("/v1/omni/sleep", "/v1/omni/wakeup")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive(), "a request hangs"
    assert set(statuses) <= {200, 500, 503}, statuses
    assert server.chat(max_tokens=1).status == 200 and len(server.workers()) == 1


# Several models and configuration.

def test_two_models_by_name_and_the_first_by_default(start, twins):
    server = start(models=twins)
    assert [m["id"] for m in server.get("/v1/models").json["data"]] == ["ann", "ben"]
    assert server.chat(model="ben", max_tokens=1).json["model"] == "ben"
    assert server.chat(max_tokens=1).json["model"] == "ann"


def test_a_configuration_file(start, tmp_path):
    file = tmp_path / "omni.yaml"
    file.write_text(f"""
models:
  - id: small
    path: {starter_model()}
    aliases: [tiny]
    flags:
      max-model-len: 128
  - id: other
    path: {starter_model()}
""")
    server = start("--config", file, models=[])
    names = [m["id"] for m in server.get("/v1/models").json["data"]]
    assert names == ["small", "tiny", "other"], names
    assert server.get("/v1/models/small").json["max_model_len"] == 128 and server.get("/v1/models/other").json["max_model_len"] > 128
    assert server.chat(model="tiny", max_tokens=1).status == 200
