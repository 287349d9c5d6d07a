"""Tools as real client software writes them, over the wire and through the official client: nested models, allowed tools, custom ones."""
import typing

import openai
import pydantic
import pytest

ASK = [{"role": "user", "content": "Book a trip from France to Germany."}]
SETTINGS = dict(max_tokens=120, temperature=0, parallel_tool_calls=False)


class Place(pydantic.BaseModel):
    country: typing.Literal["france", "germany"]


class Trip(pydantic.BaseModel):
    """A trip from one place to another."""
    start: Place
    end: Place
    by: typing.Optional[typing.Literal["train", "car"]] = None


def plain(name):
    parameters = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"], "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


@pytest.mark.parametrize("tool", [
    openai.pydantic_function_tool(Trip), {"type": "function", "function": {"name": "Trip", "parameters": Trip.model_json_schema()}},
], ids=["strict", "pydantic"])
@pytest.mark.parametrize("stream", [False, True])
def test_parameters_with_definitions_are_followed(client, model, tool, stream):
    """`$defs` and `$ref`, as every nested model has them, as a tool beside another."""
    assert "$ref" in str(tool)
    asked = dict(model=model, messages=ASK, tools=[plain("other"), tool], tool_choice={"type": "function", "function": {"name": "Trip"}}, **SETTINGS)
    if stream:
        deltas = [d for chunk in client.chat.completions.create(**asked, stream=True) for c in chunk.choices for d in c.delta.tool_calls or []]
        arguments = "".join(d.function.arguments or "" for d in deltas)
    else:
        (call,) = client.chat.completions.create(**asked).choices[0].message.tool_calls
        assert call.function.name == "Trip"
        arguments = call.function.arguments
    Trip.model_validate_json(arguments)


def test_the_same_model_is_the_form_of_an_answer(client, model):
    answer = client.chat.completions.parse(model=model, messages=ASK, response_format=Trip, max_tokens=120, temperature=0)
    assert isinstance(answer.choices[0].message.parsed, Trip)


@pytest.mark.parametrize("name", ["yes", "no"])
def test_only_allowed_tools_are_called(client, model, name):
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": name}}]}}
    answer = client.chat.completions.create(model=model, messages=ASK, tools=[plain("yes"), plain("no")], tool_choice=choice, **SETTINGS)
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == [name]


def test_a_custom_tool_is_told_what_would_do(client, model):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=ASK, tools=[{"type": "custom", "custom": {"name": "shell"}}], **SETTINGS)
    assert caught.value.param.removeprefix("body.").split(".")[0] == "tools" and "`function`" in str(caught.value)
