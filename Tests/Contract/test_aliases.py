"""The names of OpenAI's models, which clients have built in, and links in the place of pictures."""
import base64
import urllib.request

import openai
import pytest

from harness import LIMIT, ROOT, Server, starter_model
from retrieving import MINILM

IMAGES = ROOT / "Models/omni-emoji"


@pytest.fixture(scope="module")
def aliased(tmp_path_factory):
    """The starters that are quick, under OpenAI's names too."""
    with Server(tmp_path_factory.mktemp("aliased"), "--openai-aliases", models=[starter_model().parent.name, "joe", MINILM.name, IMAGES]) as server:
        yield server
        assert server.process.poll() is None


@pytest.fixture(scope="module")
def sdk(aliased):
    with openai.OpenAI(base_url=aliased.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


def test_a_chat_goes_to_the_text_model_which_is_named(sdk):
    raw = sdk.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hi."}], max_tokens=4)
    assert raw.parse().model == "smollm2-135m-instruct" and raw.headers["x-ignored-params"] == "model"
    stream = sdk.chat.completions.with_raw_response.create(model="gpt-4o", messages=[{"role": "user", "content": "Say hi."}], max_tokens=4, stream=True)
    assert stream.headers["x-ignored-params"] == "model" and {c.model for c in stream.parse()} == {"smollm2-135m-instruct"}
    own = sdk.chat.completions.with_raw_response.create(model="smollm2-135m-instruct", messages=[{"role": "user", "content": "Say hi."}], max_tokens=4)
    assert "x-ignored-params" not in own.headers


def test_responses_and_messages_too(sdk, aliased):
    raw = sdk.responses.with_raw_response.create(model="gpt-5-mini", input="Say hi.", max_output_tokens=16)
    assert raw.parse().model == "smollm2-135m-instruct" and raw.headers["x-ignored-params"] == "model"
    told = aliased.post("/v1/messages", {"model": "gpt-4o", "max_tokens": 4, "messages": [{"role": "user", "content": "Say hi."}]})
    assert told.status == 200 and told.headers["x-ignored-params"] == "model"


def test_embeddings_speech_and_pictures(sdk, aliased):
    raw = sdk.embeddings.with_raw_response.create(model="text-embedding-3-small", input="x")
    assert raw.parse().model == "all-minilm-l6-v2" and raw.headers["x-ignored-params"] == "model"
    spoken = sdk.audio.speech.with_raw_response.create(model="tts-1", voice="alloy", input="Hi.", response_format="wav")
    assert spoken.content[:4] == b"RIFF" and set(spoken.headers["x-ignored-params"].split(",")) == {"model", "voice"}
    drawn = sdk.images.with_raw_response.generate(model="gpt-image-1", prompt="an apple", size="64x64", extra_body={"num_inference_steps": 1})
    assert base64.b64decode(drawn.parse().data[0].b64_json)[:4] == b"\x89PNG" and drawn.headers["x-ignored-params"] == "model"


def test_ids_of_openai_s_tokenizer_are_refused(sdk):
    """As LangChain's client sends them by default: they would be read as other words."""
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.embeddings.create(model="text-embedding-3-small", input=[[101, 2003, 102]])
    assert refused.value.body["param"] == "body.input" and "check_embedding_ctx_length" in refused.value.message
    assert len(sdk.embeddings.create(model="all-minilm-l6-v2", input=[[101, 2003, 102]]).data) == 1


def test_a_name_of_another_kind_or_of_a_kind_that_is_not_served_is_not_there(sdk, aliased):
    with pytest.raises(openai.NotFoundError) as other:
        sdk.embeddings.create(model="gpt-4o", input="x")
    assert other.value.body["param"] == "model"
    missing = aliased.post("/v1/videos", {"model": "sora-2", "prompt": "x"})
    assert missing.status == 404 and missing.error["param"] == "model"


def test_the_model_behind_a_name_can_be_asked_for(sdk):
    assert sdk.models.retrieve("gpt-4o-mini").id == "smollm2-135m-instruct"
    assert "gpt-4o-mini" not in {m.id for m in sdk.models.list()}


def test_without_the_flag_the_error_names_it(server):
    refused = server.post("/v1/chat/completions", {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]})
    assert refused.status == 404 and "--openai-aliases" in refused.error["message"] and refused.error["param"] == "model"
    unknown = server.post("/v1/chat/completions", {"model": "nobody", "messages": [{"role": "user", "content": "hi"}]})
    assert unknown.status == 404 and "--openai-aliases" not in unknown.error["message"]


def test_the_flag_stands_in_a_configuration_file_too(start, tmp_path):
    config = tmp_path / "omni.yaml"
    config.write_text(f"openai-aliases: true\nmodels:\n  - path: {ROOT / 'Tests/Fixtures/text/tiny-embed.gguf'}\n")
    server = start("--config", config, models=[])
    assert server.post("/v1/embeddings", {"model": "text-embedding-ada-002", "input": "x"}).json["model"] == "tiny-embed"


def fetched(url):
    with urllib.request.urlopen(url, timeout=LIMIT) as reply:
        return reply.headers["content-type"], reply.read()


def test_a_picture_s_link_leads_to_it(sdk, aliased):
    reply = sdk.images.generate(model="dall-e-3", prompt="an apple", size="64x64", n=2, response_format="url", extra_body={"num_inference_steps": 1, "seed": 3})
    plain = sdk.images.generate(model="dall-e-3", prompt="an apple", size="64x64", n=2, response_format="b64_json", extra_body={"num_inference_steps": 1, "seed": 3})
    for linked, whole in zip(reply.data, plain.data, strict=True):
        assert linked.b64_json is None and linked.url.startswith(aliased.base_url + "/v1/images/img_")
        assert fetched(linked.url) == ("image/png", base64.b64decode(whole.b64_json))
    assert aliased.get("/v1/images/img_00000000000000000000000000000000/content").status == 404


def test_edits_have_links_too(sdk):
    source = base64.b64decode(sdk.images.generate(prompt="an apple", size="64x64", extra_body={"num_inference_steps": 1}).data[0].b64_json)
    reply = sdk.images.edit(model="dall-e-2", image=("a.png", source), prompt="a pear", response_format="url", extra_body={"num_inference_steps": 1, "output_format": "webp"})
    kind, data = fetched(reply.data[0].url)
    assert kind == "image/webp" and data[:4] == b"RIFF"


def test_a_link_needs_no_key_and_holds_behind_a_proxy(start):
    server = start("--api-key", "sekret", models=[IMAGES])
    body = {"prompt": "an apple", "size": "64x64", "num_inference_steps": 1, "response_format": "url"}
    reply = server.post("/v1/images/generations", body, {"Authorization": "Bearer sekret", "Host": "pictures.example", "X-Forwarded-Proto": "https"})
    link = reply.json["data"][0]["url"]
    assert link.startswith("https://pictures.example/v1/images/img_")
    picture = server.get(link.removeprefix("https://pictures.example"))
    assert picture.status == 200 and picture.body[:4] == b"\x89PNG"
    assert server.post("/v1/images/generations", body).status == 401
