"""Pictures over HTTP, drawn by the tiny random Z-Image checkpoint: what it draws is noise, and the reference's noise."""
import base64
import io
import json
import shutil
import subprocess
import zipfile

import pytest

import pictures
from drawing import FIXTURES, PROMPT, drawn, edit, form, generate
from harness import LIMIT


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


def test_previews_without_a_stream_are_named_as_ignored(images):
    assert generate(images, partial_images=2).headers["x-ignored-params"] == "partial_images"
    assert "x-ignored-params" not in generate(images, partial_images=0).headers


def test_the_largest_side_that_is_told_is_one_that_a_request_may_have(start, checkpoint):
    """The tiny model's axes have 64 patches of 4 pixels, and memory for that there is; the server may allow less."""
    for flags, side in (((), 256), (("--max-generated-image-size", 100 * 100), 100)):
        server = start(*flags, models=[checkpoint])
        prices = server.get("/v1/capabilities?size=64x64").json["data"][0]["image"]["memory"]
        assert [price["largest_side"] for price in prices] == [side, side]
        generate(server, size=f"{side}x{side}", num_inference_steps=1)


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
