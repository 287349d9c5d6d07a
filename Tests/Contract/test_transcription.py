"""`/v1/audio/transcriptions` and `/translations`: Whisper base hears what the starter voice and espeak-ng say."""
import json
import os
import re
import subprocess

import openai
import pytest
from playwright.sync_api import expect

from browser import Visit
from harness import LIMIT, binary, wait_until
from hearing import STARTER_EARS, errors, espeak, events, form, hear, refused, samples, silence, spoken, wav, words
from speech import STARTER_VOICE, endless_flac

TEXT = "The little ship sailed slowly past the lighthouse. Nobody in the village remembered the old clock."
#: About a minute.
SENTENCES = [
    "Every morning the baker carries two warm loaves across the narrow bridge.", "A cold wind came down from the hills and rattled the windows.",
    "She found the missing letter between two pages of a borrowed book.", "The children counted seven swallows on the wire above the empty road.",
    "By evening the rain had stopped and the lamps were lit again.", "The teacher asked a question that no one in the room could answer.",
    "There is a small museum behind the church with pictures of old ships.", "The mountain was covered with snow long before winter began.",
    "The farmer sold his last horse and bought a second hand truck.", "In the library you could hear nothing but the turning of pages.",
    "The bell rang three times and the shop was suddenly full of people.", "He repaired the radio with a piece of wire and a little patience.",
]


@pytest.fixture(scope="module")
def ears(shared):
    return shared(models=[STARTER_EARS, STARTER_VOICE])


@pytest.fixture(scope="module")
def sound(ears):
    return spoken(ears, TEXT)


