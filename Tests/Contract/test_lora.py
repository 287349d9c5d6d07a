"""Low-rank adapters of a language model: models of their own, loaded and unloaded, and refused by name."""
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai
import pytest
from harness import ROOT, Server

FIXTURES = ROOT / "Tests/OmniConversionTests/Fixtures"
ADAPTERS = FIXTURES / "adapters"
PROMPT = {"prompt": "The sun and the moon", "max_tokens": 12, "temperature": 0, "ignore_eos": True}


def tiny(folder):
    """The tiny random Llama that the adapters are for, as a checkpoint is published."""
    folder.mkdir(parents=True)
    for part in ["checkpoints/llama3", "tokenizers/llama3"]:
        for file in (FIXTURES / part).iterdir():
            if file.name not in ["golden.json", "ids.json"]:
                shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    """A server of the tiny model with an adapter in each form, and more to be loaded while it runs."""
    folder = tmp_path_factory.mktemp("lora")
    second = json.dumps({"name": "other", "path": str(ADAPTERS / "llama3-other.gguf"), "base_model_name": "tiny"})
    with Server(
        folder / "server", "--enable-lora", "--lora-modules", f"sql={ADAPTERS / 'llama3'}", second, "--allow-runtime-lora-updating",
        "--served-model-name", "tiny", models=[tiny(folder / "tiny")],
    ) as server:
        workers = server.workers()
        yield server
        assert server.workers() == workers, "the worker died"


def text(server, model, **fields):
    reply = server.post("/v1/completions", PROMPT | {"model": model} | fields)
    assert reply.status == 200 and reply.json["model"] == model, reply
    return reply.json["choices"][0]["text"]


def test_each_adapter_is_a_model_of_its_own(adapted):
    models = {each["id"]: each for each in adapted.get("/v1/models").json["data"]}
    assert list(models) == ["tiny", "sql", "other"] and models["tiny"]["parent"] is None
    assert models["sql"]["parent"] == "tiny" and models["sql"]["root"] == str(ADAPTERS / "llama3")
    assert models["other"]["root"].endswith(".gguf") and models["other"]["max_model_len"] == models["tiny"]["max_model_len"]
    assert adapted.get("/v1/models/sql").json["parent"] == "tiny"
    assert len({text(adapted, name) for name in models}) == 3


def test_chats_responses_and_messages_by_an_adapters_name(adapted):
    said = [{"role": "user", "content": "Say hi."}]
    with openai.OpenAI(base_url=adapted.base_url + "/v1", api_key="x", max_retries=0) as client:
        def chat(model):
            return client.chat.completions.create(model=model, messages=said, max_tokens=8, temperature=0, extra_body={"ignore_eos": True})
        assert chat("sql").model == "sql" and chat("sql").choices[0].message.content != chat("tiny").choices[0].message.content
        chunks = list(client.chat.completions.create(model="sql", messages=said, max_tokens=8, temperature=0, stream=True, extra_body={"ignore_eos": True}))
        assert {each.model for each in chunks} == {"sql"}
        assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices) == chat("sql").choices[0].message.content
        response = client.responses.create(model="other", input="Say hi.", max_output_tokens=16, temperature=0)
        assert response.model == "other"
    with anthropic.Anthropic(base_url=adapted.base_url, api_key="x", max_retries=0) as client:
        assert client.messages.create(model="sql", messages=said, max_tokens=8).model == "sql"


def test_beside_each_other_each_says_what_it_says_alone(adapted):
    names = ["tiny", "sql", "other"]
    alone = {name: text(adapted, name, max_tokens=40) for name in names}
    with ThreadPoolExecutor(9) as pool:
        for name, found in pool.map(lambda name: (name, text(adapted, name, max_tokens=40)), names * 4):
            assert found == alone[name]


def test_adapters_come_and_go_while_the_server_runs(adapted):
    load = {"lora_name": "late", "lora_path": str(ADAPTERS / "llama3-other")}
    reply = adapted.post("/v1/load_lora_adapter", load)
    assert reply.status == 200 and reply.body.decode() == "Success: LoRA adapter 'late' added successfully."
    assert text(adapted, "late") == text(adapted, "other")
    again = adapted.post("/v1/load_lora_adapter", load)
    assert again.status == 400 and "already" in again.json["error"]["message"]
    assert adapted.post("/v1/load_lora_adapter", load | {"lora_name": "tiny", "load_inplace": True}).status == 400
    assert adapted.post("/v1/load_lora_adapter", {"lora_name": "late", "lora_path": str(ADAPTERS / "llama3"), "load_inplace": True}).status == 200
    assert text(adapted, "late") == text(adapted, "sql")
    reply = adapted.post("/v1/unload_lora_adapter", {"lora_name": "late"})
    assert reply.status == 200 and reply.body.decode() == "Success: LoRA adapter 'late' removed successfully."
    assert adapted.post("/v1/completions", PROMPT | {"model": "late"}).status == 404
    assert adapted.post("/v1/unload_lora_adapter", {"lora_name": "late"}).status == 404
    assert adapted.post("/v1/unload_lora_adapter", {"lora_name": "tiny"}).status == 404


@pytest.mark.parametrize("path, status, word", [
    ("/nowhere", 404, "There is no such adapter"), (ADAPTERS / "qwen3", 400, "lm_head"),
    (FIXTURES / "checkpoints/llama3", 404, "adapter_config.json"), (ADAPTERS / "llama3/golden.json", 400, "cannot be read"),
])
def test_what_does_not_fit_is_refused_with_the_reason(adapted, path, status, word):
    reply = adapted.post("/v1/load_lora_adapter", {"lora_name": "bad", "lora_path": str(path)})
    assert reply.status == status and word in reply.json["error"]["message"], reply
    assert adapted.get("/v1/models/bad").status == 404


def test_a_changed_adapter_is_read_anew(adapted, tmp_path):
    place = shutil.copytree(ADAPTERS / "llama3", tmp_path / "changing")
    assert adapted.post("/v1/load_lora_adapter", {"lora_name": "changing", "lora_path": str(place)}).status == 200
    assert text(adapted, "changing") == text(adapted, "sql")
    for file in ["adapter_config.json", "adapter_model.safetensors"]:
        shutil.copy(ADAPTERS / "llama3-other" / file, place)
    assert text(adapted, "changing") == text(adapted, "other")
    shutil.rmtree(place)
    gone = adapted.post("/v1/completions", PROMPT | {"model": "changing"})
    assert gone.status == 404 and "changing" in gone.json["error"]["message"]
    assert adapted.post("/v1/unload_lora_adapter", {"lora_name": "changing"}).status == 200


def test_off_unless_allowed(server):
    for path in ["/v1/load_lora_adapter", "/v1/unload_lora_adapter"]:
        reply = server.post(path, {"lora_name": "a", "lora_path": "/b"})
        assert reply.status == 404 and "--allow-runtime-lora-updating" in reply.json["error"]["message"]


def test_a_start_with_a_bad_adapter_names_all_of_them(start, tmp_path):
    with pytest.raises(AssertionError) as ended:
        start("--enable-lora", "--lora-modules", "a=/nowhere", f"b={ADAPTERS / 'qwen3'}", models=[tiny(tmp_path / "tiny")])
    assert "`a` cannot be used" in str(ended.value) and "`b` cannot be used" in str(ended.value)
