"""Pictures over HTTP, drawn by the tiny random Z-Image checkpoint: what it draws is noise, and the reference's noise."""
import base64
import concurrent.futures
import io
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time
import zipfile

import pytest

import pictures
from harness import ENDLESS as WITHOUT_END, LIMIT, ROOT, Server, Stream, chat_body, delta_text, wait_until

FIXTURES = ROOT / "Tests/Fixtures/zimage"
PROMPT = "a red fox over the hill, 1889"
#: Takes minutes unless it is stopped.
ENDLESS = {"prompt": "x", "size": "256x256", "num_inference_steps": 200, "n": 10}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The tiny checkpoint under a name by which it takes few steps."""
    folder = tmp_path_factory.mktemp("models") / "zimage-turbo"
    shutil.copytree(FIXTURES / "small", folder)
    return folder


@pytest.fixture(scope="module")
def images(checkpoint, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("images"), models=[checkpoint]) as server:
        workers = server.workers()
        yield server
        assert server.workers() == workers, "the worker died"


@pytest.fixture(scope="module")
def openai_client(images):
    from openai import OpenAI

    with OpenAI(base_url=images.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


def generate(server, status=200, **fields):
    reply = server.post("/v1/images/generations", {"prompt": PROMPT, "size": "32x32", "num_inference_steps": 2} | fields)
    assert reply.status == status, reply
    return reply


def drawn(item):
    """A picture of a reply's `data`, decoded."""
    return pictures.decode(base64.b64decode(item["b64_json"]))


