"""Writes Tests/Fixtures/schemas/clients.json: JSON Schemas as the clients of an OpenAI-style server make them, each with answers
that follow it and some that do not.

    python3 -m venv venv && venv/bin/pip install pydantic==2.14.4 openai==1.109.1 langchain-core==1.8.3 msgspec==0.22.0 jsonschema
    venv/bin/python Tools/schemas/make_schemas.py

Pydantic's own, OpenAI's strict ones (`pydantic_function_tool`, `type_to_response_format_param`), LangChain's, msgspec's, and those
that zod, OpenAPI and hand-written tools have, which are written out here.
"""
import datetime
import decimal
import enum
import ipaddress
import json
import pathlib
import typing
import uuid
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import jsonschema
import msgspec
import openai
from langchain_core.utils.function_calling import convert_to_openai_tool
from openai.lib._parsing._completions import type_to_response_format_param
from pydantic import AnyUrl, BaseModel, ConfigDict, EmailStr, Field, RootModel, TypeAdapter, conint, conlist, constr, create_model  # noqa: F401

CASES = []


def case(name, schema, good, bad=()):
    for answer in good:
        jsonschema.validate(answer, schema)
    for answer in bad:
        try:
            jsonschema.validate(answer, schema)
        except jsonschema.ValidationError:
            continue
        raise SystemExit(f"{name}: {answer} follows the schema")
    CASES.append({"name": name, "schema": schema, "good": list(good), "bad": list(bad)})


def model(kind, good, bad=(), name=None):
    """Pydantic's schema, and OpenAI's strict one of the same model."""
    name = name or kind.__name__
    case(f"pydantic {name}", kind.model_json_schema(), good, bad)
    if not issubclass(kind, RootModel):
        try:
            strict = type_to_response_format_param(kind)["json_schema"]["schema"]
        except Exception:
            return
        whole = [g for g in good if follows(g, strict)]
        case(f"openai strict {name}", strict, whole, [b for b in bad if not follows(b, strict)])


def follows(answer, schema):
    try:
        jsonschema.validate(answer, schema)
        return True
    except jsonschema.ValidationError:
        return False


# ---- Pydantic

class Address(BaseModel):
    street: str
    city: str = Field(max_length=40)
    zip: Optional[str] = None


class Person(BaseModel):
    name: str
    age: int = Field(ge=0, le=150)
    address: Address


class Team(BaseModel):
    """A team and its members."""
    members: list[Person]
    lead: Optional[Person] = None
    places: dict[str, Address] = {}


class Color(str, enum.Enum):
    red = "red"
    green = "green"


class Level(enum.IntEnum):
    low = 1
    high = 2


class Paint(BaseModel):
    color: Color
    level: Level = Level.low
    other: Optional[Color] = None
    tone: Literal["warm", "cold", 3, None]


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Linked(BaseModel):
    value: str
    next: Optional["Linked"] = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Owner(BaseModel):
    pet: Annotated[Union[Cat, Dog], Field(discriminator="kind")]
    others: list[Union[Cat, Dog]] = []


class Times(BaseModel):
    day: datetime.date
    at: datetime.datetime
    time: datetime.time
    lasts: datetime.timedelta
    id: uuid.UUID


class Numbers(BaseModel):
    small: conint(gt=0, lt=10)
    share: float = Field(ge=0, le=1)
    step: int = Field(multiple_of=5)
    ratio: float


class Texts(BaseModel):
    code: constr(pattern=r"^[A-Z]{3}-\d{2}$")
    short: constr(min_length=2, max_length=5)
    long: str = Field(max_length=5000)


class Lists(BaseModel):
    pair: tuple[int, str]
    three: conlist(int, min_length=3, max_length=3)
    some: list[float] = Field(min_length=1)
    unique: set[str]
    many: tuple[int, ...] = ()


class Maps(BaseModel):
    counts: dict[str, int]
    anything: dict[str, Any]
    by_color: dict[Color, int]
    codes: dict[constr(pattern="^[a-z]+$"), bool] = {}


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    any: Any
    maybe: Optional[int] = None
    either: Union[int, str, None] = None
    object: dict


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    yes: bool
    nothing: None = None


class Aliased(BaseModel):
    from_: str = Field(alias="from")
    default: str = Field(description="called like a keyword", pattern="^a+$")
    enum_: list[str] = Field(alias="enum", default=[])
    größe: int


T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int


class Money(BaseModel):
    amount: decimal.Decimal
    price: decimal.Decimal = Field(max_digits=8, decimal_places=2)


