"""Tool calls and answers in a given form, through the official client. The starter model is too small to choose well by
itself, so it is made to call."""
import json
import re

import openai
import pytest

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 12}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"], "additionalProperties": False,
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time", "parameters": {
    "type": "object", "properties": {"zone": {"type": "string", "enum": ["UTC", "CET"]}}, "required": ["zone"], "additionalProperties": False}}}
ASK = [{"role": "user", "content": "What is the weather in Paris?"}]
NAMED = {"type": "function", "function": {"name": "get_weather"}}
SETTINGS = dict(max_tokens=200, temperature=0)


def check_weather(arguments):
    value = json.loads(arguments)
    assert set(value) == {"city", "unit"} and value["unit"] in ("celsius", "fahrenheit") and len(value["city"]) <= 12, value


def test_a_named_tool_is_called(client, model):
    answer = client.chat.completions.create(model=model, messages=ASK, tools=[WEATHER, TIME], tool_choice=NAMED, **SETTINGS)
    message = answer.choices[0].message
    call = message.tool_calls[0]
    assert call.type == "function" and call.function.name == "get_weather" and call.id
    check_weather(call.function.arguments)
    assert not message.content
    assert answer.choices[0].finish_reason in ("tool_calls", "stop")


def test_required_calls_some_tool(client, model):
    answer = client.chat.completions.create(model=model, messages=ASK, tools=[WEATHER, TIME], tool_choice="required", **SETTINGS)
    calls = answer.choices[0].message.tool_calls
    assert calls and len({c.id for c in calls}) == len(calls)
    assert {c.function.name for c in calls} <= {"get_weather", "get_time"}
    # A model this small may go on calling until the limit, which cuts its last call.
    assert answer.choices[0].finish_reason in ("tool_calls", "length")
    for call in calls if answer.choices[0].finish_reason == "tool_calls" else calls[:-1]:
        json.loads(call.function.arguments)


def test_a_streamed_call_adds_up_to_the_whole_one(client, model):
    # One call: a model this small goes on calling until the limit where it may.
    settings = dict(model=model, messages=ASK, tools=[WEATHER], tool_choice="required", parallel_tool_calls=False, **SETTINGS)
    whole = client.chat.completions.create(**settings).choices[0].message.tool_calls
    calls, finish = {}, []
    for chunk in client.chat.completions.create(**settings, stream=True):
        for choice in chunk.choices:
            assert not choice.delta.content, "a call must not appear as text"
            for piece in choice.delta.tool_calls or []:
                call = calls.setdefault(piece.index, {"id": None, "name": None, "arguments": ""})
                if piece.id:
                    assert call["id"] in (None, piece.id)
                    call["id"] = piece.id
                call["name"] = piece.function.name or call["name"]
                call["arguments"] += piece.function.arguments or ""
            finish += [choice.finish_reason] if choice.finish_reason else []
    assert finish == ["tool_calls"]
    assert sorted(calls) == list(range(len(whole)))
    assert [(c["name"], json.loads(c["arguments"])) for c in calls.values()] == [(w.function.name, json.loads(w.function.arguments)) for w in whole]
    assert all(c["id"] for c in calls.values())


def test_one_call_at_most_without_parallel_calls(client, model):
    answer = client.chat.completions.create(
        model=model, messages=ASK, tools=[WEATHER, TIME], tool_choice="required", parallel_tool_calls=False, **SETTINGS)
    assert len(answer.choices[0].message.tool_calls) == 1


def test_a_tools_answer_goes_back_in(client, model):
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris", "unit": "celsius"}'}}
    messages = [*ASK, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"}]
    answer = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER], tool_choice="none", max_tokens=8)
    assert answer.choices[0].message.content is not None and not answer.choices[0].message.tool_calls


def test_none_calls_nothing(client, model):
    answer = client.chat.completions.create(model=model, messages=ASK, tools=[WEATHER], tool_choice="none", max_tokens=12)
    assert not answer.choices[0].message.tool_calls


def test_an_empty_list_of_tools_is_none(client, model):
    """As LangChain's agents send it."""
    answer = client.chat.completions.create(model=model, messages=ASK, tools=[], max_tokens=8)
    assert answer.choices[0].message.content and not answer.choices[0].message.tool_calls


@pytest.mark.parametrize("tools, choice, param", [
    ([{"type": "function"}], "auto", "tools"),
    ([WEATHER, WEATHER], "auto", "tools"),
    ([WEATHER], {"type": "function", "function": {"name": "nobody"}}, "tool_choice"),
    ([WEATHER], "perhaps", "tool_choice"),
])
def test_wrong_tools_are_named(client, model, tools, choice, param):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=ASK, tools=tools, tool_choice=choice)
    assert caught.value.param.removeprefix("body.").split(".")[0] == param