def form(fields, files=()):
    """A multipart body and its headers."""
    mark, out = "mark-of-a-test", io.BytesIO()
    for name, value in fields.items():
        out.write(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, content in files:
        out.write(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="../a.png"\r\nContent-Type: image/png\r\n\r\n'.encode())
        out.write(content + b"\r\n")
    out.write(f"--{mark}--\r\n".encode())
    return out.getvalue(), {"Content-Type": f"multipart/form-data; boundary={mark}"}


def edit(server, files, status=200, **fields):
    body, headers = form({"prompt": PROMPT, "num_inference_steps": 4, "seed": 1} | fields, files)
    reply = server.request("POST", "/v1/images/edits", body, headers)
    assert reply.status == status, reply
    return reply


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_cpu_idle(pid):
    """Waits until a process computes no more."""
    def idle():
        before = cpu_seconds(pid)
        time.sleep(0.3)
        return cpu_seconds(pid) - before < 0.03
    wait_until(idle, "the worker's CPU to fall idle")


# MARK: - The seed's examples, as printed but for the size


def curl(script, port):
    done = subprocess.run(["bash", "-c", script.replace("8091", str(port))], capture_output=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not all(map(shutil.which, ["curl", "jq", "base64"])), reason="curl, jq or base64 is missing")
def test_the_seeds_curl_lines(images):
    chat = curl("""
curl -s http://localhost:8091/v1/chat/completions \\
-H "Content-Type: application/json" \\
-d '{
"messages": [{"role": "user", "content": "a sunset over mountains"}],
"extra_body": {
"height": 48,
"width": 64,
"num_inference_steps": 4,
"guidance_scale": 4.0,
"seed": 42
}
}' | jq -r '.choices[0].message.content[0].image_url.url' \\
| cut -d',' -f2 | base64 -d""", images.port)
    assert pictures.decode(chat)[:2] == (64, 48)
    data = json.loads(curl("""
curl -s http://localhost:8091/v1/images/generations \\
-H "Content-Type: application/json" \\
-d '{
"prompt": "a cup of coffee on a table",
"size": "64x64",
"n": 1,
"output_format": "png"
}' | jq '.data[0]'""", images.port))
    assert drawn(data)[:2] == (64, 64)


def test_the_seeds_python_lines(images, openai_client):
    name = images.get("/v1/models").json["data"][0]["id"]
    response = openai_client.chat.completions.create(
        model=name, messages=[{"role": "user", "content": "a sunset over mountains"}],
        extra_body={"height": 32, "width": 48, "num_inference_steps": 3, "guidance_scale": 4.0, "seed": 42})
    url = response.choices[0].message.content[0]["image_url"]["url"]
    assert url.startswith("data:image/png;base64,")
    assert pictures.decode(base64.b64decode(url.split(",")[1]))[:2] == (48, 32)
    result = openai_client.images.generate(model=name, prompt=PROMPT, size="32x32", n=2, extra_body={"num_inference_steps": 2})
    assert result.output_format == "png" and result.size == "32x32" and len(result.data) == 2


# MARK: - What is drawn


def test_the_picture_is_the_references(images):
    width, height, reference = pictures.golden(FIXTURES / "small.goldens.safetensors", "text.image")
    reply = generate(images, size=f"{width}x{height}", seed=42, num_inference_steps=4, guidance_scale=0).json
    assert pictures.psnr(drawn(reply["data"][0])[2], reference) >= 45


def test_seeds_prompts_and_strengths(images):
    first = drawn(generate(images, seed=7).json["data"][0])
    assert drawn(generate(images, seed=7).json["data"][0]) == first
    others = [generate(images, seed=8), generate(images, seed=-7), generate(images), generate(images, seed=7, prompt="a blue house")]
    source = [("image", pictures.png(32, 32))]
    others += [edit(images, source, strength=0.3), edit(images, source, strength=0.9)]
    seen = [first] + [drawn(reply.json["data"][0]) for reply in others]
    assert len(set(seen)) == len(seen)


def test_the_size_asked_is_the_size_given(images):
    reply = generate(images, size="61x33").json
    assert reply["size"] == "61x33" and drawn(reply["data"][0])[:2] == (61, 33)
    default = images.post("/v1/images/generations", {"prompt": "x", "num_inference_steps": 1}).json
    assert default["size"] == "32x32"


def test_formats(images):
    signatures = {"png": b"\x89PNG", "jpg": b"\xff\xd8\xff", "JPEG": b"\xff\xd8\xff", "webp": b"RIFF"}
    for name, signature in signatures.items():
        reply = generate(images, output_format=name).json
        assert reply["output_format"] == name.lower()
        assert base64.b64decode(reply["data"][0]["b64_json"]).startswith(signature)
    sizes = [len(generate(images, seed=1, output_compression=c).json["data"][0]["b64_json"]) for c in (0, 100)]
    assert sizes[0] < sizes[1]
    assert generate(images, 400, output_format="gif").error["param"] == "body.output_format"


def test_files_and_zip(images):
    one = generate(images, response_format="file", output_format="webp")
    assert one.headers["Content-Type"] == "image/webp" and one.body.startswith(b"RIFF")
    assert one.headers["Content-Disposition"].endswith('.webp"')
    several = generate(images, response_format="file", n=2)
    assert several.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(several.body))
    assert archive.testzip() is None and archive.namelist() == ["image_0.png", "image_1.png"]
    first, second = (pictures.decode(archive.read(name)) for name in archive.namelist())
    assert first[:2] == (32, 32) and first != second


def test_metadata_is_stored_on_request(images):
    reply = generate(images, seed=5, extra_params={"metadata": True, "sparkle": 1}, user="me")
    assert set(reply.headers["x-ignored-params"].split(",")) == {"user", "extra_params.sparkle"}
    texts = pictures.texts(base64.b64decode(reply.json["data"][0]["b64_json"]))
    assert texts["prompt"] == PROMPT and texts["seed"] == "5" and texts["steps"] == "2"
    assert "prompt" not in pictures.texts(base64.b64decode(generate(images).json["data"][0]["b64_json"]))


def test_adapters_come_from_their_folder_only(checkpoint, images, start):
    plain = generate(images, seed=3).json["data"][0]
    adapter = {"name": "a", "path": str(FIXTURES / "adapter.safetensors")}
    assert "--allowed-lora-path" in generate(images, 400, lora=adapter).error["message"]
    server = start("--allowed-lora-path", FIXTURES, "--cache-backend", "none", models=[checkpoint])
    changed = generate(server, seed=3, lora=adapter).json["data"][0]
    assert drawn(changed) != drawn(plain)
    assert drawn(generate(server, seed=3, lora=adapter | {"path": "adapter.safetensors"}).json["data"][0]) == drawn(changed)
    assert drawn(generate(server, seed=3, lora=adapter | {"scale": 0}).json["data"][0]) == drawn(plain)
    for path in ["/etc/passwd", str(FIXTURES / "../../../Package.swift"), "../small.goldens", "none.safetensors", "."]:
        assert generate(server, 400, lora={"name": "a", "path": path}).error["param"] == "body.lora"
    assert generate(server, 400, lora={"name": "a", "path": "randn.safetensors"}).error["param"] == "body.lora"


# MARK: - Edits


def test_an_edit_keeps_what_the_mask_keeps(images):
    source = pictures.png(32, 32)
    left_clear = pictures.png(32, 32, alpha=lambda x, y: 0 if x < 16 else 255)
    changed = drawn(edit(images, [("image", source), ("mask", left_clear)]).json["data"][0])[2]
    plain = drawn(edit(images, [("image", source)], strength=1).json["data"][0])[2]
    assert changed != plain
    white_left = pictures.png(32, 32, (255, 255, 255))
    all_drawn = drawn(edit(images, [("image", source), ("mask_image", white_left)]).json["data"][0])[2]
    assert all_drawn != changed
    twice = edit(images, [("image", source), ("mask", left_clear), ("mask_image", white_left)], 400)
    assert twice.error["param"] == "body.mask"


def test_edits_through_the_client(images, openai_client):
    name = images.get("/v1/models").json["data"][0]["id"]
    result = openai_client.images.edit(
        model=name, image=("a.png", pictures.png(40, 24)), mask=("m.png", pictures.png(40, 24, alpha=lambda x, y: 0)), prompt=PROMPT,
        extra_body={"num_inference_steps": 2})
    assert result.size == "40x24" and pictures.decode(base64.b64decode(result.data[0].b64_json))[:2] == (40, 24)


def test_an_edit_through_chat(images):
    url = "data:image/png;base64," + base64.b64encode(pictures.png(24, 40)).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "make it blue"}]
    reply = images.post("/v1/chat/completions", {"messages": [{"role": "user", "content": content}], "num_inference_steps": 3, "seed": 3})
    part = reply.json["choices"][0]["message"]["content"][0]
    assert pictures.decode(base64.b64decode(part["image_url"]["url"].split(",")[1]))[:2] == (24, 40)


