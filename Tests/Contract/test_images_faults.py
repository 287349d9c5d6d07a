"""Pictures over HTTP: limits, faults, several models at once."""
import base64
import concurrent.futures
import json
import os
import pathlib
import shutil
import threading
import time

import pytest

import pictures
from drawing import ENDLESS, drawn, edit, form, generate
from harness import ENDLESS as WITHOUT_END, Stream, chat_body, delta_text, starter_model, wait_until


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_cpu_idle(pid):
    """Waits until a process computes no more: its clock stands still over several looks."""
    seen = []

    def idle():
        seen.append(cpu_seconds(pid))
        return len(seen) > 16 and seen[-1] - seen[-17] < 0.03

    wait_until(idle, "the worker's CPU to fall idle")


def test_pictures_over_the_limit(checkpoint, start):
    server = start("--max-generated-image-size", 4096, "--limit-mm-pixels", 10000, models=[checkpoint])
    assert generate(server, size="64x64").status == 200
    for reply in [
        generate(server, 400, size="65x64"),
        edit(server, [("image", pictures.png(80, 80))], 400),
        edit(server, [("image", pictures.png(16, 16))], 400, size="65x64"),
        server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "width": 128, "height": 64}),
    ]:
        assert reply.status == 400 and "4096" in reply.error["message"] and "--max-generated-image-size" in reply.error["message"]
    large = edit(server, [("image", pictures.png(101, 100))], 413)
    assert "10000" in large.error["message"] and "--limit-mm-pixels" in large.error["message"]


def test_who_goes_stops_the_work(images):
    worker = next(iter(images.workers().values()))
    for path, body in [
        ("/v1/images/generations", ENDLESS), ("/v1/images/generations", ENDLESS | {"stream": True}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "size": "256x256", "num_inference_steps": 200}),
    ]:
        before = cpu_seconds(worker)
        connection = images.connect()
        data = json.dumps(body).encode()
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        wait_until(lambda: cpu_seconds(worker) > before + 0.2, "the worker to compute")
        connection.close()
        wait_cpu_idle(worker)
        assert generate(images).status == 200


def test_who_goes_during_an_edit_stops_the_work(images):
    worker = next(iter(images.workers().values()))
    body, headers = form({"prompt": "x", "num_inference_steps": 200, "n": 10, "strength": 1}, [("image", pictures.png(256, 256))])
    before = cpu_seconds(worker)
    connection = images.connect()
    connection.sendall(f"POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\nContent-Type: {headers['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    wait_until(lambda: cpu_seconds(worker) > before + 0.3, "the worker to compute")
    connection.close()
    wait_cpu_idle(worker)


def test_health_answers_while_eight_wait(images):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = [pool.submit(generate, images, size="64x64", num_inference_steps=4, seed=seed) for seed in range(8)]
        slowest = asked = 0
        while not all(future.done() for future in running):
            began = time.monotonic()
            assert images.health().status == 200
            slowest, asked = max(slowest, time.monotonic() - began), asked + 1
            time.sleep(0.01)
        assert len({drawn(future.result().json["data"][0]) for future in running}) == 8
    assert asked > 3 and slowest < 5


def test_a_full_queue_is_refused(checkpoint, start):
    server = start("--max-queue", 1, models=[checkpoint])
    connections = []
    for _ in range(2):
        data = json.dumps(ENDLESS).encode()
        connection = server.connect()
        connection.sendall(b"POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        connections.append(connection)
    wait_until(lambda: server.metric("vllm_omni:num_requests_running") == 1 and server.metric("vllm_omni:num_requests_waiting") == 1, "two requests")
    refused = generate(server, 503)
    assert int(refused.headers["Retry-After"]) >= 1 and "--max-queue" in refused.error["message"]
    for connection in connections:
        connection.close()
    wait_until(lambda: server.metric("vllm_omni:num_requests_running") == 0 == server.metric("vllm_omni:num_requests_waiting"), "both to be gone")
    assert generate(server).status == 200


def test_what_does_not_fit_in_memory(checkpoint, start):
    server = start("--max-image-memory", 12000000, models=[checkpoint])
    for fields in [{}, {"stream": True}]:
        refused = generate(server, 507, size="256x256", **fields)
        needed, lacking = (int(word) for word in refused.error["message"].replace(",", "").split() if word.isdigit())
        assert needed - lacking == 12000000
        side = refused.error["message"].split("A size of ")[1].split(" ")[0]
    chat = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "size": "256x256"})
    assert chat.status == 507
    assert generate(server, size=side).json["size"] == side


