"""Qwen2.5-Omni, tiny and random, served from a folder as it is published: it reads and sees, and answers in words and with its own voice."""
import base64
import json
import struct
import subprocess
import zlib

import pytest
from openai import BadRequestError, OpenAI

from harness import LIMIT, ROOT, Server, Stream, chat_body, text_of, wait_until

MODEL = "Qwen/Qwen2.5-Omni-7B"
FOLDER = ROOT / "Tests/Fixtures/omni/qwen2.5-omni"
# Few steps, so that a second of sound takes no minute.
FAST = {"token2wav_steps": 2, "token2wav_solver": "euler", "token2wav_guidance": 0}
GREEDY = {"temperature": 0, "seed": 1}


def talker(codes, **fields):
    return {"sampling_params_list": [{}, {"temperature": 0, "max_tokens": codes, **fields}], **FAST}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    flags = ["--served-model-name", MODEL, "--token2wav-steps", "4", "--token2wav-solver", "euler", "--token2wav-guidance", "0"]
    with Server(tmp_path_factory.mktemp("omni"), *flags, models=[FOLDER]) as server:
        workers = server.workers()
        yield server
        assert server.workers() == workers, "the worker died"


@pytest.fixture(scope="module")
def client(server):
    with OpenAI(base_url=server.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


def picture():
    """A PNG of 56 × 84 pixels."""
    rows = b"".join(b"\0" + bytes((x * c + y) % 256 for x in range(84) for c in (1, 2, 3)) for y in range(56))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 84, 56, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def ask(text="Say hello.", **fields):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 16, **GREEDY, **fields}


def samples(data):
    """Of a WAV file."""
    assert data[:4] == b"RIFF" and data[8:12] == b"WAVE" and struct.unpack("<I", data[24:28])[0] == 24000
    return (len(data) - 44) // 2


def test_the_first_example_of_the_seed_streams_text(client):
    """SEED.md: `Tell me about AI`. Without `modalities` the answer is text: what is printed must be words."""
    response = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Tell me about AI"}], stream=True, max_tokens=24, **GREEDY)
    pieces = [chunk for chunk in response if chunk.choices and chunk.choices[0].delta.content]
    assert pieces and {chunk.modality for chunk in pieces} == {"text"}


def test_the_second_example_of_the_seed_sees_a_picture(client):
    def answer(data):
        content = [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(data).decode()}"}}, {"type": "text", "text": "Describe this image"},
        ]
        return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}], max_tokens=16, **GREEDY)

    seen = answer(picture())
    assert seen.choices[0].message.content is not None and seen.usage.prompt_tokens > 30


def test_the_examples_as_curl_sends_them_with_sound(server):
    """The same with curl, in words and sound; `extra_body` as people write it."""
    data = base64.b64encode(picture()).decode()
    bodies = [
        ask("Tell me about AI", modalities=["text", "audio"], extra_body=FAST, sampling_params_list=talker(24)["sampling_params_list"]),
        ask([{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}, {"type": "text", "text": "Describe this image"}],
            modalities=["text", "audio"], **talker(24)),
    ]
    for body in bodies:
        command = ["curl", "-s", f"{server.base_url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", json.dumps(body)]
        reply = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=LIMIT).stdout)
        message = reply["choices"][0]["message"]
        assert samples(base64.b64decode(message["audio"]["data"])) == 24 * 480 or reply["usage"]["completion_tokens_details"]["audio_tokens"] < 24
        assert message["audio"]["transcript"] == message["content"]


def test_sound_and_text_whole(client):
    reply = client.chat.completions.create(**ask(modalities=["text", "audio"], audio={"voice": "Chelsie", "format": "wav"}), extra_body=talker(30))
    choice = reply.choices[0]
    codes = reply.usage.completion_tokens_details.audio_tokens
    assert 0 < codes <= 30 and samples(base64.b64decode(choice.message.audio.data)) == codes * 480
    assert choice.message.audio.transcript == choice.message.content and choice.audio_metadata["sample_rate_hz"] == 24000
    # The same, in sound alone: no words are told.
    alone = client.chat.completions.create(**ask(modalities=["audio"], audio={"voice": "Chelsie", "format": "wav"}), extra_body=talker(30))
    assert alone.choices[0].message.content is None
    assert alone.choices[0].message.audio.data == choice.message.audio.data and alone.choices[0].message.audio.transcript == choice.message.content


