"""Speculative decoding: the flags, what it must not change, and what is told of it. How fast it is, is a benchmark's affair."""
import json
import pathlib

import pytest

from harness import starter_model, wait_until

REPEAT = "red, green, blue, red, green, blue, red, green, blue, red, green,"
FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "Fixtures/text"


def complete(server, **fields):
    body = {"prompt": REPEAT, "max_tokens": 60, "temperature": 0, "ignore_eos": True, **fields}
    reply = server.post("/v1/completions", body)
    assert reply.status == 200, reply
    return reply.json


def counts(server):
    return [server.metric(f"vllm:spec_decode_num_{name}_total") for name in ("drafts", "draft_tokens", "accepted_tokens")]


def test_off_and_on_give_the_same_answer(start, server):
    off = start("--speculative-config", '{"method": "none"}')
    assert complete(off)["choices"][0]["text"] == complete(server)["choices"][0]["text"]
    assert counts(off) == [0, 0, 0]
    drafts, tokens, accepted = counts(server)
    assert drafts <= tokens and accepted <= tokens


def test_a_draft_model_guesses(start):
    """Of itself: every guess of so small a model for itself comes true. A model's guesses are tried now and then whatever they cost."""
    server = start("--model-draft", starter_model(), "--max-model-len", 1024)

    def guessed():
        assert complete(server, prompt="Once upon a time there was a", max_tokens=120)["usage"]["completion_tokens"] == 120
        return counts(server)[0] > 0

    wait_until(guessed, "guesses to be tried, which on a slow machine are seldom worth it")
    _, tokens, accepted = counts(server)
    assert 0 < accepted <= tokens


def test_a_draft_model_of_another_family_is_refused_by_name(start):
    server = start("--speculative-config", json.dumps({"model": str(FIXTURES / "tiny.gguf")}), ready=False)
    server.wait_listening()
    wait_until(lambda: "another vocabulary" in server.log and "tiny.gguf has" in server.log, "the reason in the log")
    assert server.chat(max_tokens=1).status >= 500


@pytest.mark.parametrize("config, word", [
    ("{", "--speculative-config"), ('{"method": "eagle3"}', "method"), ('{"method": "ngram", "draft_tensor_parallel_size": 1}', "draft_tensor_parallel_size"),
    ('{"model": "/nowhere.gguf"}', "/nowhere.gguf"), ('{"num_speculative_tokens": 0}', "num_speculative_tokens"),
])
def test_what_is_wrong_with_the_flag_is_said_at_the_start(start, config, word):
    server = start("--speculative-config", config, ready=False)
    assert server.process.wait(60) > 0 and word in server.log and "Fatal error" not in server.log, server.log


def test_a_prediction_is_counted_in_the_usage(client, model):
    settings = dict(model=model, messages=[{"role": "user", "content": "Tell me about the sea."}], max_tokens=40, temperature=0)
    plain = client.chat.completions.create(**settings)
    assert plain.usage.completion_tokens_details is None
    text = plain.choices[0].message.content
    predicted = client.chat.completions.create(**settings, prediction={"type": "content", "content": [{"type": "text", "text": text}]})
    details = predicted.usage.completion_tokens_details
    assert 0 <= details.accepted_prediction_tokens <= 40 and details.rejected_prediction_tokens >= 0
    *_, last = client.chat.completions.create(
        **settings, prediction={"type": "content", "content": text}, stream=True, stream_options={"include_usage": True})
    assert last.usage.completion_tokens_details.accepted_prediction_tokens >= 0


@pytest.mark.parametrize("prediction, param", [
    ({"type": "text", "content": "x"}, "prediction.type"), ({"type": "content"}, "prediction.content"), ("x", "prediction"),
    ({"type": "content", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}, "prediction.content.0"),
])
def test_a_wrong_prediction_is_named(server, prediction, param):
    reply = server.chat(prediction=prediction, max_tokens=1)
    assert reply.status == 400 and reply.error["param"].endswith(param)


def test_the_fingerprint_is_that_of_the_engine(server, client, model, start):
    settings = dict(model=model, messages=[{"role": "user", "content": "hi"}], max_tokens=1)
    print_ = client.chat.completions.create(**settings).system_fingerprint
    assert print_.startswith("fp_")
    assert all(chunk.system_fingerprint == print_ for chunk in client.chat.completions.create(**settings, stream=True))
    assert client.completions.create(model=model, prompt="hi", max_tokens=1).system_fingerprint == print_
    other = start("--speculative-config", '{"method": "none"}')
    assert other.chat(max_tokens=1).json["system_fingerprint"] != print_
