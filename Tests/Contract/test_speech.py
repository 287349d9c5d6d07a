"""Speech over HTTP, from the starter voice."""
import base64
import io
import json
import wave
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from harness import LIMIT, starter_model, wait_until
from speech import LONG, OWN_RATE, RATE, crossings, events, is_loud, pcm, quiet_voice, refused, seconds, sentences_spoken, speak, stream_seconds, wav_seconds

FORMATS = {"wav": "audio/wav", "mp3": "audio/mpeg", "opus": "audio/ogg", "flac": "audio/flac", "aac": "audio/aac", "pcm": "audio/pcm; rate=24000"}
#: What the encoders that take away make longer, in seconds: whole frames, and silence before the first.
PADDING = {"wav": 0.001, "pcm": 0, "flac": 0.001}
TEXT = "Hello there. How are you today?"


@pytest.fixture(scope="module")
def openai_client(speaking):
    with openai.OpenAI(base_url=speaking.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


@pytest.fixture(scope="module")
def sound(speaking):
    """The samples of ``TEXT`` as clients of OpenAI's expect them."""
    return pcm(speaking, TEXT)


@pytest.fixture(scope="module")
def own_sound(speaking):
    """The same as the voice makes them."""
    return pcm(speaking, TEXT, sample_rate=OWN_RATE)


# Formats.

@pytest.mark.parametrize("kind", FORMATS)
def test_the_official_client_gets_every_format(openai_client, sound, kind):
    reply = openai_client.audio.speech.create(model="joe", voice="joe", input=TEXT, response_format=kind)
    assert reply.response.headers["content-type"] == FORMATS[kind]
    assert reply.response.headers["x-sample-rate"] == str(RATE if kind in ("pcm", "opus") else OWN_RATE)
    wanted = len(sound) / 2 / RATE
    assert 1.2 < wanted < 4, "six words"
    assert seconds(reply.content, kind) == pytest.approx(wanted, abs=PADDING.get(kind, 0.16))


def test_wav_holds_the_samples_of_pcm(speaking, own_sound):
    reply = speak(speaking, TEXT)
    assert reply.headers["Content-Type"] == "audio/wav", "the default"
    assert reply.body[44:] == own_sound and is_loud(own_sound)
    assert int(reply.headers["X-VLLM-OMNI-TOTAL-TOKENS"]) > int(reply.headers["X-VLLM-OMNI-INPUT-TOKENS"]) > 10


def test_the_same_text_is_the_same_sound_among_others(speaking, sound):
    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(lambda text: pcm(speaking, text), [TEXT, "One.", TEXT, "Something else entirely."]))
    assert heard[0] == heard[2] == sound and len({*heard}) == 3


# Streams.

def test_raw_chunks_joined_are_the_whole(openai_client, sound):
    request = {"model": "joe", "voice": "joe", "input": TEXT, "extra_body": {"stream_format": "audio"}}
    with openai_client.audio.speech.with_streaming_response.create(response_format="pcm", **request) as reply:
        assert reply.headers["content-type"] == "audio/pcm; rate=24000" and "content-length" not in reply.headers
        assert reply.headers["x-sample-rate"] == "24000" and reply.headers["x-accel-buffering"] == "no"
        chunks = list(reply.iter_bytes())
    assert len(chunks) > 3 and b"".join(chunks) == sound


def test_the_header_of_a_streamed_wav_says_that_its_length_is_unknown(speaking, own_sound):
    streamed, whole = speak(speaking, TEXT, stream_format="audio").body, speak(speaking, TEXT).body
    assert streamed[4:8] == streamed[40:44] == b"\xff" * 4
    assert streamed[:4] + streamed[8:40] + streamed[44:] == whole[:4] + whole[8:40] + own_sound


@pytest.mark.parametrize("kind", ["wav", "pcm"])
def test_events_joined_are_the_whole(speaking, sound, own_sound, kind):
    reply = speak(speaking, TEXT, stream=True, response_format=kind)
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    *deltas, (last, done) = events(reply.body)
    assert {name for name, _ in deltas} == {"speech.audio.delta"} and {d["response_format"] for _, d in deltas} == {kind}
    pieces = [base64.b64decode(d["audio"]) for _, d in deltas]
    if kind == "wav":
        header = pieces.pop(0)
        assert len(header) == 44 and header[40:] == b"\xff" * 4, "the header alone"
    assert len(pieces) > 3 and b"".join(pieces) == (own_sound if kind == "wav" else sound)
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
def test_a_stream_of_any_format_is_a_file(openai_client, sound, kind):
    request = {"model": "joe", "voice": "joe", "input": TEXT, "response_format": kind, "extra_body": {"stream_format": "audio"}}
    with openai_client.audio.speech.with_streaming_response.create(**request) as reply:
        assert reply.headers["content-type"] == FORMATS[kind] and "content-length" not in reply.headers
        assert reply.headers["x-sample-rate"] == str(RATE if kind == "opus" else OWN_RATE) and reply.headers["x-accel-buffering"] == "no"
        chunks = list(reply.iter_bytes(512))
    assert len(chunks) > 1 and stream_seconds(b"".join(chunks), kind) == pytest.approx(len(sound) / 2 / RATE, abs=0.16)


@pytest.mark.parametrize("kind", ["mp3", "opus", "flac", "aac"])
def test_events_of_any_format_joined_are_a_file(speaking, sound, kind):
    """What LiveKit asks for by default."""
    reply = speak(speaking, TEXT, stream_format="sse", response_format=kind)
    assert reply.headers["X-Sample-Rate"] == str(RATE if kind == "opus" else OWN_RATE)
    *deltas, (last, _) = events(reply.body)
    assert last == "speech.audio.done" and {d["response_format"] for _, d in deltas} == {kind} and len(deltas) > 2
    assert stream_seconds(b"".join(base64.b64decode(d["audio"]) for _, d in deltas), kind) == pytest.approx(len(sound) / 2 / RATE, abs=0.16)


@pytest.mark.parametrize("kind", ["mp3", "opus", "flac", "aac", "pcm", "wav"])
def test_sound_of_any_format_comes_before_the_last_sentence_is_made(speaking, kind):
    stream, name = speaking.connection(), f"first-in-{kind}"
    stream.request("POST", "/v1/audio/speech", json.dumps({"input": LONG, "response_format": kind, "stream_format": "audio"}),
                   {"Content-Type": "application/json", "X-Request-Id": name})
    reply = stream.getresponse()
    assert len(reply.read(8000)) == 8000 and sentences_spoken(speaking, name) < 400
    reply.close()
    stream.close()


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
    samples = speak(speaking, TEXT, sample_rate=rate, response_format="pcm")
    assert samples.headers["Content-Type"] == f"audio/pcm; rate={rate}" and samples.headers["X-Sample-Rate"] == str(rate)
    assert samples.body == whole[44:]


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
    voices = server.get("/v1/audio/voices")
    assert voices.status == 200 and voices.json == {"voices": [], "uploaded_voices": []}


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