def test_a_call_of_a_tool_is_not_spoken(client):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}}}
    wish = dict(tools=[tool], tool_choice={"type": "function", "function": {"name": "f"}}, modalities=["text", "audio"], extra_body=talker(20))
    choice = client.chat.completions.create(**ask(**wish) | {"max_tokens": 60}).choices[0]
    assert choice.message.tool_calls[0].function.name == "f" and choice.message.audio is None
    chunks = list(client.chat.completions.create(**ask(**wish, stream=True) | {"max_tokens": 60}))
    assert any(c.choices and c.choices[0].delta.tool_calls for c in chunks) and not any(getattr(c, "modality", None) == "audio" for c in chunks)


def test_a_spoken_conversation_goes_on(client):
    answer = client.chat.completions.create(**ask(modalities=["audio"]), extra_body=talker(8)).choices[0].message
    assert answer.content is None and answer.audio.transcript
    messages = ask()["messages"] + [answer] + ask("And again?")["messages"]
    assert client.chat.completions.create(**ask() | {"messages": messages}).choices[0].message.content


def test_both_voices_differ_and_each_is_repeatable(client):
    def sound(voice):
        reply = client.chat.completions.create(**ask(modalities=["text", "audio"], audio={"voice": voice, "format": "pcm16"}), extra_body=talker(24))
        return reply.choices[0].message.audio.data

    chelsie, ethan = sound("Chelsie"), sound("ethan")
    assert chelsie != ethan and sound("CHELSIE") == chelsie
    assert sound("f030") == chelsie, "its older name"


def test_the_stream_begins_to_sound_before_the_text_has_ended(client):
    stream = client.chat.completions.create(
        **ask(modalities=["text", "audio"], audio={"voice": "Ethan", "format": "pcm16"}, stream=True, stream_options={"include_usage": True}) | {"max_tokens": 1500},
        extra_body={**talker(60), "ignore_eos": True})
    order, sound, reasons, usage = [], b"", [], None
    for chunk in stream:
        if not chunk.choices:
            usage = chunk.usage
            continue
        choice = chunk.choices[0]
        if choice.finish_reason:
            reasons.append((choice.finish_reason, chunk.modality))
        elif choice.delta.content:
            order.append(chunk.modality)
            if chunk.modality == "audio":
                sound += base64.b64decode(choice.delta.content)
                assert choice.audio_metadata["format"] == "pcm"
    assert order.index("audio") < len(order) - 1 - order[::-1].index("text"), "the first sound comes before the last word"
    assert order.count("audio") > 1 and len(sound) == usage.completion_tokens_details.audio_tokens * 480 * 2
    assert reasons == [("length", "audio")] and usage.completion_tokens == 1500


def test_sound_alone_streams_no_words(server):
    body = chat_body("Say hello.", model=MODEL, stream=True, max_tokens=12, modalities=["audio"], **GREEDY) | talker(24)
    events = Stream(server, body).rest()
    assert {event["modality"] for event in events if event != "[DONE]"} == {"audio"}


def test_others_get_their_answers_meanwhile(client):
    plain = client.chat.completions.create(**ask("What is the time?")).choices[0].message.content
    with client.chat.completions.create(**ask(modalities=["text", "audio"], stream=True), extra_body=talker(40)) as stream:
        next(iter(stream))
        assert client.chat.completions.create(**ask("What is the time?")).choices[0].message.content == plain


STAGES = ["vllm:num_requests_running", "omni:talker_requests_running", "omni:codec_requests_running"]


def test_whoever_leaves_stops_all_three_stages(server, client):
    stream = client.chat.completions.create(
        **ask(modalities=["text", "audio"], stream=True) | {"max_tokens": 3000}, extra_body={**talker(4000), "ignore_eos": True})
    for chunk in stream:
        if chunk.choices and chunk.modality == "audio":
            break
    assert [server.metric(name) for name in STAGES] == [1, 1, 1]
    stream.close()
    wait_until(lambda: [server.metric(name) for name in STAGES] == [0, 0, 0], "all stages to stop")
    codes = server.metric("omni:talker_codes_total")
    assert client.chat.completions.create(**ask()).choices[0].message.content is not None
    assert server.metric("omni:talker_codes_total") == codes, "the talker writes no codes for one who has left"