def test_a_body_over_the_limit(checkpoint, start):
    server = start("--max-body-size", 20000, models=[checkpoint])
    reply = edit(server, [("image", os.urandom(30000))], 413)
    assert "20000" in reply.error["message"] and "--max-body-size" in reply.error["message"]


def test_pictures_from_addresses(checkpoint, start):
    import http.server
    import threading

    class Files(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/a.png" else 404)
            self.end_headers()
            self.wfile.write(pictures.png(40, 24))

        def log_message(self, *_):
            pass

    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=files.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{files.server_port}"
    try:
        server = start("--allowed-media-domains", "127.0.0.1", models=[checkpoint])
        assert edit(server, [], url=f"{address}/a.png").json["size"] == "40x24"
        assert edit(server, [], 400, url=f"{address}/none.png").error["param"] == "body.image"
        content = [{"type": "image_url", "image_url": {"url": f"{address}/a.png"}}, {"type": "text", "text": "blue"}]
        reply = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": content}], "num_inference_steps": 3})
        url = reply.json["choices"][0]["message"]["content"][0]["image_url"]["url"]
        assert pictures.decode(base64.b64decode(url.split(",")[1]))[:2] == (40, 24)
    finally:
        files.shutdown()


def test_private_addresses_are_not_asked(images):
    assert edit(images, [], 400, url="http://127.0.0.1:9/x.png").error["param"] == "body.image"


def test_a_shard_cut_short_is_named(checkpoint, start, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint, broken)
    shard = next((broken / "transformer").glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1000])
    server = start(models=[broken], ready=False)
    server.wait_listening()
    wait_until(lambda: server.model_states()["broken"] == "failed", "the model to fail")
    reply = server.get("/health")
    assert reply.status == 503 and shard.name in reply.json["faults"]["broken"]
    assert generate(server, 503).error["message"]


# MARK: - Several models


@pytest.fixture
def text():
    """The starter text model's file."""
    try:
        return starter_model()
    except FileNotFoundError:
        pytest.skip("the starter text model is not in place")


def test_without_a_name_the_parameters_choose(checkpoint, text, start):
    server = start(models=[text, checkpoint])
    states = server.model_states()
    assert len(states) == 2
    messages = {"messages": [{"role": "user", "content": "Say hi."}]}
    assert isinstance(server.post("/v1/chat/completions", messages | {"max_tokens": 2}).json["choices"][0]["message"]["content"], str)
    for extra in [{"extra_body": {"size": "32x32", "num_inference_steps": 1}}, {"size": "32x32"}, {"modalities": ["image"]}]:
        reply = server.post("/v1/chat/completions", messages | extra)
        assert reply.json["choices"][0]["message"]["content"][0]["type"] == "image_url", reply
        assert reply.json["model"] == "zimage-turbo"
    assert generate(server).status == 200
    wrong = server.post("/v1/images/generations", {"prompt": "x", "model": next(name for name in states if name != "zimage-turbo")})
    assert wrong.status == 404 and wrong.error["param"] == "model"


def test_chat_flows_while_eight_pictures_are_drawn(checkpoint, text, start):
    """Between any two of the pictures words arrive. The longest gap is printed: a machine's speed is not asserted."""
    server = start(models=[text, checkpoint])
    chat = Stream(server, chat_body(stream=True, **WITHOUT_END))
    chat.tokens(2)
    arrivals, over = [], threading.Event()

    def listen():
        while not over.is_set():
            event = chat.next()
            assert isinstance(event, dict) and "error" not in event, f"the chat ended: {event}"
            if delta_text(event):
                arrivals.append(time.monotonic())

    def draw(seed):
        began = time.monotonic()
        generate(server, model="zimage-turbo", size="64x64", num_inference_steps=30, seed=seed)
        return began, time.monotonic()

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        listener = pool.submit(listen)
        drawings = [future.result() for future in [pool.submit(draw, seed) for seed in range(8)]]
        over.set()
        listener.result()
    chat.close()
    ends = sorted(end for _, end in drawings)
    marks = [min(began for began, _ in drawings), *ends]
    words = [sum(before < arrival <= after for arrival in arrivals) for before, after in zip(marks, marks[1:])]
    during = [arrival for arrival in arrivals if marks[0] <= arrival <= marks[-1]]
    gaps = [after - before for before, after in zip(during, during[1:])]
    print(f"words between pictures: {words}; longest gap {1000 * max(gaps):.0f} ms, median {1000 * sorted(gaps)[len(gaps) // 2]:.0f} ms")
    assert all(words), words
