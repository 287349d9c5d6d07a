"""Speech over HTTP and in chats, from the starter voice."""
import base64
import io
import json
import socket
import wave
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from harness import ENDLESS, LIMIT, Stream, chat_body, starter_model, text_of, wait_until
from speech import LONG, RATE, crossings, events, is_free, is_loud, pcm, quiet_voice, refused, seconds, sentences_spoken, speak, wav_seconds

FORMATS = {"wav": "audio/wav", "mp3": "audio/mpeg", "opus": "audio/ogg", "flac": "audio/flac", "aac": "audio/aac", "pcm": "audio/pcm"}
TEXT = "Hello there. How are you today?"


@pytest.fixture(scope="module")
def openai_client(speaking):
    with openai.OpenAI(base_url=speaking.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


@pytest.fixture(scope="module")
def sound(speaking):
    """The samples of ``TEXT``."""
    return pcm(speaking, TEXT)


# Formats.

@pytest.mark.parametrize("kind", FORMATS)
def test_the_official_client_gets_every_format(openai_client, sound, kind):
    reply = openai_client.audio.speech.create(model="joe", voice="joe", input=TEXT, response_format=kind)
    assert reply.response.headers["content-type"] == FORMATS[kind]
    wanted = len(sound) / 2 / RATE
    assert 1.2 < wanted < 4, "six words"
    assert seconds(reply.content, kind) == pytest.approx(wanted, abs=0 if kind in ("wav", "pcm", "flac") else 0.16)


def test_wav_holds_the_samples_of_pcm(speaking, sound):
    reply = speak(speaking, TEXT)
    assert reply.headers["Content-Type"] == "audio/wav", "the default"
    assert reply.body[44:] == sound and is_loud(sound)
    assert int(reply.headers["X-VLLM-OMNI-TOTAL-TOKENS"]) > int(reply.headers["X-VLLM-OMNI-INPUT-TOKENS"]) > 10


def test_the_same_text_is_the_same_sound_among_others(speaking, sound):
    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(lambda text: pcm(speaking, text), [TEXT, "One.", TEXT, "Something else entirely."]))
    assert heard[0] == heard[2] == sound and len({*heard}) == 3


# Streams.

def test_raw_chunks_joined_are_the_whole(openai_client, sound):
    request = {"model": "joe", "voice": "joe", "input": TEXT, "extra_body": {"stream_format": "audio"}}
    with openai_client.audio.speech.with_streaming_response.create(response_format="pcm", **request) as reply:
        assert reply.headers["content-type"] == "audio/pcm" and "content-length" not in reply.headers
        chunks = list(reply.iter_bytes())
    assert len(chunks) > 3 and b"".join(chunks) == sound


def test_the_header_of_a_streamed_wav_says_that_its_length_is_unknown(speaking, sound):
    streamed, whole = speak(speaking, TEXT, stream_format="audio").body, speak(speaking, TEXT).body
    assert streamed[4:8] == streamed[40:44] == b"\xff" * 4
    assert streamed[:4] + streamed[8:40] + streamed[44:] == whole[:4] + whole[8:40] + sound


@pytest.mark.parametrize("kind", ["wav", "pcm"])
def test_events_joined_are_the_whole(speaking, sound, kind):
    reply = speak(speaking, TEXT, stream=True, response_format=kind)
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    *deltas, (last, done) = events(reply.body)
    assert {name for name, _ in deltas} == {"speech.audio.delta"} and {d["response_format"] for _, d in deltas} == {kind}
    pieces = [base64.b64decode(d["audio"]) for _, d in deltas]
    if kind == "wav":
        header = pieces.pop(0)
        assert len(header) == 44 and header[40:] == b"\xff" * 4, "the header alone"
    assert len(pieces) > 3 and b"".join(pieces) == sound
    usage = done["usage"]
    assert last == "speech.audio.done" and usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_the_first_sentence_comes_before_the_last_is_made(speaking):
    stream = speaking.connection()
    stream.request("POST", "/v1/audio/speech", json.dumps({"input": LONG, "response_format": "pcm", "stream_format": "audio"}),
                   {"Content-Type": "application/json", "X-Request-Id": "first-of-many"})
    reply = stream.getresponse()
    assert is_loud(reply.read(RATE))
    assert sentences_spoken(speaking, "first-of-many") < 400
    reply.close()
    stream.close()


@pytest.mark.parametrize("kind", ["mp3", "opus", "flac", "aac"])
def test_streams_of_other_formats_are_refused(speaking, kind):
    assert refused(speaking, stream=True, response_format=kind)["param"] == "body"


# Speed and rate.