def test_figures(server, client):
    wish = {**talker(24), "return_stage_metrics": True}
    answer = client.chat.completions.create(**ask(modalities=["text", "audio"]), extra_body=wish)
    *_, last = [chunk for chunk in client.chat.completions.create(**ask(modalities=["text", "audio"], stream=True), extra_body=wish) if chunk.choices]
    for metrics in (answer.metrics, last.metrics):
        text, audio = metrics["stage_metrics"]["text"], metrics["stage_metrics"]["audio"]
        assert 0 < text["time_to_first_token_s"] <= text["duration_s"] and audio["audio_s"] > 0 and audio["underruns"] >= 0, metrics
    assert client.chat.completions.create(**ask(modalities=["text", "audio"]), extra_body=talker(24)).metrics is None
    assert server.metric("omni:audio_underruns_total") is not None
    labels = {"model_name": MODEL, "stage": "2"}
    assert server.metric("vllm_omni:audio_ttfp_s_count", **labels) >= 1 and server.metric("vllm_omni:audio_rtf_count", **labels) >= 1


@pytest.mark.parametrize("fields, param, words", [
    ({"audio": {"voice": "Bob"}}, "audio.voice", "Chelsie, Ethan"),
    ({"voice": "Bob"}, "voice", "Chelsie, Ethan"),
    ({"audio": {"voice": {"id": "Bob"}}}, "audio.voice", "Chelsie, Ethan"),
    ({"audio": {"voice": 3}}, "audio.voice", "name"),
    ({"audio": {"format": 1}}, "audio.format", "wav, pcm, pcm16"),
    ({"audio": {"format": "midi"}}, "audio.format", "wav, pcm, pcm16"),
    ({"modalities": ["text", "image"]}, "modalities", "text, audio"),
    ({"n": 2}, "body.n", "one choice"),
    ({"token2wav_steps": 0}, "body.token2wav_steps", ""),
    ({"token2wav_solver": "magic"}, "body.token2wav_solver", "rk4, euler"),
    ({"sampling_params_list": [{}, {"temperature": -1}]}, "body.sampling_params_list.1.temperature", ""),
    ({"sampling_params_list": {}}, "body.sampling_params_list", "thinker, talker, token2wav"),
    ({"sampling_params_list": [{"temperature": -1}]}, "body.temperature", ""),
])
def test_bad_wishes(client, fields, param, words):
    with pytest.raises(BadRequestError) as caught:
        client.post("/chat/completions", cast_to=object, body=ask(modalities=["text", "audio"]) | fields)
    assert caught.value.body["param"] == param and words in caught.value.body["message"]


def test_what_has_no_effect_is_told(server):
    reply = server.post("/v1/chat/completions", ask(sampling_params_list=[{}, {"temperature": 0}], token2wav_steps=3, modalities=["text"]))
    assert reply.status == 200 and reply.headers["x-ignored-params"].split(",") == ["token2wav_steps", "sampling_params_list.1"]


def test_the_first_stage_of_the_list_goes_before_the_request(client):
    reply = client.chat.completions.create(**ask(), extra_body={"sampling_params_list": [{"max_tokens": 3}]})
    assert reply.usage.completion_tokens == 3


def test_it_tells_what_it_can(server):
    told = server.get("/v1/capabilities").json["data"][0]
    assert told["text"]["voices"] == ["Chelsie", "Ethan"] and told["output_modalities"][:2] == ["text", "audio"]
    assert {"text", "image", "audio"} <= set(told["input_modalities"])


def test_it_reads_a_text_in_its_voices(server, client):
    def read(voice, **fields):
        return client.audio.speech.create(model=MODEL, voice=voice, input="Good morning.", response_format="wav", extra_body={"seed": 3, **fields}).read()

    chelsie = read("Chelsie")
    # A random talker hardly ever ends by itself: it is cut after two seconds and a third of one for each character.
    assert samples(chelsie) % 480 == 0 and 0 < samples(chelsie) <= (100 + 17 * 13) * 480
    assert (read("chelsie") == chelsie) and (read("Ethan") != chelsie)
    marked = {"input": "**Good** <b>morning</b>.", "stream_format": "audio"}
    assert read("Chelsie", **marked) == read("Chelsie", stream_format="audio"), "marks are not read aloud"
    assert server.post("/v1/audio/speech", {"model": MODEL, "input": "<p></p>"}).error["param"] == "input"
    assert {voice["name"] if isinstance(voice, dict) else voice for voice in server.get("/v1/audio/voices").json["voices"]} >= {"chelsie", "ethan"}
    reply = server.post("/v1/audio/speech", {"model": MODEL, "voice": "Chelsie", "input": "Hi.", "speed": 1.5})
    assert reply.status == 200 and "speed" in reply.headers["x-ignored-params"]
    for fields, param in [({"voice": "Bob"}, "voice"), ({"input": "a" * 1300}, "input")]:
        reply = server.post("/v1/audio/speech", {"model": MODEL, "input": "Hi.", **fields})
        assert reply.status in (400, 413) and reply.error["param"] == param, reply