class Net(BaseModel):
    url: AnyUrl
    v4: ipaddress.IPv4Address
    raw: bytes


class Step(BaseModel):
    explanation: str
    output: str


class Reasoning(BaseModel):
    steps: list[Step]
    final_answer: str


class Expression(BaseModel):
    left: Union["Expression", int]
    op: Literal["+", "-"]
    right: Union["Expression", int]


class Names(RootModel[list[str]]):
    pass


class Either(RootModel[Union[Cat, Dog]]):
    pass


home = {"street": "a", "city": "b"}
ann = {"name": "Ann", "age": 3, "address": home}
model(Address, [home, {**home, "zip": None}, {**home, "zip": "1"}], [{"street": "a"}, {"street": 1, "city": "b"}])
model(Person, [ann], [{**ann, "address": {}}, {**ann, "age": -1}, {**ann, "age": 151}])
model(Team, [{"members": [ann]}, {"members": [], "lead": ann, "places": {"x": home}}], [{"members": [{"name": "x"}]}])
model(Paint, [{"color": "red", "tone": 3}, {"color": "green", "level": 2, "other": None, "tone": None}], [{"color": "blue", "tone": 3}, {"color": "red", "tone": "hot"}])
model(Node, [{"value": 1}, {"value": 1, "children": [{"value": 2, "children": [{"value": 3, "children": []}]}]}], [{"value": 1, "children": [{}]}])
model(Linked, [{"value": "a"}, {"value": "a", "next": {"value": "b", "next": None}}], [{"value": "a", "next": 3}])
model(Owner, [{"pet": {"kind": "cat", "lives": 9}}, {"pet": {"kind": "dog", "name": "x"}, "others": [{"kind": "cat", "lives": 1}]}], [{"pet": {"kind": "cow", "lives": 9}}, {"pet": {"kind": "cat", "name": "x"}}])
model(Times, [{"day": "2026-11-29", "at": "2026-11-29T01:02:03Z", "time": "01:02:03Z", "lasts": "P3DT4H", "id": "0189abcd-0000-4000-8000-0123456789ab"}], [{"day": "2026-11-29"}])
model(Numbers, [{"small": 9, "share": 0.5, "step": 10, "ratio": -1.5e3}], [{"small": 10, "share": 0.5, "step": 10, "ratio": 1}])
model(Texts, [{"code": "ABC-12", "short": "abc", "long": ""}], [{"code": "abc-12", "short": "abc", "long": ""}, {"code": "ABC-12", "short": "a", "long": ""}])
model(Lists, [{"pair": [1, "a"], "three": [1, 2, 3], "some": [1.5], "unique": []}], [{"pair": [1], "three": [1, 2, 3], "some": [1.5], "unique": []}, {"pair": [1, "a"], "three": [1], "some": [1], "unique": []}])
model(Maps, [{"counts": {"a": 1}, "anything": {"a": [None]}, "by_color": {"red": 1}}], [{"counts": {"a": "x"}, "anything": {}, "by_color": {}}, {"counts": {}, "anything": {}, "by_color": {"blue": 1}}])
model(Loose, [{"any": [1], "object": {"a": 1}}, {"any": None, "maybe": None, "either": "x", "object": {}}], [{"any": 1, "object": 2}])
model(Closed, [{"yes": True}, {"yes": False, "nothing": None}], [{"yes": True, "more": 1}, {"yes": 1}])
model(Aliased, [{"from": "a", "default": "aa", "größe": 1}, {"from": "a", "default": "a", "enum": ["x"], "größe": 1}], [{"from": "a", "default": "b", "größe": 1}])
model(Page[int], [{"items": [1], "total": 1}], [{"items": ["a"], "total": 1}], "Page of int")
model(Page[Person], [{"items": [ann], "total": 1}], [{"items": [1], "total": 1}], "Page of Person")
model(Money, [{"amount": 1.5, "price": "12.50"}, {"amount": "-3", "price": 3}], [{"amount": [], "price": 1}])
model(Net, [{"url": "http://a.b/", "v4": "127.0.0.1", "raw": "x"}], [{"url": 1}])
model(Reasoning, [{"steps": [{"explanation": "a", "output": "b"}], "final_answer": "c"}], [{"steps": [{"explanation": "a"}], "final_answer": "c"}])
model(Expression, [{"left": 1, "op": "+", "right": {"left": 2, "op": "-", "right": 3}}], [{"left": 1, "op": "*", "right": 2}])
model(Names, [["a"], []], [[1], {}])
model(Either, [{"kind": "cat", "lives": 9}], [{"kind": "cat"}])

# ---- Functions, as LangChain and msgspec write them


