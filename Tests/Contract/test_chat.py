"""Chat through the official OpenAI client."""
import asyncio
import json

import openai
import pytest

from harness import LIMIT, starter_model, wait_until

HI = [{"role": "user", "content": "Say hi."}]


def test_an_answer(client, model):
    answer = client.chat.completions.create(model=model, messages=HI, max_tokens=8, temperature=0)
    assert answer.object == "chat.completion" and answer.model == model and answer.id.startswith("chatcmpl-")
    choice = answer.choices[0]
    assert choice.message.role == "assistant" and choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert 0 < answer.usage.completion_tokens <= 8
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens_details.cached_tokens <= answer.usage.prompt_tokens


def test_the_end_of_max_tokens_is_called_length(client, model):
    answer = client.chat.completions.create(model=model, messages=HI, max_tokens=3, extra_body={"ignore_eos": True})
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 3


def test_max_completion_tokens_wins(client, model):
    answer = client.chat.completions.create(model=model, messages=HI, max_tokens=50, max_completion_tokens=2, extra_body={"ignore_eos": True})
    assert answer.usage.completion_tokens == 2


def test_a_stream_says_what_the_whole_answer_says(client, model):
    settings = dict(model=model, messages=HI, max_tokens=24, temperature=0)
    whole = client.chat.completions.create(**settings)
    chunks = list(client.chat.completions.create(**settings, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == [whole.choices[0].finish_reason]
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert len({c.id for c in chunks}) == 1 and all(c.model == model for c in chunks)


def test_a_stream_without_include_usage_has_no_usage(client, model):
    chunks = list(client.chat.completions.create(model=model, messages=HI, max_tokens=4, stream=True))
    assert all(c.usage is None and c.choices for c in chunks)


def test_n_gives_that_many_answers(client, model):
    answer = client.chat.completions.create(model=model, messages=HI, max_tokens=8, n=3, temperature=1.5, seed=5, extra_body={"ignore_eos": True})
    assert [c.index for c in answer.choices] == [0, 1, 2]
    assert len({c.message.content for c in answer.choices}) > 1, "three hot samples were all the same"
    assert answer.usage.completion_tokens == 24


def test_n_in_a_stream_keeps_the_answers_apart(client, model):
    """Every answer is the one text that may be said: a piece in the other's stream would show, and rounding cannot."""
    words = "one two three four five six seven"
    texts, ends = {}, {}
    only = {"type": "json_schema", "json_schema": {"name": "words", "schema": {"enum": [words]}}}
    for chunk in client.chat.completions.create(model=model, messages=HI, max_tokens=40, n=2, stream=True, response_format=only):
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            if choice.finish_reason:
                assert choice.index not in ends
                ends[choice.index] = choice.finish_reason
    assert sorted(texts) == sorted(ends) == [0, 1]
    assert {index: json.loads(text) for index, text in texts.items()} == {0: words, 1: words} and set(ends.values()) == {"stop"}


def test_a_stop_text_ends_the_answer_and_is_not_in_it(client, model):
    settings = dict(model=model, messages=HI, max_tokens=40, temperature=0)
    full = client.chat.completions.create(**settings).choices[0].message.content
    stop = full.split()[2]
    cut = client.chat.completions.create(**settings, stop=[stop])
    assert cut.choices[0].message.content == full[: full.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


def test_a_stop_text_over_several_tokens_leaks_nothing_into_a_stream(client, model):
    settings = dict(model=model, messages=HI, max_tokens=40, temperature=0)
    full = client.chat.completions.create(**settings).choices[0].message.content
    start = len(full) // 3
    stop = full[start : start + 9]
    chunks = client.chat.completions.create(**settings, stop=stop, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == full[: full.index(stop)]


def test_a_seed_repeats_and_another_differs(client, model):
    def ask(seed):
        return client.chat.completions.create(
            model=model, messages=HI, max_tokens=16, temperature=1.2, seed=seed, extra_body={"ignore_eos": True}).choices[0].message.content

    assert ask(11) == ask(11)
    assert len({ask(seed) for seed in (11, 12, 13)}) > 1


def test_logprobs_come_with_every_token(client, model):
    answer = client.chat.completions.create(model=model, messages=HI, max_tokens=6, temperature=0, logprobs=True, top_logprobs=3)
    entries = answer.choices[0].logprobs.content
    assert len(entries) in (answer.usage.completion_tokens, answer.usage.completion_tokens - 1)  # the end token has no text
    for entry in entries:
        assert entry.logprob <= 0 and len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].token == entry.token, "greedy takes the likeliest"
        assert [t.logprob for t in entry.top_logprobs] == sorted((t.logprob for t in entry.top_logprobs), reverse=True)
    assert b"".join(bytes(e.bytes) for e in entries).decode() == answer.choices[0].message.content


def test_logprobs_in_a_stream_are_those_of_the_whole_answer(client, model):
    settings = dict(model=model, messages=HI, max_tokens=6, temperature=0, logprobs=True, top_logprobs=1)
    whole = [e.token for e in client.chat.completions.create(**settings).choices[0].logprobs.content]
    streamed = []
    for chunk in client.chat.completions.create(**settings, stream=True):
        for choice in chunk.choices:
            streamed += [e.token for e in (choice.logprobs.content if choice.logprobs else None) or []]
    assert streamed == whole


def test_logit_bias_forces_and_forbids(client, model, server):
    token = server.post("/tokenize", {"prompt": " yes", "add_special_tokens": False}).json["tokens"][0]
    forced = client.chat.completions.create(model=model, messages=HI, max_tokens=3, temperature=0, logit_bias={str(token): 100}, extra_body={"ignore_eos": True})
    assert forced.choices[0].message.content.strip() == "yes yes yes"
    plain = client.chat.completions.create(model=model, messages=HI, max_tokens=1, temperature=0, logprobs=True)
    first = plain.choices[0].logprobs.content[0].token
    banned = server.post("/tokenize", {"prompt": first, "add_special_tokens": False}).json["tokens"][0]
    other = client.chat.completions.create(model=model, messages=HI, max_tokens=1, temperature=0, logprobs=True, logit_bias={str(banned): -100})
    assert other.choices[0].logprobs.content[0].token != first


def test_the_system_prompt_is_read(client, model):
    def prompt(*messages):
        return client.chat.completions.create(model=model, messages=list(messages), max_tokens=1).usage.prompt_tokens

    short = prompt({"role": "system", "content": "Be kind."}, *HI)
    assert prompt({"role": "system", "content": "Be kind. " * 20}, *HI) > short + 20
    assert prompt({"role": "developer", "content": "Be kind. " * 20}, *HI) > short + 20


def test_a_conversation_goes_on(client, model):
    turns = [*HI, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "And again?"}]
    answer = client.chat.completions.create(model=model, messages=turns, max_tokens=4)
    assert answer.usage.prompt_tokens > client.chat.completions.create(model=model, messages=HI, max_tokens=4).usage.prompt_tokens


def test_a_text_part_is_the_same_as_text(client, model):
    settings = dict(model=model, max_tokens=12, temperature=0)
    parts = [{"role": "user", "content": [{"type": "text", "text": "Say hi."}]}]
    assert (
        client.chat.completions.create(messages=parts, **settings).choices[0].message.content
        == client.chat.completions.create(messages=HI, **settings).choices[0].message.content)


def test_a_picture_for_a_model_without_eyes_is_refused_by_name(client, model):
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
    with pytest.raises(openai.BadRequestError, match="image_url"):
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])


