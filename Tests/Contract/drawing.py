"""The tiny random Z-Image checkpoint behind a server, and how tests ask it for pictures."""
import base64
import io
import shutil

import pytest

import pictures
from harness import LIMIT, ROOT

FIXTURES = ROOT / "Tests/Fixtures/zimage"
PROMPT = "a red fox over the hill, 1889"
#: Takes minutes unless it is stopped.
ENDLESS = {"prompt": "x", "size": "256x256", "num_inference_steps": 200, "n": 10}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """The tiny checkpoint under a name by which it takes few steps."""
    folder = tmp_path_factory.mktemp("models") / "zimage-turbo"
    shutil.copytree(FIXTURES / "small", folder)
    return folder


@pytest.fixture(scope="session")
def images(checkpoint, shared):
    return shared(models=[checkpoint])


@pytest.fixture(scope="session")
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
