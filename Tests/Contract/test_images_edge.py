"""Requests for pictures as clients spell them: fields of forms under two names, files that nobody knows, sizes by default, null."""
import base64
import json

import pytest

import pictures
from drawing import PROMPT, drawn, edit, form, generate
from harness import chat_body

PICTURE = pictures.png(32, 32)
MASK = pictures.png(32, 32, alpha=lambda x, y: 255 * (x < 16))


def test_both_names_of_the_picture_are_one_field(images):
    """This model takes one picture: two under different names are two."""
    for files in ([("image", PICTURE), ("image[]", PICTURE)], [("image[]", PICTURE), ("image[]", PICTURE)], [("image", PICTURE), ("image", PICTURE)]):
        error = edit(images, files, 400).error
        assert error["param"] == "body.image" and "multiple" in error["message"]
    want = drawn(edit(images, [("image", PICTURE)]).json["data"][0])
    assert drawn(edit(images, [("image[]", PICTURE)]).json["data"][0]) == want
    assert edit(images, [("image[]", PICTURE)], 400, url="http://127.0.0.1:1/x.png").error["message"].startswith("Received multiple")


def test_a_mask_has_another_name_too(images):
    want = drawn(edit(images, [("image", PICTURE), ("mask", MASK)]).json["data"][0])
    assert drawn(edit(images, [("image", PICTURE), ("mask[]", MASK)]).json["data"][0]) == want
    assert drawn(edit(images, [("image", PICTURE)]).json["data"][0]) != want
    assert edit(images, [("image", PICTURE), ("mask", MASK), ("mask[]", MASK)], 400).error["param"] == "body.mask"


def test_unknown_files_are_named(images, start, checkpoint):
    reply = edit(images, [("image", PICTURE), ("palette", PICTURE), ("palette", PICTURE), ("n", PICTURE)], sparkle=1)
    names = reply.headers["x-ignored-params"].split(",")
    assert sorted(names) == ["n", "palette", "sparkle"], names
    strict = start("--strict-params", models=[checkpoint])
    error = edit(strict, [("image", PICTURE), ("palette", PICTURE)], 400).error
    assert error["param"] == "body.palette" and "--strict-params" in error["message"]


def test_auto_is_the_models_own_size(images, openai_client):
    own = generate(images, size=None).json["size"]
    assert generate(images, size="auto").json["size"] == own == generate(images, size="AUTO").json["size"]
    result = openai_client.images.generate(prompt=PROMPT, size="auto", quality="auto", n=None, user=None, extra_body={"num_inference_steps": 2})
    assert result.size == own


@pytest.mark.parametrize("field", ["n", "size", "response_format", "output_format", "output_compression", "stream", "partial_images", "seed", "lora", "num_inference_steps", "guidance_scale"])
def test_null_is_a_field_that_is_not_given(images, field):
    body = {"prompt": PROMPT, "size": "32x32", "num_inference_steps": 2, "seed": 3}
    reply = images.post("/v1/images/generations", body | {field: None})
    assert reply.status == 200, reply
    if field not in ("size", "seed", "num_inference_steps"):
        assert drawn(reply.json["data"][0]) == drawn(images.post("/v1/images/generations", body).json["data"][0])


@pytest.mark.parametrize("spell", [lambda t: t.rstrip("="), lambda t: t.replace("+", "-").replace("/", "_"), lambda t: "\r\n".join(t[i:i + 76] for i in range(0, len(t), 76))])
def test_base64_in_other_spellings(images, spell):
    # A length that needs padding: bytes after a PNG's end are not read.
    data = PICTURE + b"\xfb\xff" * (1 + len(PICTURE) % 2) + bytes((2 - len(PICTURE)) % 3)
    while len(data) % 3 == 0:
        data += b"\xff"
    url = "data:image/png;base64," + spell(base64.b64encode(data).decode())
    body, headers = form({"prompt": PROMPT, "num_inference_steps": 4, "seed": 1, "url": url})
    reply = images.request("POST", "/v1/images/edits", body, headers)
    assert reply.status == 200, reply
    assert drawn(reply.json["data"][0]) == drawn(edit(images, [("image", PICTURE)]).json["data"][0])


@pytest.mark.parametrize("value", [5, "perhaps", [], {}, 0.5, [True]])
@pytest.mark.parametrize("nested", [False, True])
def test_logprobs_that_are_no_boolean(images, value, nested):
    body = chat_body("a fox", **({"extra_body": {"logprobs": value}} if nested else {"logprobs": value}))
    reply = images.post("/v1/chat/completions", body | {"size": "32x32", "num_inference_steps": 1})
    assert reply.status == 400 and reply.error["param"].endswith("logprobs"), reply


@pytest.mark.parametrize("messages", [
    [{"role": "system", "content": "Be brief."}], [{"role": "assistant", "content": "A fox."}], [{"role": "developer", "content": "x"}, {"role": "assistant", "content": "x"}],
])
def test_a_chat_without_a_user_asks_for_nothing(images, messages):
    reply = images.post("/v1/chat/completions", {"messages": messages, "size": "32x32"})
    assert reply.status == 400 and reply.error["param"] == "body.messages" and "user" in reply.error["message"]


def test_coded_forms_are_read(images):
    import gzip

    body, headers = form({"prompt": PROMPT, "num_inference_steps": 4, "seed": 1}, [("image", PICTURE)])
    reply = images.request("POST", "/v1/images/edits", gzip.compress(body), headers | {"Content-Encoding": "gzip"})
    assert reply.status == 200 and drawn(reply.json["data"][0]) == drawn(edit(images, [("image", PICTURE)]).json["data"][0])
    assert json.loads(reply.body)["size"] == "32x32"