def test_the_same_prompt_again_is_taken_from_the_cache(client, model):
    messages = [{"role": "user", "content": "Count the legs of " + ", ".join(f"animal {i}" for i in range(40))}]
    first = client.chat.completions.create(model=model, messages=messages, max_tokens=2, temperature=0)
    again = client.chat.completions.create(model=model, messages=messages, max_tokens=2, temperature=0)
    assert again.usage.prompt_tokens_details.cached_tokens > 40
    assert again.choices[0].message.content == first.choices[0].message.content


def test_emoji_and_cjk_are_never_split(client, model, server):
    """Forced by the logits: every second token is a piece of a character. What arrives is what the tokens' bytes say together."""
    text = "😀你好🎉"
    tokens = server.post("/tokenize", {"prompt": text, "add_special_tokens": False}).json["tokens"]
    assert len(tokens) > 4, "the text should be made of pieces of characters"
    bias = {str(token): 100 for token in tokens}
    for subject in ("a cat", "rain", "the sea"):
        # The penalty makes it change pieces.
        asked = dict(
            model=model, messages=[{"role": "user", "content": f"Draw {subject}."}], max_tokens=40, temperature=0, frequency_penalty=2, logit_bias=bias,
            logprobs=True, extra_body={"ignore_eos": True})
        streamed, pieces = "", []
        for chunk in client.chat.completions.create(**asked, stream=True):
            streamed += chunk.choices[0].delta.content or ""
            pieces += chunk.choices[0].logprobs.content if chunk.choices[0].logprobs else []
        whole = client.chat.completions.create(**asked).choices[0]
        for said, of in ((streamed, pieces), (whole.message.content, whole.logprobs.content)):
            assert len(of) == 40 and said == bytes(byte for piece in of for byte in piece.bytes).decode(errors="replace")
            assert any(ord(c) > 0x7F for c in said)
        streamed.encode("utf-8")  # no lone surrogates


