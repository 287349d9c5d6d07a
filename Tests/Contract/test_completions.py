"""Plain completions, tokens, and the models list."""
import openai
import pytest


def test_a_text_goes_on(client, model):
    answer = client.completions.create(model=model, prompt="Once upon a", max_tokens=5, temperature=0)
    assert answer.object == "text_completion" and answer.choices[0].text and answer.usage.completion_tokens <= 5


def test_sixteen_tokens_are_the_default(client, model):
    assert client.completions.create(model=model, prompt="One, two,", extra_body={"ignore_eos": True}).usage.completion_tokens == 16


def test_a_list_of_prompts_gives_answers_in_order(client, model):
    settings = dict(model=model, max_tokens=6, temperature=0)
    prompts = ["The capital of France is", "One, two, three,", "The capital of France is"]
    answer = client.completions.create(prompt=prompts, **settings)
    assert [c.index for c in answer.choices] == [0, 1, 2]
    assert answer.choices[0].text == answer.choices[2].text != answer.choices[1].text


def test_n_and_several_prompts_multiply(client, model):
    answer = client.completions.create(model=model, prompt=["a", "b"], n=2, max_tokens=2, echo=True)
    assert [c.index for c in answer.choices] == [0, 1, 2, 3]
    assert [c.text[0] for c in answer.choices] == ["a", "a", "b", "b"], "answers to one prompt stand together"


def test_echo_puts_the_prompt_first(client, model):
    settings = dict(model=model, prompt="Roses are red, 紫罗兰 🌷", max_tokens=4, temperature=0)
    plain = client.completions.create(**settings).choices[0].text
    assert client.completions.create(**settings, echo=True).choices[0].text == settings["prompt"] + plain


def test_token_ids_are_a_prompt(client, model, server):
    text = "One, two, three,"
    tokens = server.post("/tokenize", {"prompt": text, "add_special_tokens": False}).json["tokens"]
    settings = dict(model=model, max_tokens=6, temperature=0)
    by_text = client.completions.create(prompt=text, **settings)
    assert client.completions.create(prompt=tokens, **settings).choices[0].text == by_text.choices[0].text
    assert [c.text for c in client.completions.create(prompt=[tokens, tokens], **settings).choices] == [by_text.choices[0].text] * 2


def test_a_token_that_does_not_exist_is_refused(client, model):
    with pytest.raises(openai.BadRequestError):
        client.completions.create(model=model, prompt=[10_000_000], max_tokens=1)


def test_a_stream_says_the_same(client, model):
    settings = dict(model=model, prompt="Once upon a", max_tokens=8, temperature=0)
    whole = client.completions.create(**settings).choices[0].text
    chunks = list(client.completions.create(**settings, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].text for c in chunks if c.choices) == whole
    assert chunks[-1].usage.completion_tokens <= 8


def test_logprobs_are_parallel_lists(client, model):
    logprobs = client.completions.create(model=model, prompt="Once upon a", max_tokens=4, temperature=0, logprobs=2).choices[0].logprobs
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.top_logprobs) == len(logprobs.text_offset)
    assert all(p <= 0 for p in logprobs.token_logprobs) and all(len(t) == 2 for t in logprobs.top_logprobs)
    assert logprobs.text_offset[0] == 0 and logprobs.text_offset[1] == len(logprobs.tokens[0])


def test_tokens_go_there_and_back(server):
    text = "Grüße, 世界! 🚀\n\tTabs too."
    reply = server.post("/tokenize", {"prompt": text, "add_special_tokens": False, "return_token_strs": True}).json
    assert reply["count"] == len(reply["tokens"]) == len(reply["token_strs"]) > 5
    assert server.post("/detokenize", {"tokens": reply["tokens"]}).json["prompt"] == text


def test_tokenize_counts_a_conversation_as_chat_does(server):
    messages = [{"role": "user", "content": "Say hi."}]
    count = server.post("/tokenize", {"messages": messages}).json["count"]
    assert server.chat(max_tokens=1).json["usage"]["prompt_tokens"] == count


def test_the_models_are_listed_and_found(client, model):
    listed = client.models.list().data
    assert [m.id for m in listed] == [model]
    found = client.models.retrieve(model)
    assert found.id == model and found.object == "model" and found.max_model_len > 0


def test_a_model_that_is_not_there_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("no-such-model")
    assert caught.value.param == "model"


def test_embeddings_of_a_chat_model_say_who_can(client, model):
    with pytest.raises(openai.NotFoundError) as caught:
        client.embeddings.create(model=model, input="hi")
    assert caught.value.param == "model" and model in caught.value.message


def test_served_names_reach_the_model(shared):
    server = shared("--served-model-name", "org/first", "second")
    assert [m["id"] for m in server.get("/v1/models").json["data"]] == ["org/first", "second"]
    for name in ("org/first", "second"):
        reply = server.chat(model=name, max_tokens=1)
        assert reply.status == 200
    assert server.get("/v1/models/second").json["id"] == "second"
    assert server.get("/v1/models/org%2Ffirst").json["id"] == "org/first"
    from openai import OpenAI

    assert OpenAI(base_url=server.base_url + "/v1", api_key="x", max_retries=0).models.retrieve("org/first").id == "org/first"


def test_small_operations(server):
    assert server.get("/version").json["version"]
    assert server.get("/load").json == {"server_load": 0}
    assert server.get("/ping").status == 200 and server.post("/ping", b"").status == 200
    assert server.get("/health").json["status"] == "healthy"