@pytest.fixture(scope="module")
def client(ears):
    with openai.OpenAI(base_url=ears.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


def understood(text, expected=TEXT, share=0.1):
    """Whether nearly all words of it were."""
    return errors(words(expected), words(text)) <= share * len(words(expected))


# Formats, as the official client asks for them.

def test_json(client, sound):
    reply = client.audio.transcriptions.create(model="whisper-base", file=("a.wav", sound), include=["logprobs"])
    assert understood(reply.text) and reply.text == reply.text.strip()
    assert reply.usage.type == "duration" and reply.usage.seconds == pytest.approx(len(samples(sound)) / 32000, abs=0.01)
    assert [language.code for language in reply.languages] == ["en"]
    assert bytes(int(b) for p in reply.logprobs for b in p.bytes).decode().strip() == reply.text
    assert all(p.logprob <= 0 for p in reply.logprobs)


def test_verbose_with_times_of_words(client, sound):
    reply = client.audio.transcriptions.create(
        model="whisper-base", file=("a.wav", sound), response_format="verbose_json", timestamp_granularities=["word", "segment"], language="en")
    length = len(samples(sound)) / 32000
    assert understood(reply.text) and reply.language == "english" and reply.duration == pytest.approx(length, abs=0.01)
    assert "".join(s.text for s in reply.segments).strip() == reply.text and [s.id for s in reply.segments] == list(range(len(reply.segments)))
    for parts in (reply.segments, reply.words):
        assert all(0 <= p.start <= p.end <= length + 0.3 for p in parts) and all(a.end <= b.start + 0.01 for a, b in zip(parts, parts[1:]))
    assert [w for word in reply.words for w in words(word.word)] == words(reply.text)
    assert all(s.tokens and s.avg_logprob < 0 and s.compression_ratio > 0 and 0 <= s.no_speech_prob <= 1 for s in reply.segments)
    # The first sentence ends at the pause.
    ship, nobody = next(w for w in reply.words if "lighthouse" in w.word), next(w for w in reply.words if "Nobody" in w.word)
    assert ship.end <= nobody.start and 2 < ship.end < 4


@pytest.mark.parametrize("kind", ["text", "srt", "vtt"])
def test_plain_texts(client, ears, sound, kind):
    text = client.audio.transcriptions.create(model="whisper-base", file=("a.wav", sound), response_format=kind, language="en")
    if kind == "text":
        assert understood(text) and text.endswith("\n")
        return
    cues = re.findall(r"(?:\d\d:){2}\d\d[.,]\d{3} --> (?:\d\d:){2}\d\d[.,]\d{3}\n(.+)\n", text)
    assert understood(" ".join(cues)) and text.startswith("1\n00:00:0" if kind == "srt" else "WEBVTT\n\n00:00:0")


def test_a_stream_joined_is_the_whole(client, ears, sound):
    with client.audio.transcriptions.create(model="whisper-base", file=("a.wav", sound), stream=True, language="en") as stream:
        *deltas, done = list(stream)
    assert {event.type for event in deltas} == {"transcript.text.delta"} and done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text and understood(done.text)
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens > done.usage.input_token_details.audio_tokens > 200
    raw = hear(ears, sound, stream="true", language="en", response_format="verbose_json")
    assert raw.headers["Content-Type"].startswith("text/event-stream")
    *told, last = events(raw.body)
    segments = [e for e in told if e["type"] == "transcript.text.segment"]
    assert last == "[DONE]" and "".join(s["text"] for s in segments).strip() == done.text and b": heard " in raw.body
    assert all(s["start"] < s["end"] for s in segments)


# Translation.

@pytest.mark.parametrize("language, text, meaning", [
    ("de", "Guten Morgen. Heute ist das Wetter sehr schön.", {"good", "morning", "weather", "today", "beautiful"}),
    ("fr-fr", "Je suis très content. Merci beaucoup, monsieur le président.", {"happy", "glad", "thank", "president", "sir"}),
    ("es", "Buenos días. Hoy hace muy buen tiempo.", {"good", "morning", "today", "weather"}),
])
def test_translation(client, language, text, meaning):
    reply = client.audio.translations.create(model="whisper-base", file=("a.wav", espeak(text, language)))
    assert len(meaning & set(words(reply.text))) >= 2, reply.text


# Long sound.

@pytest.mark.parametrize("shift", [0, 3.7])
def test_a_long_text_comes_back_whole_wherever_it_is_cut(ears, shift):
    """Two pieces and more, whose cuts fall elsewhere with each shift: no word is lost or doubled there."""
    long = silence(shift) + b"".join(samples(spoken(ears, text)) + silence(0.25) for text in SENTENCES)
    assert len(long) > 40 * 32000
    reply = hear(ears, wav(long), response_format="verbose_json", language="en").json
    expected, heard = words(" ".join(SENTENCES)), words(reply["text"])
    assert errors(expected, heard) <= 0.06 * len(expected), reply["text"]
    assert all(a["end"] <= b["start"] + 0.02 for a, b in zip(reply["segments"], reply["segments"][1:]))
    # Each sentence once.
    for text in SENTENCES:
        last = words(text)[-1]
        assert heard.count(last) == expected.count(last), (last, reply["text"])


def test_silence_says_nothing(ears):
    reply = hear(ears, wav(silence(90)), response_format="verbose_json").json
    assert reply["text"] == "" and reply["segments"] == [] and reply["duration"] == 90


# Faults.

def test_a_client_that_goes_ends_the_work(ears):
    long = wav(samples(spoken(ears, " ".join(SENTENCES[:4]))) * 20)
    body, headers = form(long, {"stream": "true", "language": "en"})
    link = ears.connection()
    link.request("POST", "/v1/audio/transcriptions", body, headers)
    reply = link.getresponse()
    while not reply.readline().startswith(b"data: "):
        pass
    reply.close()
    link.close()
    wait_until(lambda: ears.metric("vllm_omni:num_requests_running", model_name="whisper-base") == 0, "the work to end", limit=5)
    assert ears.metric("vllm_omni:requests_failed_total", model_name="whisper-base", reason="cancelled") >= 1


@pytest.mark.parametrize("sound, message", [
    (b"this is no sound", "cannot be read"), (b"", "is empty"), (b"RIFF\xff\xff\xff\xffWAVEfmt ", "cannot be read"),
])
def test_what_is_no_sound_is_refused(ears, sound, message):
    error = refused(ears, sound)
    assert error["param"] == "body.file" and message in error["message"] and "BadRequest" in error["type"].replace(" ", "")


def test_a_file_that_is_cut_off_gives_what_is_there(ears, sound):
    # The voice never speaks twice alike, and the same sound is written as one word or two.
    text = hear(ears, sound[:len(sound) * 11 // 20], language="en").json["text"].replace(" ", "")
    assert "lighthouse" in text and "clock" not in text


def test_a_file_that_unpacks_to_days_is_refused(ears):
    bomb = endless_flac(20_000)
    assert len(bomb) < 1 << 20
    for file in (bomb, bomb[:18] + bytes([bomb[18], bomb[19], bomb[20], bomb[21] & 0xF0, 0, 0, 0, 0]) + bomb[26:]):
        error = refused(ears, file, status=413)
        assert error["param"] == "body.file" and "seconds" in error["message"]


@pytest.mark.parametrize("fields, param", [
    ({"temperature": "2"}, "body.temperature"), ({"response_format": "mp3"}, "body.response_format"), ({"language": "klingon"}, "language"),
    ({"timestamp_granularities[]": "letter"}, "body.timestamp_granularities.0"), ({"response_format": "diarized_json"}, "body.response_format"),
    ({"stream": "true", "response_format": "vtt"}, "body.response_format"), ({"chunking_strategy": "never"}, "body.chunking_strategy"),
])
def test_wrong_fields_are_named(ears, sound, fields, param):
    assert refused(ears, sound, **fields)["param"] == param


def test_models(ears, sound, server):
    assert "diarizer" in refused(ears, sound, response_format="diarized_json")["message"]
    assert refused(ears, None)["param"] == "body.file"
    unknown = refused(ears, sound, status=404, model="whisper-1")
    assert unknown["param"] == "model" and "whisper-base" in unknown["message"]
    unable = refused(ears, sound, status=404, model="joe")
    assert unable["param"] == "model" and "whisper-base" in unable["message"], "the model that can is named"
    assert refused(server, sound, status=404)["param"] == "model"
    listed = {m["id"]: m["kind"] for m in ears.get("/v1/models").json["data"]}
    assert listed == {"whisper-base": "transcription", "joe": "speech"}
    told = next(m for m in ears.get("/v1/capabilities").json["data"] if m["id"] == "whisper-base")
    assert told["endpoints"] == ["/v1/audio/transcriptions", "/v1/audio/translations"] and told["output_modalities"] == ["text"]
    assert {"en", "de", "ja"} < set(told["transcription"]["languages"]) and told["transcription"]["finds_pauses"]


def test_fields_without_effect_are_named(ears):
    reply = hear(ears, wav(silence(0.2)), top_k="5", include=["logprobs"], response_format="text")
    assert set(reply.headers["x-ignored-params"].split(",")) == {"top_k", "include"}


def test_a_quick_look_does_not_see_what_was_heard_before(ears, sound):
    """Whisper's caches lie by the length of the look: none may read what one of another length has left."""
    def told(data, quick):
        told = hear(ears, data, response_format="verbose_json", language="en", low_latency=quick).json
        return told["text"], [segment["avg_logprob"] for segment in told["segments"]]

    sounds = {"short": sound, "long": spoken(ears, " ".join([TEXT] * 3)), "middle": spoken(ears, f"{TEXT} {TEXT}")}
    first = {(name, quick): told(data, quick) for quick in ("false", "true") for name, data in sounds.items()}
    assert understood(first["short", "true"][0])
    for name, quick in [("long", "true"), ("short", "true"), ("middle", "true"), ("long", "false"), ("short", "true"), ("short", "false"), ("long", "false")]:
        assert told(sounds[name], quick) == first[name, quick], (name, quick)


# MARK: - The playground


@pytest.fixture
def home(chromium, ears):
    home = Visit(chromium, ears.base_url)
    yield home
    home.close()


def test_a_file_becomes_text_that_follows_the_sound(home, sound, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(sound)
    home.tab("transcripts")
    home.page.set_input_files("#hear-file", path)
    home.page.fill("#hear-language", "en")
    home.page.get_by_role("button", name="Transcribe").click()
    expect(home.page.locator("#hear-facts")).to_contain_text("heard in", timeout=LIMIT * 1000)
    lines = home.page.locator("#hear-text .line")
    assert understood(" ".join(line.split("\n")[-1] for line in lines.all_inner_texts()))
    lines.last.click()
    expect(lines.last).to_have_attribute("aria-current", "true")
    with home.page.expect_download() as saved:
        home.page.get_by_role("button", name="Subtitles").click()
    assert "-->" in open(saved.value.path()).read()


def test_the_command(ears, sound, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(sound)

    def omni(*arguments):
        done = subprocess.run([binary(), "transcribe", path, *arguments], capture_output=True, text=True, timeout=LIMIT, env=os.environ | {"OMNI_BASE_URL": ears.base_url})
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "-->" in omni("--srt", "--language", "en")
    told = json.loads(omni("--json", "--translate", "--language", "en"))
    assert understood(told["text"]) and told["segments"]