def search(query: str, limit: int = 10, kinds: Optional[list[Literal["a", "b"]]] = None) -> str:
    """Search.

    Args:
        query: What to look for.
        limit: How many.
        kinds: Of which kinds.
    """


case("langchain function", convert_to_openai_tool(search)["function"]["parameters"], [{"query": "x"}, {"query": "x", "limit": 1, "kinds": ["a"]}], [{"limit": 1}])
case("langchain model", convert_to_openai_tool(Team)["function"]["parameters"], [{"members": [ann]}], [{"members": [1]}])
case("openai tool", openai.pydantic_function_tool(Team)["function"]["parameters"], [{"members": [], "lead": None, "places": {}}] if follows({"members": [], "lead": None, "places": {}}, openai.pydantic_function_tool(Team)["function"]["parameters"]) else [], [{"members": 1}])


# ---- Every kind of value in every place: what a field is, beside where it stands

#: Kinds of fields: the annotation, two values that follow it, and one that does not.
KINDS = {
    "text": (str, ["x", "\"y\" \\ \n"], 1), "whole number": (int, [0, -7], "x"), "number": (float, [0.5, 3], "x"), "truth": (bool, [True, False], 1),
    "choice": (Literal["a", "b b"], ["a", "b b"], "c"), "enum": (Color, ["red", "green"], "blue"), "enum of numbers": (Level, [1, 2], 3),
    "day": (datetime.date, ["2026-11-29", "1999-01-01"], 1), "id": (uuid.UUID, ["123e4567-e89b-12d3-a456-426614174000"], 1),
    "bounded number": (Annotated[int, Field(ge=-3, le=12)], [-3, 12], 13), "word": (Annotated[str, Field(pattern="^[a-z]{1,3}$")], ["a", "abc"], "ABC"),
    "short text": (Annotated[str, Field(max_length=3)], ["", "abc"], "abcd"), "list of numbers": (list[int], [[], [1, 2]], ["x"]),
    "list of lists": (list[list[str]], [[["a"], []]], [1]), "dictionary": (dict[str, bool], [{}, {"a": True}], {"a": 1}), "tuple": (tuple[int, str], [[1, "a"]], ["a", 1]),
    "model": (Address, [{"street": "a", "city": "b", "zip": None}, {"street": "a", "city": "b", "zip": "c"}], {"street": 1}),
    "list of models": (list[Address], [[], [{"street": "a", "city": "b", "zip": None}]], [{}]), "either": (Union[int, str], [1, "x"], True),
    "model or text": (Union[Address, str], ["x", {"street": "a", "city": "b", "zip": None}], 1), "recursive": (Node, [{"value": 1, "children": []}, {"value": 1, "children": [{"value": 2, "children": []}]}], {"value": "x"}),
}

#: Places of a field: its annotation and default, and how a value of its kind stands there.
PLACES = {
    "optional": (lambda kind: (Optional[kind], None), lambda value: value), "in a list": (lambda kind: (list[kind], ...), lambda value: [value]),
    "in a dictionary": (lambda kind: (dict[str, kind], ...), lambda value: {"k": value}), "described": (lambda kind: (Annotated[kind, Field(description="What it is; see \"there\".")], ...), lambda value: value),
}


for kind_name, (kind, good, bad) in KINDS.items():
    for place_name, (place, stand) in PLACES.items():
        made = create_model(f"{kind_name.title().replace(' ', '')}{place_name.title().replace(' ', '')}", field=place(kind), last=(int, ...))
        answers = [{"field": stand(value), "last": 1} for value in good] + ([{"field": None, "last": 1}] if place_name == "optional" else [])
        model(made, answers, [{"field": stand(bad), "last": 1}, {"field": stand(good[0])}], f"{kind_name} {place_name}")


class Point(msgspec.Struct):
    x: int
    y: Annotated[float, msgspec.Meta(ge=0)]
    tags: list[str] = []


case("msgspec struct", msgspec.json.schema(Point), [{"x": 1, "y": 2.5}], [{"x": "a", "y": 1}])
case("type adapter", TypeAdapter(dict[str, list[Person]]).json_schema(), [{"a": [ann]}], [{"a": [1]}])
case("type adapter of a union", TypeAdapter(Union[int, list[int]]).json_schema(), [1, [1, 2]], ["x"])

# ---- Others, written out

STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def hand(name, text, good, bad=()):
    case(name, json.loads(text), good, bad)