def test_a_schema_that_no_grammar_can_follow_is_the_clients_fault(client, model):
    bad = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"$ref": "#/nowhere"}}}}}
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=model, messages=ASK, tools=[bad], tool_choice="required", max_tokens=8)
    assert client.chat.completions.create(model=model, messages=ASK, max_tokens=2).choices


# Answers in a given form.

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 10},
        "age": {"type": "integer", "minimum": 0, "maximum": 99},
        "pets": {"type": "array", "items": {"enum": ["cat", "dog"]}, "minItems": 1, "maxItems": 2},
    },
    "required": ["name", "age", "pets"], "additionalProperties": False,
}


def test_json_schema_is_followed(client, model):
    format = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    for seed in (1, 2):
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Invent a person."}], response_format=format, max_tokens=200, temperature=1.5, seed=seed)
        assert answer.choices[0].finish_reason == "stop"
        person = json.loads(answer.choices[0].message.content)
        assert set(person) == {"name", "age", "pets"} and len(person["name"]) <= 10
        assert isinstance(person["age"], int) and 0 <= person["age"] <= 99
        assert 1 <= len(person["pets"]) <= 2 and set(person["pets"]) <= {"cat", "dog"}


def test_a_streamed_json_schema_is_followed(client, model):
    format = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    said = "".join(
        c.choices[0].delta.content or "" for c in client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Invent a person."}], response_format=format, max_tokens=200, temperature=0, stream=True))
    assert set(json.loads(said)) == {"name", "age", "pets"}


def test_the_clients_own_parser_reads_a_schema_answer(client, model):
    from pydantic import BaseModel, Field

    class Verdict(BaseModel):
        guilty: bool
        years: int = Field(ge=0, le=9)

    answer = client.chat.completions.parse(
        model=model, messages=[{"role": "user", "content": "Judge."}], response_format=Verdict, max_tokens=100, temperature=0)
    assert isinstance(answer.choices[0].message.parsed, Verdict)


def test_json_object_is_an_object(client, model):
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "A small JSON object, please."}], response_format={"type": "json_object"},
        max_tokens=100, temperature=0)
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(answer.choices[0].message.content), dict)
    else:  # cut by the limit: still the beginning of an object
        assert answer.choices[0].message.content.lstrip().startswith("{")


@pytest.mark.parametrize("format", [{"type": "json_schema"}, {"type": "xml"}, {"type": "json_schema", "json_schema": {"name": "x", "schema": 3}}])
def test_a_wrong_response_format_is_named(client, model, format):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=ASK, response_format=format)
    assert caught.value.param.removeprefix("body.") == "response_format"


def test_a_grammar_dies_with_its_request(client, model):
    """The next request on the same slot is free of the last one's form."""
    client.chat.completions.create(model=model, messages=ASK, response_format={"type": "json_object"}, max_tokens=4)
    free = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Say hi."}], max_tokens=12, temperature=0)
    assert not free.choices[0].message.content.lstrip().startswith("{")


# What a schema asks for and cannot be had.

@pytest.mark.parametrize("pattern, word", [("^(a$", "parenthesis"), ("[a-", "class"), ("(?=a)b", "ahead"), (r"\bword\b", "escape")])
@pytest.mark.parametrize("stream", [False, True])
def test_a_pattern_that_cannot_be_followed_is_refused(client, model, pattern, word, stream):
    schema = {"type": "object", "properties": {"code": {"type": "string", "pattern": pattern}}, "required": ["code"]}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=model, messages=ASK, max_tokens=8, stream=stream, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert caught.value.param == "body.response_format"
    assert pattern in caught.value.message and word in caught.value.message and "code" in caught.value.message


def test_a_pattern_of_a_tool_must_be_a_regular_expression(client, model):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "string", "pattern": "("}}}}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=ASK, tools=[tool], max_tokens=8)
    assert caught.value.param == "body.tools"


def test_a_pattern_is_followed(client, model):
    schema = {"type": "object", "properties": {"date": {"type": "string", "pattern": r"^\d{4}-\d\d$"}}, "required": ["date"], "additionalProperties": False}
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "A month."}], max_tokens=60, temperature=1.5, seed=3,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert re.fullmatch(r"\d{4}-\d\d", json.loads(answer.choices[0].message.content)["date"])


def test_keywords_without_effect_are_named(client, model):
    schema = {"type": "object", "properties": {"share": {"type": "number", "minimum": 0, "maximum": 1}}, "required": ["share"]}
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=ASK, max_tokens=4, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    named = raw.headers["x-ignored-params"].split(",")
    assert sorted(named) == [f"response_format.json_schema.schema.properties.share.{k}" for k in ("maximum", "minimum")]
