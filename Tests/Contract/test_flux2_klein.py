"""Pictures of the tiny random FLUX.2 klein checkpoints through the official client: the reference's own, and edits with several pictures."""
import base64
import struct
import zlib

import pytest
from openai import BadRequestError, OpenAI

import pictures
from harness import LIMIT, ROOT, Server

FIXTURES = ROOT / "Tests/Fixtures/flux2-klein"
PROMPT = "a red fox over the hill, 1889"


@pytest.fixture(scope="module", params=["small", "other"])
def served(request, tmp_path_factory):
    """A client of the checkpoint's server, and the checkpoint's goldens."""
    with Server(tmp_path_factory.mktemp("klein"), models=[FIXTURES / request.param]) as server:
        workers = server.workers()
        with OpenAI(base_url=server.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
            yield server, client, FIXTURES / f"{request.param}.goldens.safetensors"
        assert server.workers() == workers, "the worker died"


def file(goldens, name):
    """A golden picture `[1, channels, height, width]` as a PNG file."""
    shape, values = pictures.tensor(goldens, name)
    _, channels, height, width = shape
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows += bytes(round(values[(min(c, channels - 1) * height + y) * width + x] * 255) for c in range(3))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")


def near(data, goldens, name):
    """How near, in decibels, a drawn picture is to a golden one."""
    width, height, reference = pictures.golden(goldens, name)
    drawn = pictures.decode(base64.b64decode(data))
    assert drawn[:2] == (width, height)
    return pictures.psnr(drawn[2], reference)


def size(goldens, name):
    width, height, _ = pictures.golden(goldens, name)
    return f"{width}x{height}"


def test_a_picture_after_a_text(served):
    _, client, goldens = served
    result = client.images.generate(
        model=client.models.list().data[0].id, prompt=PROMPT, size=size(goldens, "text.image"),
        extra_body={"seed": 42, "num_inference_steps": 4, "guidance_scale": 4.0})
    assert near(result.data[0].b64_json, goldens, "text.image") >= 45


def edit(served, images, golden, **fields):
    _, client, goldens = served
    files = [(f"{index}.png", file(goldens, name)) for index, name in enumerate(images)]
    mask = fields.pop("mask", None)
    more = {"mask": ("mask.png", mask)} if mask else {}
    if sized := fields.pop("size", size(goldens, golden)):
        more["size"] = sized
    result = client.images.edit(
        model=client.models.list().data[0].id, image=files if len(files) > 1 else files[0], prompt=PROMPT, extra_body=fields, **more)
    return near(result.data[0].b64_json, goldens, golden)


def test_an_edit_of_one_picture(served):
    assert edit(served, ["reference.0"], "edit.one.image", seed=45, num_inference_steps=4, guidance_scale=3) >= 45


def test_an_edit_of_three_pictures(served):
    references = ["reference.0", "reference.1", "reference.2"]
    assert edit(served, references, "edit.three.image", seed=46, num_inference_steps=3, guidance_scale=4) >= 45
    # Their order counts.
    assert edit(served, references[::-1], "edit.three.image", seed=46, num_inference_steps=3, guidance_scale=4) < 40


def test_the_first_picture_says_the_size(served):
    assert edit(served, ["reference.0", "reference.1"], "edit.own.image", size=None, seed=47, num_inference_steps=2, guidance_scale=1,
                n=2) >= 45


def test_a_mask(served):
    _, _, goldens = served
    shape, values = pictures.tensor(goldens, "mask")
    height, width = shape[2:]
    clear = pictures.png(width, height, alpha=lambda x, y: 0 if values[y * width + x] > 0.5 else 255)
    fields = dict(mask=clear, num_inference_steps=4, guidance_scale=4)
    assert edit(served, ["source"], "inpaint.image", seed=48, **fields) >= 45
    fields["num_inference_steps"] = 3
    assert edit(served, ["source", "reference.1"], "inpaint.reference.image", seed=50, **fields) >= 45


def test_a_picture_that_is_kept_in_part(served):
    assert edit(served, ["source"], "image.image", seed=51, strength=0.6, num_inference_steps=5, guidance_scale=4) >= 45


def test_a_chat_with_two_pictures(served):
    server, _, goldens = served
    urls = ["data:image/png;base64," + base64.b64encode(file(goldens, name)).decode() for name in ("reference.0", "reference.1")]
    content = [{"type": "image_url", "image_url": {"url": url}} for url in urls] + [{"type": "text", "text": PROMPT}]
    reply = server.post("/v1/chat/completions", {
        "messages": [{"role": "user", "content": content}], "num_inference_steps": 2, "guidance_scale": 1, "seed": 47,
        "num_outputs_per_prompt": 2})
    url = reply.json["choices"][0]["message"]["content"][0]["image_url"]["url"]
    assert near(url.split(",")[1], goldens, "edit.own.image") >= 45


def test_how_many_pictures_there_may_be_is_told(served):
    server, client, goldens = served
    assert server.get("/v1/capabilities").json["data"][0]["image"]["max_input_images"] == 4
    with pytest.raises(BadRequestError) as refused:
        edit(served, ["reference.0"] * 5, "edit.one.image", num_inference_steps=1)
    assert refused.value.param == "body.image" and "At most 4" in refused.value.message
    small = pictures.png(63, 64)
    with pytest.raises(BadRequestError) as refused:
        client.images.edit(model=client.models.list().data[0].id, image=("a.png", small), prompt=PROMPT)
    assert refused.value.param == "body.image" and "64 pixels" in refused.value.message


def test_what_a_distilled_model_does_not_do_is_told(served):
    server, client, goldens = served
    distilled = b'"is_distilled": true' in (goldens.parent / goldens.name.split(".")[0] / "model_index.json").read_bytes()
    reply = client.images.with_raw_response.generate(
        model=client.models.list().data[0].id, prompt=PROMPT, size=size(goldens, "text.image"),
        extra_body={"seed": 1, "num_inference_steps": 1, "guidance_scale": 3.0, "negative_prompt": "dull", "extra_params": {"cfg_truncation": 0.5}})
    told = set(filter(None, reply.headers.get("x-ignored-params", "").split(",")))
    assert told == ({"guidance_scale", "negative_prompt", "extra_params.cfg_truncation"} if distilled else set())