def test_whole_characters_arrive_whole(server, model):
    """A character of several tokens is one event: no event holds a replacement character, since the bytes are valid."""
    text = "🦜"
    tokens = server.post("/tokenize", {"prompt": text, "add_special_tokens": False}).json["tokens"]
    assert len(tokens) > 1
    # Echo goes through the same assembler as an answer.
    with_pieces = server.post("/v1/completions", {"model": model, "prompt": tokens * 3, "max_tokens": 1, "echo": True, "stream": True})
    events = [json.loads(line[6:]) for line in with_pieces.body.decode("utf-8").splitlines() if line.startswith("data: {")]
    said = "".join(e["choices"][0]["text"] for e in events if e["choices"])
    assert said.startswith(text * 3)
    assert all("\ufffd" not in e["choices"][0]["text"] for e in events[:1] if e["choices"])


def test_a_client_that_cancels_stops_its_answer(server, model):
    async def leave():
        async with openai.AsyncOpenAI(base_url=server.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
            stream = await client.chat.completions.create(
                model=model, messages=HI, max_tokens=4000, stream=True, extra_body={"ignore_eos": True})
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
            await stream.close()
            task = asyncio.create_task(client.chat.completions.create(model=model, messages=HI, max_tokens=4000, extra_body={"ignore_eos": True}))
            await asyncio.to_thread(server.wait_running, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    before = server.metric("omni:requests_cancelled_total") or 0
    asyncio.run(leave())
    server.wait_idle()
    wait_until(lambda: server.metric("omni:requests_cancelled_total") >= before + 2, "both cancellations to be counted")


def test_batch_answers_every_conversation(server, model):
    body = {"messages": [HI, [{"role": "user", "content": "Count to three."}]], "max_tokens": 6, "temperature": 0}
    reply = server.post("/v1/chat/completions/batch", body)
    assert reply.status == 200 and [c["index"] for c in reply.json["choices"]] == [0, 1]
    alone = [server.post("/v1/chat/completions", body | {"messages": m}).json for m in body["messages"]]
    assert [c["message"]["content"] for c in reply.json["choices"]] == [a["choices"][0]["message"]["content"] for a in alone]
    assert reply.json["usage"]["completion_tokens"] == sum(a["usage"]["completion_tokens"] for a in alone)


def test_batch_fails_whole_when_one_conversation_is_bad(server):
    reply = server.post("/v1/chat/completions/batch", {"messages": [HI, []]})
    assert reply.status == 400 and "messages" in reply.error["param"]


# What stands in the seed, for a text server.

def test_the_seeds_stream(client):
    model = client.models.list().data[0].id
    response = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Tell me about AI"}], stream=True, max_tokens=8)
    said = ""
    for chunk in response:
        if chunk.choices[0].delta.content:
            said += chunk.choices[0].delta.content
    assert said


def test_the_seeds_health_check(server):
    import requests

    resp = requests.get(f"{server.base_url}/health")
    assert resp.status_code == 200


def test_a_request_without_a_model_reaches_the_only_one(server, model):
    assert server.chat(max_tokens=2).json["model"] == model


# Going on with a message.

BEGUN = [{"role": "user", "content": "Count from one to six, in words."}, {"role": "assistant", "content": "One, two, three,"}]
CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}


def test_the_last_message_is_continued(client, model):
    answer = client.chat.completions.create(model=model, messages=BEGUN, max_tokens=12, temperature=0, extra_body=CONTINUE).choices[0].message
    assert answer.role == "assistant" and answer.content.lower().lstrip().startswith("four")
    echoed = client.chat.completions.create(model=model, messages=BEGUN, max_tokens=12, temperature=0, extra_body=CONTINUE | {"echo": True})
    assert echoed.choices[0].message.content == BEGUN[1]["content"] + answer.content


def test_a_continued_message_is_echoed_in_a_stream(client, model):
    settings = dict(model=model, messages=BEGUN, max_tokens=12, temperature=0, extra_body=CONTINUE | {"echo": True})
    whole = client.chat.completions.create(**settings).choices[0].message.content
    pieces = [c.choices[0].delta.content for c in client.chat.completions.create(**settings, stream=True) if c.choices]
    assert pieces[:2] == ["", BEGUN[1]["content"]] and "".join(p or "" for p in pieces) == whole


def test_a_users_words_are_continued_in_the_users_name(client, model):
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Tell me how to bake a"}], max_tokens=4, temperature=0, extra_body=CONTINUE)
    assert answer.choices[0].message.role == "user"


@pytest.mark.parametrize("fields", [{"continue_final_message": True}, {"continue_final_message": True, "add_generation_prompt": True}])
def test_a_message_is_not_begun_and_continued_at_once(client, model, fields):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=BEGUN, extra_body=fields)
    assert caught.value.param == "body.continue_final_message" and "add_generation_prompt" in caught.value.message