@pytest.mark.parametrize("speed", [0.5, 2])
def test_speed_changes_the_length_and_keeps_the_pitch(speaking, sound, speed):
    fast = pcm(speaking, TEXT, speed=speed)
    assert len(fast) == pytest.approx(len(sound) / speed, rel=0.03)
    assert crossings(fast) == pytest.approx(crossings(sound), rel=0.25), "played at another speed it would be twice or half"
    streamed = speak(speaking, TEXT, speed=speed, response_format="pcm", stream_format="audio").body
    assert streamed == fast


@pytest.mark.parametrize("rate", [8000, 24000, 48000])
def test_the_rate_is_the_one_asked_for(speaking, sound, rate):
    whole = speak(speaking, TEXT, sample_rate=rate).body
    with wave.open(io.BytesIO(whole)) as file:
        assert file.getframerate() == rate
    assert wav_seconds(whole) == pytest.approx(len(sound) / 2 / RATE, abs=0.02)


@pytest.mark.parametrize("fields, param", [
    ({"speed": 0.2}, "body.speed"), ({"speed": 4.1}, "body.speed"), ({"sample_rate": 0}, "body.sample_rate"), ({"sample_rate": 7999}, "sample_rate"),
    ({"response_format": "ogg"}, "body.response_format"), ({"language": "Klingon"}, "language"), ({"word_timestamps": True}, "word_timestamps"),
    ({"instructions": "x" * 501}, "body.instructions"), ({"voice": 5}, "body.voice"), ({"voice": {"name": "joe"}}, "body.voice.id"),
    ({"ref_audio": "file:///etc/passwd"}, "ref_audio"), ({"ref_audio": ["/etc/passwd"]}, "ref_audio"),
    ({"references": [{"audio_path": "file:///etc/passwd"}]}, "ref_audio"), ({"ref_audio": "data:audio/wav;base64,AAAA"}, "ref_audio"),
])
def test_what_is_wrong_is_named(speaking, fields, param):
    for streamed in ({}, {"stream": True}):
        assert refused(speaking, **streamed, **fields)["param"] == param, "also before a stream begins"


def test_the_longest_text_is_told(speaking):
    told = next(m for m in speaking.get("/v1/capabilities").json["data"] if m["kind"] == "speech")["speech"]["max_input_characters"]
    reply = speaking.post("/v1/audio/speech", {"input": "é" * (told + 1)})
    assert reply.status == 413 and str(told) in reply.error["message"]


def test_ignored_fields_are_named(speaking):
    reply = speak(speaking, "Hi.", voice="alloy", instructions="sadly", sparkle=1, max_new_tokens=5)
    assert set(reply.headers["x-ignored-params"].split(",")) == {"voice", "instructions", "sparkle", "max_new_tokens"}
    assert "x-ignored-params" not in speak(speaking, "Hi.", instructions="").headers, "nothing was asked"


def test_metrics_tell_of_speech_by_model(speaking):
    names = ["requests_success_total", "speech_stream_completed_total", "e2e_request_latency_s_count", "prompt_tokens_total", "audio_ttfp_s_count", "audio_duration_s_sum", "audio_rtf_count"]

    def figures():
        return [speaking.metric(f"vllm_omni:{name}", model_name="joe") or 0 for name in names]

    before = figures()
    spoken = sum(len(speak(speaking, response_format="pcm", **how).body) / 2 / RATE for how in ({}, {"stream_format": "audio"}))
    requests, streams, latencies, symbols, firsts, seconds, factors = (now - then for now, then in zip(figures(), before))
    assert (requests, streams, latencies, firsts, factors) == (2, 1, 2, 2, 2) and symbols > 10 and seconds == pytest.approx(spoken, abs=0.01)
    broken = speaking.metric("vllm_omni:requests_failed_total", model_name="joe", reason="error") or 0
    refused(speaking, language="xx")
    assert speaking.metric("vllm_omni:requests_failed_total", model_name="joe", reason="error") == broken + 1
    assert speaking.metric("vllm_omni:num_requests_running", model_name="joe") == 0 == speaking.metric("vllm_omni:num_requests_waiting", model_name="joe")


# Voices by name.

@pytest.mark.parametrize("name", ["alloy", "ash", "coral", "Nova", "shimmer"])
def test_openais_voices_mean_the_default_and_that_is_said(speaking, name):
    reply = speak(speaking, "Hi.", voice=name, response_format="pcm")
    assert reply.headers["x-ignored-params"] == "voice" and reply.body == pcm(speaking, "Hi.")


@pytest.mark.parametrize("fields", [{"voice": "JOE"}, {"speaker": "joe"}, {"voice": {"id": "joe"}}, {"voice": "default"}, {"voice": "Vivian"}, {"voice": None}])
def test_a_voice_has_many_spellings(speaking, fields):
    reply = speak(speaking, "Hi.", response_format="pcm", **fields)
    assert "x-ignored-params" not in reply.headers and reply.body == pcm(speaking, "Hi.")


