"""vLLM's forms of answers: a regular expression, a choice, a grammar, a schema; by today's field and by the older ones."""
import json
import re

import openai
import pytest

ASK = [{"role": "user", "content": "What is your telephone number?"}]
NUMBER = r"\+49-\d{3}/[0-9a-f]{2,4}(?: \(home\)| \(work\))?"
GRAMMAR = 'root ::= "<" word ("," word)? ">"\nword ::= [a-z]{3,6}'


def chat(client, model, **form):
    answer = client.chat.completions.create(model=model, messages=ASK, max_tokens=60, temperature=1.0, extra_body=form).choices[0]
    assert answer.finish_reason == "stop", answer
    return answer.message.content


@pytest.mark.parametrize("form", [{"structured_outputs": {"regex": NUMBER}}, {"guided_regex": NUMBER}], ids=["today", "older"])
def test_a_regular_expression_matches_the_whole_answer(client, model, form):
    for seed in range(3):
        assert re.fullmatch(NUMBER, chat(client, model, **form, seed=seed))


@pytest.mark.parametrize("field", ["structured_outputs", "guided_choice"])
def test_a_choice_is_one_of_them(client, model, field):
    choices = ["the red one", 'the "blue" one\n', "größer"]
    form = {field: choices if field == "guided_choice" else {"choice": choices}}
    answers = {chat(client, model, **form, seed=seed) for seed in range(4)}
    assert answers <= set(choices)


@pytest.mark.parametrize("form", [{"structured_outputs": {"grammar": GRAMMAR}}, {"guided_grammar": GRAMMAR}], ids=["today", "older"])
def test_a_grammar_is_followed(client, model, form):
    assert re.fullmatch("<[a-z]{3,6}(,[a-z]{3,6})?>", chat(client, model, **form))


def test_a_schema_by_its_other_names(client, model):
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"], "additionalProperties": False}
    for form in ({"structured_outputs": {"json": schema}}, {"guided_json": json.dumps(schema)}):
        assert set(json.loads(chat(client, model, **form))) == {"sure"}


def test_completions_have_forms_too(client, model):
    answer = client.completions.create(
        model=model, prompt="Twelve: ", max_tokens=20, n=2, extra_body={"structured_outputs": {"regex": "(?:1|2){2}"}})
    assert all(re.fullmatch("[12]{2}", choice.text) for choice in answer.choices) and len(answer.choices) == 2


@pytest.mark.parametrize("form, param", [
    ({"structured_outputs": {"regex": "("}}, "structured_outputs"), ({"guided_regex": "a(?=b)"}, "guided_regex"),
    ({"structured_outputs": {"grammar": "nothing ::= "}}, "structured_outputs"), ({"guided_grammar": "root ::= root"}, "guided_grammar"),
    ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "structured_outputs"), ({"guided_choice": []}, "guided_choice"),
    ({"structured_outputs": {"structural_tag": "{}"}}, "structural_tag"),
    ({"guided_regex": "a", "response_format": {"type": "json_object"}}, "guided_regex"),
])
def test_what_cannot_be_followed_is_refused_by_name(client, model, form, param):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=model, messages=ASK, max_tokens=5, extra_body=form)
    assert param in refused.value.param, refused.value.body
