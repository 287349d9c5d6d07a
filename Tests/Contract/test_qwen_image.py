"""Pictures of the tiny random Qwen-Image checkpoints through the official client: the reference's own, from each layout of files."""
import base64

import pytest
from openai import BadRequestError, OpenAI

import pictures
from harness import LIMIT, ROOT, Server

FIXTURES = ROOT / "Tests/Fixtures/qwen-image"
PROMPT = "a red fox over the hill, 1889"


@pytest.fixture(scope="module", params=["small", "other"])
def served(request, tmp_path_factory):
    """A client of the checkpoint's server, and the checkpoint's goldens."""
    with Server(tmp_path_factory.mktemp("qwen"), models=[FIXTURES / request.param]) as server:
        workers = server.workers()
        with OpenAI(base_url=server.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
            yield client, FIXTURES / f"{request.param}.goldens.safetensors"
        assert server.workers() == workers, "the worker died"


def distance(served, name, seed, **fields):
    """How near, in decibels, what the server draws is to a golden picture."""
    client, goldens = served
    width, height, reference = pictures.golden(goldens, name)
    model = client.models.list().data[0].id
    result = client.images.generate(model=model, prompt=PROMPT, size=f"{width}x{height}", extra_body={"seed": seed} | fields)
    drawn = pictures.decode(base64.b64decode(result.data[0].b64_json))
    assert drawn[:2] == (width, height)
    return pictures.psnr(drawn[2], reference)


def test_a_picture_after_a_text(served):
    assert distance(served, "text.image", 42, num_inference_steps=4) >= 45


def test_guidance_by_its_own_name(served):
    guided = dict(num_inference_steps=4, negative_prompt="blurry")
    assert distance(served, "text.cfg.image", 43, true_cfg_scale=3.5, **guided) >= 45
    # Its pipeline's own name goes before the other; alone, the other says the same.
    assert distance(served, "text.cfg.image", 43, true_cfg_scale=3.5, guidance_scale=1.0, **guided) >= 45
    assert distance(served, "text.cfg.image", 43, guidance_scale=3.5, **guided) >= 45
    assert distance(served, "text.cfg.image", 43, true_cfg_scale=1.0, **guided) < 40


def test_the_scale_is_the_pipelines_where_nothing_is_said(served):
    assert distance(served, "text.default.image", 44, num_inference_steps=3, negative_prompt=" ") >= 45


def test_sizes_that_the_model_cannot_draw_are_continued_and_cut(served):
    client, _ = served
    model = client.models.list().data[0].id
    result = client.images.generate(model=model, prompt=PROMPT, size="50x37", extra_body={"num_inference_steps": 1})
    assert pictures.decode(base64.b64decode(result.data[0].b64_json))[:2] == (50, 37)
    with pytest.raises(BadRequestError):
        client.images.generate(model=model, prompt=PROMPT, size="50x37", extra_body={"num_inference_steps": 1, "true_cfg_scale": 99})