@pytest.mark.parametrize("name", ["nobody", "../joe", "../../../etc/passwd", "/etc/passwd", "joe/../joe", "file:///etc/passwd", "joe\0", "%2e%2e", "jöe", "x" * 10_000])
def test_an_unknown_voice_is_refused_with_those_there_are(speaking, name):
    error = refused(speaking, voice=name)
    assert error["param"] == "voice" and "joe, vivian" in error["message"] and "root:" not in error["message"]


def test_an_unknown_model(speaking, openai_client):
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client.audio.speech.create(model="other", voice="joe", input="Hi.")
    assert caught.value.param == "model"


def test_a_text_model_cannot_speak(speaking, server):
    refusal = speaking.post("/v1/audio/speech", {"input": "Hi.", "model": starter_model().stem})
    assert refusal.status in (400, 404) and refusal.error["param"] == "model" and starter_model().stem in refusal.error["message"]
    assert server.post("/v1/audio/speech", {"input": "Hi."}).status == 404
    assert server.get("/v1/audio/voices").status == 404


# Odd texts.

@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0"])
def test_empty_text(speaking, text):
    assert refused(speaking, text)["param"] == "input"
    assert refused(speaking, text, stream=True)["param"] == "input"


@pytest.mark.parametrize("text", ["😀🎉", "…", "?!", "- - -", "\u200b\u200d.", "#"])
def test_text_without_words_is_a_short_sound_or_a_clear_error(speaking, text):
    reply = speaking.post("/v1/audio/speech", {"input": text})
    assert reply.status == 200 and 0.1 <= wav_seconds(reply.body) < 5 or reply.status == 400 and reply.error["param"] == "input", reply


@pytest.mark.parametrize("text", ["שלום עולם.", "مرحبا. كيف حالك؟", "Hello, \u202eolleh\u202c there.", "你好。世界！", "Привет, мир.", "a\0b\x1b[31mc", "<speak>x</speak>"])
def test_any_script_is_sound(speaking, text):
    assert 0.1 < wav_seconds(speak(speaking, text).body) < 30


def test_a_language_that_the_voice_was_not_made_for(speaking):
    german = pcm(speaking, "Guten Morgen.", language="de")
    assert is_loud(german) and german != pcm(speaking, "Guten Morgen.")


def test_a_word_without_end(speaking):
    assert wav_seconds(speak(speaking, "a" * 700).body) > 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_megabyte_of_text_is_refused_at_once(speaking, stream):
    error = refused(speaking, "word " * 200_000, status=413, stream=stream)
    assert error["param"] == "input" and "200000" in error["message"]


def test_no_sentence_is_lost(speaking, sound):
    """The sum of the parts, but for the pauses between them."""
    text = "Dr. Smith paid $3.50 at 10 a.m. He left. Then came 1,000 more! Why? Nobody knows."
    sentences = ["Dr. Smith paid $3.50 at 10 a.m.", "He left.", "Then came 1,000 more!", "Why?", "Nobody knows."]
    reply = speaking.request("POST", "/v1/audio/speech", {"input": text, "response_format": "pcm"}, {"X-Request-Id": "all-of-it"})
    parts = [pcm(speaking, s) for s in sentences]
    assert 0 <= (len(reply.body) - sum(map(len, parts))) / 2 / RATE < 1.2
    wait_until(lambda: sentences_spoken(speaking, "all-of-it") in (4, 5), "the log to name every sentence")


# Several texts.

def test_a_batch(speaking):
    reply = speaking.post("/v1/audio/speech/batch", {
        "response_format": "pcm", "items": [{"input": "Hi."}, {"input": "  "}, {"input": "Hi.", "voice": "nobody"}, {"input": "Hi.", "response_format": "flac", "speed": 2}]})
    assert reply.status == 200
    batch = reply.json
    assert (batch["total"], batch["succeeded"], batch["failed"]) == (4, 2, 2) and batch["id"].startswith("speech-batch-")
    first, empty, nobody, fast = batch["results"]
    assert [r["index"] for r in batch["results"]] == [0, 1, 2, 3]
    assert base64.b64decode(first["audio_data"]) == pcm(speaking, "Hi.") and first["media_type"] == "audio/pcm" and first["usage"]["total_tokens"] > 0
    assert empty["status"] == nobody["status"] == "error" and "empty" in empty["error"] and "nobody" in nobody["error"] and "audio_data" not in empty
    assert fast["media_type"] == "audio/flac" and seconds(base64.b64decode(fast["audio_data"]), "flac") < seconds(base64.b64decode(first["audio_data"]), "pcm")