hand("zod with draft 7", '{"type":"object","properties":{"a":{"type":"string"},"b":{"type":["number","null"]}},"required":["a","b"],"additionalProperties":false,"$schema":"http://json-schema.org/draft-07/schema#"}', [{"a": "x", "b": None}, {"a": "x", "b": 1}], [{"a": "x"}])
hand("zod with definitions", '{"$ref":"#/definitions/Out","definitions":{"Out":{"type":"object","properties":{"list":{"type":"array","items":{"$ref":"#/definitions/Out/properties/leaf"}},"leaf":{"type":"object","properties":{"n":{"type":"number"}},"required":["n"],"additionalProperties":false}},"required":["list"],"additionalProperties":false}},"$schema":"http://json-schema.org/draft-07/schema#"}', [{"list": [{"n": 1}]}, {"list": [], "leaf": {"n": 2}}], [{"list": [1]}])
hand("zod recursive by #", '{"type":"object","properties":{"name":{"type":"string"},"sub":{"type":"array","items":{"$ref":"#"}}},"required":["name","sub"],"additionalProperties":false}', [{"name": "a", "sub": [{"name": "b", "sub": []}]}], [{"name": "a", "sub": [1]}])
hand("openai ui", '{"type":"object","properties":{"type":{"type":"string","enum":["div","button"]},"label":{"type":"string"},"children":{"type":"array","items":{"$ref":"#"}},"attributes":{"type":"array","items":{"$ref":"#/$defs/attribute"}}},"required":["type","label","children","attributes"],"additionalProperties":false,"$defs":{"attribute":{"type":"object","properties":{"name":{"type":"string"},"value":{"type":"string"}},"required":["name","value"],"additionalProperties":false}}}', [{"type": "div", "label": "", "children": [{"type": "button", "label": "x", "children": [], "attributes": []}], "attributes": [{"name": "a", "value": "b"}]}], [{"type": "p", "label": "", "children": [], "attributes": []}])
hand("openai linked list", '{"type":"object","properties":{"linked_list":{"$ref":"#/$defs/node"}},"$defs":{"node":{"type":"object","properties":{"value":{"type":"number"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"additionalProperties":false,"required":["next","value"]}},"additionalProperties":false,"required":["linked_list"]}', [{"linked_list": {"value": 1, "next": {"value": 2, "next": None}}}], [{"linked_list": None}])
hand("allOf of one reference", '{"type":"object","properties":{"a":{"allOf":[{"$ref":"#/$defs/Kind"}],"description":"Pydantic 1","default":"x"},"n":{"allOf":[{"$ref":"#/$defs/Count"}]}},"required":["a","n"],"$defs":{"Kind":{"type":"string","enum":["x","y"]},"Count":{"type":"integer","minimum":1,"maximum":5}}}', [{"a": "x", "n": 5}], [{"a": "z", "n": 5}, {"a": "x", "n": 6}])
hand("allOf of bases", '{"allOf":[{"$ref":"#/definitions/Base"},{"type":"object","properties":{"b":{"type":"integer"}},"required":["b"]}],"definitions":{"Base":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}', [{"a": "x", "b": 1}], [{"a": "x", "b": "y"}, {"b": 1}])
hand("allOf beside properties", '{"type":"object","properties":{"b":{"type":"integer"}},"required":["b"],"allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]}]}', [{"a": "x", "b": 1}], [{"b": 1}])
hand("reference with neighbours", '{"type":"object","properties":{"p":{"$ref":"#/$defs/P","description":"where","properties":{"x":{"maximum":9}}}},"required":["p"],"$defs":{"P":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}}}', [{"p": {"x": 9}}], [{"p": {"x": 10}}, {"p": {}}])
hand("anyOf beside properties", '{"type":"object","properties":{"id":{"type":"integer"},"name":{"type":"string"}},"anyOf":[{"required":["id"]},{"required":["name"]}]}', [{"id": 1}, {"name": "x"}, {"id": 1, "name": "x"}], [{"id": "x"}, {}])
hand("oneOf with a type", '{"type":"object","oneOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/B"}],"discriminator":{"propertyName":"t","mapping":{"a":"#/$defs/A"}},"$defs":{"A":{"type":"object","properties":{"t":{"const":"a"}},"required":["t"]},"B":{"type":"object","properties":{"t":{"const":"b"},"n":{"type":"integer"}},"required":["t","n"]}}}', [{"t": "a"}, {"t": "b", "n": 1}], [{"t": "c"}])
hand("enum with null", '{"type":["string","null"],"enum":["a","b",null]}', ["a", None], ["c"])
hand("enum of kinds", '{"enum":["a",1,true,null,1.5]}', ["a", 1, True, None, 1.5], ["b", 2])
hand("const of each kind", '{"type":"object","properties":{"a":{"const":"x"},"b":{"const":1},"c":{"const":null},"d":{"const":{"k":[1]}}},"required":["a","b","c","d"]}', [{"a": "x", "b": 1, "c": None, "d": {"k": [1]}}], [{"a": "y", "b": 1, "c": None, "d": {"k": [1]}}])
hand("true and false", '{"type":"object","properties":{"any":true,"never":false,"open":{}},"required":["any"],"additionalProperties":false}', [{"any": [1]}, {"any": 1, "open": "x"}], [{"any": 1, "never": 1}])
hand("tuple with items false", '{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false,"minItems":2}', [[1, "a"]], [[1, "a", 2], ["a", 1]])
hand("tuple of draft 7", '{"$schema":"http://json-schema.org/draft-07/schema#","type":"array","items":[{"type":"integer"},{"type":"string"}],"minItems":2,"maxItems":2}', [[1, "a"]] , [])
hand("escaped pointers", '{"type":"object","properties":{"a":{"$ref":"#/$defs/x~1y"},"b":{"$ref":"#/$defs/Box%5Bint%5D"}},"required":["a","b"],"$defs":{"x/y":{"type":"integer"},"Box[int]":{"type":"string"}}}', [{"a": 1, "b": "x"}], [{"a": "x", "b": "x"}])
hand("pointer to a property", '{"type":"object","properties":{"first":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]},"second":{"$ref":"#/properties/first"}},"required":["second"]}', [{"second": {"n": 1}}], [{"second": {"n": "x"}}])
hand("anchor", '{"type":"object","properties":{"a":{"$ref":"#thing"}},"required":["a"],"$defs":{"T":{"$anchor":"thing","type":"boolean"}}}', [{"a": True}], [{"a": 1}])
hand("draft 4 bounds", '{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"n":{"type":"integer","minimum":0,"exclusiveMinimum":true,"maximum":10}},"required":["n"]}', [{"n": 1}, {"n": 10}], [{"n": 0}])
hand("both bounds", '{"type":"integer","minimum":0,"exclusiveMinimum":4,"maximum":9,"exclusiveMaximum":20}', [5, 9], [4, 10])
hand("no type, only required", '{"properties":{"a":{"type":"string"}},"required":["a","b"]}', [{"a": "x", "b": 1}], [{"a": "x"}])
hand("no parameters", '{"type":"object","properties":{}}', [{}], [])
hand("title and examples", '{"title":"Answer","type":"object","properties":{"title":{"type":"string","examples":["a"],"title":"Title"},"properties":{"type":"object","properties":{"required":{"type":"boolean"}}}},"required":["title"]}', [{"title": "x"}, {"title": "x", "properties": {"required": True}}], [{"title": 1}])
hand("llama-index", '{"properties":{"input":{"title":"Input","type":"string"},"k":{"anyOf":[{"type":"integer"},{"type":"null"}],"default":null,"title":"K"}},"required":["input"],"type":"object"}', [{"input": "x"}, {"input": "x", "k": None}], [{"k": 1}])
hand("mcp file edit", '{"type":"object","properties":{"path":{"type":"string"},"edits":{"type":"array","items":{"type":"object","properties":{"oldText":{"type":"string","description":"Text to search for"},"newText":{"type":"string"}},"required":["oldText","newText"],"additionalProperties":false}},"dryRun":{"type":"boolean","default":false}},"required":["path","edits"],"additionalProperties":false,"$schema":"http://json-schema.org/draft-07/schema#"}', [{"path": "a", "edits": [{"oldText": "a\nb", "newText": "\"c\""}]}], [{"path": "a", "edits": [{}]}])
hand("mutual recursion", '{"$ref":"#/$defs/A","$defs":{"A":{"type":"object","properties":{"b":{"$ref":"#/$defs/B"}}},"B":{"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"n":{"type":"integer"}},"required":["n"]}}}', [{}, {"b": {"n": 1, "a": {"b": {"n": 2}}}}], [{"b": {}}])

# OpenAPI writes `nullable`, which jsonschema does not know.
CASES.append({"name": "openapi nullable", "schema": json.loads('{"type":"object","properties":{"a":{"type":"string","nullable":true},"b":{"type":"integer","nullable":false}},"required":["a","b"]}'), "good": [{"a": None, "b": 1}, {"a": "x", "b": 1}], "bad": [{"a": 1, "b": 1}, {"a": "x", "b": None}]})

out = pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures/schemas/clients.json"
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in CASES) + "\n]\n")
print(len(CASES), "schemas")
