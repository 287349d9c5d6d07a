"""Chats whose answers are spoken by the starter voice."""
import base64

import openai
import pytest

from harness import ENDLESS, LIMIT, Stream, chat_body, starter_model, text_of, wait_until
from speech import OWN_RATE, RATE, is_free, is_loud, speak, wav_seconds

CHAT = {"model": starter_model().stem, "max_tokens": 14, "temperature": 0, "modalities": ["text", "audio"]}


@pytest.fixture(scope="module")
def openai_client(speaking):
    with openai.OpenAI(base_url=speaking.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


def test_a_spoken_answer(speaking, openai_client):
    words = speaking.chat("Name two rivers.", **CHAT | {"modalities": None}).json["choices"][0]["message"]["content"]
    reply = openai_client.chat.completions.create(messages=chat_body("Name two rivers.")["messages"], audio={"voice": "joe", "format": "wav"}, **CHAT)
    choice = reply.choices[0]
    assert choice.message.content == choice.message.audio.transcript == words and choice.message.audio.id
    audio = base64.b64decode(choice.message.audio.data)
    assert audio == speak(speaking, words).body, "the answer's words and no others"
    assert choice.audio_metadata == {"format": "wav", "sample_rate_hz": OWN_RATE, "frame_count": (len(audio) - 44) // 2, "channels": 1}
    assert reply.usage.completion_tokens == 14 and choice.finish_reason == "length"


def test_a_spoken_answer_without_its_text(speaking):
    message = speaking.chat("Name two rivers.", **CHAT | {"modalities": ["audio"]}).json["choices"][0]["message"]
    assert message["content"] is None and message["audio"]["transcript"]


def test_a_spoken_answer_as_it_is_made(speaking):
    stream = Stream(speaking, chat_body("Name two rivers.", stream=True, stream_options={"include_usage": True}, audio={"voice": "joe", "format": "pcm16"}, **CHAT))
    chunks = stream.rest()
    assert chunks.pop() == "[DONE]" and chunks.pop()["usage"]["completion_tokens"] == 14
    assert {c["object"] for c in chunks} == {"chat.completion.chunk"} and len({c["id"] for c in chunks}) == 1
    spoken = [c["choices"][0] for c in chunks if c["modality"] == "audio" and c["choices"][0]["delta"]]
    words = text_of(c for c in chunks if c["modality"] == "text")
    whole = speaking.chat("Name two rivers.", **CHAT).json["choices"][0]["message"]
    assert words == whole["content"], "streamed or not, the same text"
    sound = [base64.b64decode(choice["delta"]["content"]) for choice in spoken]
    assert sound and all(map(is_loud, sound))
    for choice, samples in zip(spoken, sound):
        assert choice["audio_metadata"] == {"format": "pcm", "sample_rate_hz": RATE, "frame_count": len(samples) // 2, "channels": 1}
    assert sum(map(len, sound)) / 2 / RATE == pytest.approx(wav_seconds(base64.b64decode(whole["audio"]["data"])), abs=0.3 * len(sound))
    assert [c["choices"][0]["finish_reason"] for c in chunks].count("length") == 1 and chunks[-1]["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fields, param", [({"audio": {"format": "midi"}}, "audio.format"), ({"modalities": ["text", "smell", "audio"]}, "modalities"), ({"n": 2}, "n")])
def test_a_wrong_wish_for_a_spoken_answer(speaking, fields, param, stream):
    reply = speaking.chat("Hi.", **CHAT | fields, stream=stream)
    assert reply.status == 400 and reply.error["param"].removeprefix("body.") == param, reply


@pytest.mark.parametrize("stream", [False, True])
def test_a_spoken_answer_in_an_unknown_voice_is_refused_before_it_begins(speaking, stream):
    reply = speaking.chat("Hi.", **CHAT, audio={"voice": "nobody", "format": "wav"}, stream=stream)
    assert reply.status == 400 and "nobody" in reply.error["message"] and "voice" in reply.error["param"], reply


def test_a_spoken_answer_names_what_it_ignored(speaking):
    reply = speaking.chat("Hi.", **CHAT, audio={"voice": "alloy", "format": "wav"}, sparkle=1)
    assert reply.status == 200 and set(reply.headers["x-ignored-params"].split(",")) == {"sparkle", "audio.voice"}, "the sound itself was made"
    assert speaking.chat("Hi.", **CHAT, speaker="alloy").headers["x-ignored-params"] == "speaker"
    assert "x-ignored-params" not in speaking.chat("Hi.", **CHAT, audio={"voice": "joe", "format": "wav"}).headers


def test_a_client_that_goes_from_a_spoken_answer(speaking):
    stream = Stream(speaking, chat_body("Tell me a very long story.", stream=True, **CHAT | ENDLESS))
    while stream.next()["modality"] != "audio":
        pass
    stream.close()
    speaking.wait_idle()
    wait_until(lambda: is_free(speaking), "the voice to be free")
