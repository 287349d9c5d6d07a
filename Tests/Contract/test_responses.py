"""OpenAI's Responses API, through its official client. The starter model is too small to choose well by itself, so it is made to call."""
import json

import openai
import pydantic
import pytest

from harness import wait_until

WEATHER = {
    "type": "function", "name": "get_weather", "description": "The weather in a city.", "strict": True,
    "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}, "required": ["city"], "additionalProperties": False},
}
HELLO = "Say hello to the sea."


def test_a_response_is_answered_as_a_chat_is(client, model):
    response = client.responses.create(model=model, input=HELLO, instructions="Be brief.", max_output_tokens=24, temperature=0, metadata={"a": "b"})
    chat = client.chat.completions.create(
        model=model, max_tokens=24, temperature=0, messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": HELLO}])
    assert response.output_text == chat.choices[0].message.content and response.model == model
    assert (response.usage.input_tokens, response.usage.output_tokens) == (chat.usage.prompt_tokens, chat.usage.completion_tokens)
    ends = {"stop": ("completed", None), "length": ("incomplete", "max_output_tokens")}[chat.choices[0].finish_reason]
    assert (response.status, response.incomplete_details and response.incomplete_details.reason) == ends
    assert response.metadata == {"a": "b"} and response.instructions == "Be brief." and response.output[0].type == "message"


def test_a_stream_adds_up_to_the_whole_response(client, model):
    settings = dict(model=model, input=HELLO, max_output_tokens=24, temperature=0)
    whole = client.responses.create(**settings)
    events = list(client.responses.create(**settings, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type.removeprefix("response.") for event in events]
    pieces = kinds.count("output_text.delta")
    assert pieces > 1 and kinds == [
        "created", "in_progress", "output_item.added", "content_part.added", *["output_text.delta"] * pieces, "output_text.done", "content_part.done",
        "output_item.done", whole.status]
    final = events[-1].response
    assert final.output_text == whole.output_text == "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert final.usage.output_tokens == whole.usage.output_tokens
    with client.responses.stream(**settings) as stream:
        assert "".join(event.delta for event in stream if event.type == "response.output_text.delta") == whole.output_text


def test_a_conversation_goes_on_by_the_id_of_its_last_response(client, model):
    first = client.responses.create(model=model, input="My name is Ada.", max_output_tokens=12, temperature=0)
    second = client.responses.create(model=model, input="What is my name?", previous_response_id=first.id, max_output_tokens=16, temperature=0)
    chat = client.chat.completions.create(model=model, max_tokens=16, temperature=0, messages=[
        {"role": "user", "content": "My name is Ada."}, {"role": "assistant", "content": first.output_text}, {"role": "user", "content": "What is my name?"}])
    assert second.output_text == chat.choices[0].message.content and second.usage.input_tokens == chat.usage.prompt_tokens
    assert client.responses.retrieve(second.id).output_text == second.output_text
    items = client.responses.input_items.list(second.id).data
    assert len(items) == 1 and items[0].content[0].text == "What is my name?" and items[0].id
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    # The second one has the whole conversation of its own.
    assert client.responses.create(model=model, input="Again?", previous_response_id=second.id, max_output_tokens=4).usage.input_tokens > second.usage.input_tokens
    gone = client.responses.create(model=model, input="Hi.", store=False, max_output_tokens=4)
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(model=model, input="And?", previous_response_id=gone.id)
    assert caught.value.param == "previous_response_id"


def test_a_tool_is_called_and_its_result_goes_back(client, model):
    settings = dict(model=model, tools=[WEATHER], parallel_tool_calls=False, max_output_tokens=100, temperature=0)
    first = client.responses.create(**settings, input="What is the weather in Paris?", tool_choice={"type": "function", "name": "get_weather"})
    call = next(item for item in first.output if item.type == "function_call")
    assert call.name == "get_weather" and json.loads(call.arguments)["city"] in ("Paris", "Rome") and call.call_id
    second = client.responses.create(**settings, previous_response_id=first.id, tool_choice="none", input=[
        {"type": "function_call_output", "call_id": call.call_id, "output": "sunny, 25 degrees"}])
    assert second.output_text
    events = list(client.responses.create(**settings, input="What is the weather in Paris?", tool_choice="required", stream=True))
    done = next(event for event in events if event.type == "response.function_call_arguments.done")
    assert done.arguments == "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    assert json.loads(done.arguments)["city"] in ("Paris", "Rome")


def test_an_answer_in_a_given_form(client, model):
    class Place(pydantic.BaseModel):
        city: str = pydantic.Field(max_length=12)
        rainy: bool

    parsed = client.responses.parse(model=model, input="Describe Paris.", text_format=Place, max_output_tokens=80, temperature=0)
    assert isinstance(parsed.output_parsed, Place)


def test_logprobs_come_where_they_are_asked_for(client, model):
    response = client.responses.create(
        model=model, input=HELLO, max_output_tokens=4, temperature=0, include=["message.output_text.logprobs"], top_logprobs=2)
    tokens = response.output[0].content[0].logprobs
    assert "".join(token.token for token in tokens) == response.output_text and all(len(token.top_logprobs) == 2 for token in tokens)


def test_a_response_survives_a_restart(start, tmp_path):
    data = tmp_path / "data"
    first = start(data=data)
    with openai.OpenAI(base_url=first.base_url + "/v1", api_key="unused", max_retries=0) as client:
        kept = client.responses.create(input="My name is Ada.", max_output_tokens=4, model=client.models.list().data[0].id)
    first.process.kill()
    first.process.wait()
    second = start(data=data)
    with openai.OpenAI(base_url=second.base_url + "/v1", api_key="unused", max_retries=0) as client:
        assert client.responses.retrieve(kept.id).output_text == kept.output_text


def test_a_client_that_leaves_ends_the_answer(client, server, model):
    with client.responses.create(model=model, input="Count to a thousand.", max_output_tokens=1500, stream=True) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                break
    wait_until(lambda: not server.metric("vllm:num_requests_running"), "the answer to end with its client")


def test_errors_name_the_field(client, model):
    def fails(status, param, **settings):
        with pytest.raises(openai.APIStatusError) as caught:
            client.responses.create(**{"model": model, "input": HELLO, **settings})
        assert (caught.value.status_code, caught.value.param) == (status, param), caught.value
        return caught.value.message

    fails(404, "model", model="gpt-5")
    fails(400, "body.background", background=True)
    assert "previous_response_id" in fails(400, "body.conversation", conversation="conv_1")
    fails(400, "body.prompt", prompt={"id": "pmpt_1"})
    assert "web_search" in fails(400, "body.tools.0.type", tools=[{"type": "web_search"}])
    assert "maximum context length" in fails(413, "body.messages", input="sea " * 40000)
    raw = client.responses.with_raw_response.create(model=model, input=HELLO, max_output_tokens=2, truncation="auto", user="x")
    assert set(raw.headers["x-ignored-params"].split(",")) == {"truncation", "user"}