def test_edits_that_cannot_be(images):
    source = ("image", pictures.png(32, 32))
    assert edit(images, [], 400).error["param"] == "body.image"
    assert "single image" in edit(images, [source, source], 400).error["message"]
    assert edit(images, [("image", b"no picture")], 400).error["param"] == "body.image"
    assert edit(images, [], 400, url="ftp://x/y.png")
    assert edit(images, [source], 400, num_inference_steps=0).error["param"] == "body.num_inference_steps"
    assert edit(images, [source], 400, n=0).error["param"] == "body.n"
    body, headers = form({"prompt": "x"}, [source])
    cut = images.request("POST", "/v1/images/edits", body[:len(body) // 2], headers)
    assert cut.status == 400 and cut.error["param"] == "body"


# MARK: - Streams


def test_a_stream_brings_previews_and_the_picture(openai_client, images):
    name = images.get("/v1/models").json["data"][0]["id"]
    events = list(openai_client.images.generate(
        model=name, prompt=PROMPT, size="32x32", stream=True, partial_images=2, extra_body={"num_inference_steps": 6, "seed": 3}))
    assert [event.type for event in events] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    whole = generate(images, num_inference_steps=6, seed=3).json["data"][0]["b64_json"]
    assert events[-1].b64_json == whole


def test_streamed_edits_and_chats(images):
    reply = edit(images, [("image", pictures.png(32, 32))], stream="true", partial_images=1)
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert b"event: image_edit.partial_image" in reply.body and b"event: image_edit.completed" in reply.body
    chat = images.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "stream": True, "num_inference_steps": 3})
    assert b": denoise 2/3" in chat.body and chat.body.rstrip().endswith(b"data: [DONE]")
    chunks = [json.loads(line[6:]) for line in chat.body.splitlines() if line.startswith(b"data: {")]
    assert chunks[0]["modality"] == "image" and chunks[0]["choices"][0]["delta"]["content"][0]["type"] == "image_url"


# MARK: - Limits and faults


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
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        wait_until(lambda: cpu_seconds(worker) > before + 0.2, "the worker to compute")
        connection.close()
        wait_cpu_idle(worker)
        assert generate(images).status == 200


def test_who_goes_during_an_edit_stops_the_work(images):
    worker = next(iter(images.workers().values()))
    body, headers = form({"prompt": "x", "num_inference_steps": 200, "n": 10, "strength": 1}, [("image", pictures.png(256, 256))])
    before = cpu_seconds(worker)
    connection = images.connect()
    connection.sendall(f"POST /v1/images/edits HTTP/1.1\r\nHost: x\r\nContent-Type: {headers['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
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
        connection.sendall(b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        connections.append(connection)
    wait_until(lambda: (server.metric("vllm_omni:num_requests_running") or 0) >= 2, "two requests")
    refused = generate(server, 503)
    assert int(refused.headers["Retry-After"]) >= 1 and "--max-queue" in refused.error["message"]
    for connection in connections:
        connection.close()
    wait_until(lambda: server.metric("vllm_omni:num_requests_running") == 0, "both to be gone")
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


def test_without_a_name_the_parameters_choose(checkpoint, start):
    from harness import starter_model

    try:
        text = starter_model()
    except FileNotFoundError:
        pytest.skip("the starter text model is not in place")
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


def test_chat_flows_while_eight_pictures_are_drawn(checkpoint, start):
    """Between any two of the pictures words arrive. The longest gap is printed: a machine's speed is not asserted."""
    from harness import starter_model

    try:
        text = starter_model()
    except FileNotFoundError:
        pytest.skip("the starter text model is not in place")
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