@pytest.mark.parametrize("body, param", [
    ({}, "body.items"), ({"items": []}, "body.items"), ({"items": [{"input": "a"}] * 33}, "body.items"), ({"items": [{"input": "a", "speed": 9}]}, "body.items.0.speed"),
    ({"items": [{}]}, "body.items.0.input"), ({"items": [{"input": "a", "response_format": "aac"}]}, "body.items.0.response_format"),
])
def test_a_wrong_batch_is_refused_whole(speaking, body, param):
    reply = speaking.post("/v1/audio/speech/batch", body)
    assert reply.status == 400 and reply.error["param"] == param


# Spoken chat.

CHAT = {"model": starter_model().stem, "max_tokens": 14, "temperature": 0, "modalities": ["text", "audio"]}


def test_a_spoken_answer(speaking, openai_client):
    words = speaking.chat("Name two rivers.", **CHAT | {"modalities": None}).json["choices"][0]["message"]["content"]
    reply = openai_client.chat.completions.create(messages=chat_body("Name two rivers.")["messages"], audio={"voice": "joe", "format": "wav"}, **CHAT)
    choice = reply.choices[0]
    assert choice.message.content == choice.message.audio.transcript == words and choice.message.audio.id
    audio = base64.b64decode(choice.message.audio.data)
    assert audio == speak(speaking, words).body, "the answer's words and no others"
    assert choice.audio_metadata == {"format": "wav", "sample_rate_hz": RATE, "frame_count": (len(audio) - 44) // 2, "channels": 1}
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


# Clients that go.

@pytest.mark.parametrize("how", [{}, {"stream": True}, {"stream_format": "audio"}])
def test_a_client_that_goes_frees_the_voice(speaking, how):
    name = f"goes-{'-'.join(how) or 'whole'}"
    connection = speaking.connection()
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": LONG, "response_format": "pcm", **how}), {"Content-Type": "application/json", "X-Request-Id": name})
    wait_until(lambda: sentences_spoken(speaking, name) > 0, "the first sentence")
    connection.close()
    wait_until(lambda: any(f"request_id={name}" in line and "status=499" in line for line in speaking.log.splitlines()), "the server to see that it has gone")
    before = sentences_spoken(speaking, name)
    for _ in range(5):
        speak(speaking, "One. Two. Three.")
    assert sentences_spoken(speaking, name) - before <= 1, "at most the sentence that was being spoken"
    assert before < 400


def test_a_client_that_goes_from_a_batch(speaking):
    connection = speaking.connection()
    items = [{"input": LONG}] + [{"input": "Not reached."}] * 31
    connection.request("POST", "/v1/audio/speech/batch", json.dumps({"items": items}), {"Content-Type": "application/json", "X-Request-Id": "goes-batch"})
    wait_until(lambda: sentences_spoken(speaking, "goes-batch") > 0, "the first sentence")
    connection.close()
    wait_until(lambda: is_free(speaking), "the batch to be given up")
    assert sentences_spoken(speaking, "goes-batch") < 400 and "Not reached" not in speaking.log


def test_a_client_that_goes_from_a_spoken_answer(speaking):
    stream = Stream(speaking, chat_body("Tell me a very long story.", stream=True, **CHAT | ENDLESS))
    while stream.next()["modality"] != "audio":
        pass
    stream.close()
    speaking.wait_idle()
    wait_until(lambda: is_free(speaking), "the voice to be free")


def test_a_client_that_reads_nothing_does_not_hold_others_up(speaking):
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.settimeout(LIMIT)
    slow.connect(("127.0.0.1", speaking.port))
    body = json.dumps({"input": LONG, "response_format": "pcm", "stream_format": "audio"}).encode()
    slow.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-Id: slow-one\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    wait_until(lambda: sentences_spoken(speaking, "slow-one") > 0, "the slow one's first sentence")
    for _ in range(3):
        speak(speaking, "Hi.")
    wait_until(lambda: is_free(speaking), "the voice to wait for the slow one")
    assert sentences_spoken(speaking, "slow-one") < 400, "no more is made than a reader may take soon"
    slow.close()


# Voices that cannot be used.

def test_a_damaged_voice_is_refused_with_a_reason_and_the_rest_is_served(start, tmp_path):
    folder = quiet_voice(tmp_path)
    file = next(folder.glob("*.onnx"))
    whole = file.read_bytes()
    file.unlink()
    file.write_bytes(whole[:len(whole) // 2])
    server = start(models=[folder, starter_model()], ready=False)
    server.wait_listening()
    wait_until(lambda: server.model_states() == {"joe": "failed", starter_model().stem: "ready"}, "the voice to be refused")
    error = server.post("/v1/audio/speech", {"input": "Hi."})
    assert error.status in (500, 503) and error.error["message"]
    assert file.name in server.log, "the log names the file"
    assert server.chat(model=starter_model().stem, max_tokens=1).status == 200