# Defaults for sampling.

def test_a_models_own_defaults_hold_where_a_request_says_nothing(start, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "small.gguf").symlink_to(starter_model())
    (folder / "generation_config.json").write_text('{"temperature": 0, "max_new_tokens": 6}')
    server = start(models=[folder / "small.gguf"])
    with openai.OpenAI(base_url=server.base_url + "/v1", api_key="unused", max_retries=0) as client:
        def ask(**settings):
            return client.chat.completions.create(model="small", messages=HI, extra_body={"ignore_eos": True}, **settings)

        assert ask().choices[0].message.content == ask(temperature=0, max_tokens=6).choices[0].message.content
        assert ask().usage.completion_tokens == 6 and ask(max_tokens=9).usage.completion_tokens == 9
        hot = {ask(temperature=5, seed=seed).choices[0].message.content for seed in range(3)}
        assert len(hot) > 1, "the request's temperature must win"
    told = server.get("/v1/capabilities").json["data"][0]["text"]["default_sampling"]
    assert told == {"temperature": 0, "max_new_tokens": 6}


@pytest.mark.parametrize("flags, told", [
    (["--generation-config", "vllm"], {}),
    (["--override-generation-config", '{"temperature": 0.5, "top_k": 3}'], {"temperature": 0.5, "top_p": 0.9, "top_k": 3}),
    (["--generation-config", "vllm", "--override-generation-config", '{"min_p": 0.1}'], {"min_p": 0.1}),
])
def test_the_flags_for_defaults(start, tmp_path, flags, told):
    (tmp_path / "small.gguf").symlink_to(starter_model())
    (tmp_path / "generation_config.json").write_text('{"temperature": 0.2, "top_p": 0.9}')
    server = start(*flags, models=[tmp_path / "small.gguf"])
    assert server.get("/v1/capabilities").json["data"][0]["text"].get("default_sampling", {}) == told
