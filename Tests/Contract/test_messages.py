"""Anthropic's Messages API, through its official client. The starter model is too small to choose well by itself, so it is made to call."""
import json

import anthropic
import pytest

from harness import KEYS

#: The client types no temperature any more; older ones send it.
GREEDY = {"temperature": 0}
HELLO = [{"role": "user", "content": "Say hello to the sea."}]
WEATHER = {
    "name": "get_weather", "description": "The weather in a city.",
    "input_schema": {
        "type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}, "required": ["city"], "additionalProperties": False},
}
ASK = dict(max_tokens=100, extra_body=GREEDY, tools=[WEATHER], messages=[{"role": "user", "content": "What is the weather in Paris?"}],
           tool_choice={"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True})


@pytest.fixture(scope="module")
def claude(server):
    with anthropic.Anthropic(base_url=server.base_url, api_key="unused", max_retries=0, timeout=180) as client:
        yield client


def test_a_message_is_answered_as_a_chat_is(claude, client, model):
    message = claude.messages.create(model=model, max_tokens=24, extra_body=GREEDY, system="Be brief.", messages=HELLO)
    chat = client.chat.completions.create(
        model=model, max_tokens=24, temperature=0, messages=[{"role": "system", "content": "Be brief."}, *HELLO])
    assert message.content[0].type == "text" and message.content[0].text == chat.choices[0].message.content
    assert (message.type, message.role, message.model) == ("message", "assistant", model) and message.id.startswith("msg_")
    assert message.stop_reason == {"stop": "end_turn", "length": "max_tokens"}[chat.choices[0].finish_reason]
    usage = message.usage
    assert usage.input_tokens + usage.cache_read_input_tokens == chat.usage.prompt_tokens and usage.output_tokens == chat.usage.completion_tokens


def test_a_stream_adds_up_to_the_whole_message(claude, model):
    settings = dict(model=model, max_tokens=24, extra_body=GREEDY, messages=HELLO)
    whole = claude.messages.create(**settings)
    with claude.messages.stream(**settings) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == final.content[0].text == whole.content[0].text and final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens
    kinds = [event.type for event in claude.messages.create(**settings, stream=True)]
    pieces = kinds.count("content_block_delta")
    assert kinds == ["message_start", "content_block_start", *["content_block_delta"] * pieces, "content_block_stop", "message_delta", "message_stop"], kinds
    assert pieces > 1


def test_a_stop_sequence_is_named(claude, model):
    whole = claude.messages.create(model=model, max_tokens=24, extra_body=GREEDY, messages=HELLO).content[0].text
    stop = whole.split()[2]
    message = claude.messages.create(model=model, max_tokens=24, extra_body=GREEDY, messages=HELLO, stop_sequences=[stop])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", stop)
    assert message.content[0].text == whole[:whole.index(stop)]


def test_a_tool_is_called_and_its_result_goes_back(claude, model):
    first = claude.messages.create(model=model, **ASK)
    call = next(block for block in first.content if block.type == "tool_use")
    assert first.stop_reason == "tool_use" and call.name == "get_weather" and call.input["city"] in ("Paris", "Rome") and call.id
    second = claude.messages.create(model=model, max_tokens=16, tools=[WEATHER], tool_choice={"type": "none"}, messages=[
        *ASK["messages"], {"role": "assistant", "content": first.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny, 25 degrees"}]}])
    assert second.content[0].text
    with claude.messages.stream(model=model, **ASK) as stream:
        streamed = next(block for block in stream.get_final_message().content if block.type == "tool_use")
    assert (streamed.name, streamed.input) == (call.name, call.input)


def test_an_answer_that_was_begun_goes_on(claude, model):
    begun = [{"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": "The capital of France is"}]
    answer = claude.messages.create(model=model, max_tokens=8, extra_body=GREEDY, messages=begun)
    assert answer.content[0].text.strip().startswith("Paris")


def test_tokens_are_counted_as_they_are_billed(claude, model):
    asked = dict(model=model, messages=ASK["messages"], system="Be brief.", tools=[WEATHER])
    count = claude.messages.count_tokens(**asked).input_tokens
    usage = claude.messages.create(**asked, max_tokens=1).usage
    assert count == usage.input_tokens + usage.cache_read_input_tokens
    assert count > claude.messages.count_tokens(model=model, messages=ASK["messages"]).input_tokens


def test_errors_have_the_shape_and_status_of_this_api(claude, model, server):
    def fails(kind, status, name, **settings):
        with pytest.raises(kind) as caught:
            claude.messages.create(**{"model": model, "max_tokens": 8, "messages": HELLO, **settings})
        error = caught.value
        assert error.status_code == status and error.body["type"] == "error" and error.body["error"]["type"] == name, error.body
        return error.body["error"]["message"]

    assert "does not exist" in fails(anthropic.NotFoundError, 404, "not_found_error", model="claude")
    assert "temperature" in fails(anthropic.BadRequestError, 400, "invalid_request_error", extra_body={"temperature": 1.5})
    assert fails(anthropic.BadRequestError, 400, "invalid_request_error", messages=[{"role": "user", "content": "sea " * 40000}]).startswith("prompt is too long: ")
    assert "input_schema" in fails(anthropic.BadRequestError, 400, "invalid_request_error", tools=[{"type": "bash_20250124", "name": "bash"}])
    assert server.get("/v1/messages").json["error"]["type"] == "invalid_request_error"
    raw = claude.messages.with_raw_response.create(model=model, max_tokens=2, messages=HELLO, thinking={"type": "enabled", "budget_tokens": 1024}, metadata={"user_id": "x"})
    assert set(raw.headers["x-ignored-params"].split(",")) == {"thinking.budget_tokens", "metadata"}


def test_the_key_opens_without_a_bearer(shared):
    server = shared(*KEYS)
    for key, opens in [("sekret", True), ("wrong", False)]:
        with anthropic.Anthropic(base_url=server.base_url, api_key=key, max_retries=0) as client:
            if opens:
                assert client.messages.create(model=client.models.list().data[0].id, max_tokens=2, messages=HELLO).content
            else:
                with pytest.raises(anthropic.AuthenticationError) as caught:
                    client.messages.create(model="any", max_tokens=2, messages=HELLO)
                assert json.loads(caught.value.response.text)["error"]["type"] == "authentication_error"
