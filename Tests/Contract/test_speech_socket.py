"""The WebSocket `/v1/audio/speech/stream`: text piece by piece in, speech out."""
import pytest

from harness import wait_until
from speech import LONG, RATE, Socket, is_free, is_loud, pcm, seconds, speak


@pytest.fixture
def link(speaking):
    link = Socket(speaking)
    yield link
    link.raw.close()


def done_event(utterance, sentences):
    return {"type": "session.done", "utterance_index": utterance, "total_sentences": sentences}


def test_pieces_of_text_become_one_file(speaking, link):
    link.configure(voice="joe")
    for piece in ("Hel", "lo there", ". How are", " you? "):
        link.say(piece)
    link.done()
    start, sound = link.unit()
    assert start == {"type": "audio.start", "utterance_index": 0, "sentence_index": 0, "sentence_text": "Hello there. How are you?", "format": "wav"}
    assert len(sound) == 1 and sound[0] == speak(speaking, "Hello there. How are you?").body
    assert link.next() == done_event(0, 1)


def test_sentences_are_spoken_while_text_still_comes(speaking, link):
    link.configure(split_granularity="sentence", response_format="flac")
    link.say("Dr. Smith is here. And ")
    start, (sound,) = link.unit()  # nothing more was sent
    assert start["sentence_text"] == "Dr. Smith is here." and start["format"] == "flac" and seconds(sound, "flac") > 0.5
    link.say("now")
    link.done()
    assert link.unit()[0]["sentence_text"] == "And now"
    assert link.next() == done_event(0, 2)


def test_clauses(link):
    link.configure(split_granularity="clause", response_format="pcm")
    link.say("First this, then 1,000 of that; done.")
    link.done()
    assert [link.unit()[0]["sentence_text"] for _ in range(3)] == ["First this,", "then 1,000 of that;", "done."]
    assert link.next() == done_event(0, 3)


def test_a_second_utterance_with_other_settings(speaking, link):
    link.configure(response_format="mp3")
    link.say("One.")
    link.done()
    assert seconds(link.unit()[1][0], "mp3") > 0.2 and link.next() == done_event(0, 1)
    link.configure(response_format="pcm", speed=2, sample_rate=8000, voice="VIVIAN")
    link.say("Two.")
    link.done()
    start, sound = link.unit()
    assert start["utterance_index"] == 1 and b"".join(sound) == pcm(speaking, "Two.", speed=2, sample_rate=8000)
    assert link.next() == done_event(1, 1)


@pytest.mark.parametrize("rate", [None, 16000])
def test_sound_in_pieces_says_its_rate(speaking, link, rate):
    text = "A longer sentence, so that its sound has some length."
    link.configure(stream_audio=True, response_format="pcm", **({"sample_rate": rate} if rate else {}))
    link.say(text)
    link.done()
    start, pieces = link.unit()
    assert start["sample_rate"] == (rate or RATE) and start["format"] == "pcm"
    assert len(pieces) > 3 and b"".join(pieces) == pcm(speaking, text, **({"sample_rate": rate} if rate else {})) and is_loud(b"".join(pieces))
    assert link.next() == done_event(0, 1)


def test_an_empty_utterance(link):
    link.configure()
    for text in ([], ["", "  \n"]):
        for piece in text:
            link.say(piece)
        link.done()
    assert [link.next(), link.next()] == [done_event(0, 0), done_event(1, 0)]


def test_the_session_is_closed_on_request(link):
    link.configure()
    link.send({"type": "session.close"})
    assert link.next() is None and link.close_code == 1000


def test_pings_are_answered(link):
    link.configure()
    link.send(b"still there?", opcode=9)
    assert link.frame() == (10, b"still there?")


def test_pings_are_answered_while_it_speaks(speaking, link):
    link.configure(stream_audio=True, response_format="pcm")
    for start in range(0, len(LONG), 30_000):
        link.say(LONG[start:start + 30_000])
    link.done()
    assert link.next()["type"] == "audio.start"
    link.send(b"still there?", opcode=9)
    opcode, sizes = 2, []
    while opcode == 2:
        opcode, data = link.frame()
        sizes.append(len(data))
    assert opcode == 10 and data == b"still there?", "before the end of the text, which takes minutes"
    link.send(b"\x03\xe8", opcode=8)
    while (found := link.frame()) and found[0] == 2:
        pass
    assert found == (8, b"\x03\xe8"), "the client's close is answered in the middle of a text too"
    wait_until(lambda: is_free(speaking), "the text to be given up")


def test_a_message_may_come_in_parts(link):
    link.send(b'{"type":"session.con', first=0)
    link.send(b"between", opcode=9)
    assert link.frame() == (10, b"between"), "a ping may come between them"
    link.send(b'fig"}', opcode=0)
    link.done()
    assert link.next() == done_event(0, 0)


# Faults.

@pytest.mark.parametrize("fault", ["no mask", "a reserved bit", "an unknown kind", "a part of nothing", "a message within a message", "a ping in parts", "no UTF-8"])
def test_what_the_protocol_forbids_closes_the_socket(link, fault):
    link.configure()
    if fault == "no mask":
        text = b'{"type":"input.done"}'
        link.raw.sendall(bytes([0x81, len(text)]) + text)
    elif fault == "a reserved bit":
        link.send({"type": "input.done"}, first=0x80 | 0x40)
    elif fault == "an unknown kind":
        link.send(b"x", opcode=3)
    elif fault == "a part of nothing":
        link.send({"type": "input.done"}, opcode=0)
    elif fault == "a message within a message":
        link.send(b'{"type":', first=0)
        link.send({"type": "input.done"})
    elif fault == "a ping in parts":
        link.send(b"x", opcode=9, first=0)
    else:
        link.send(b'{"type":"\xff"}')
    assert link.next() is None and link.close_code == (1007 if fault == "no UTF-8" else 1002)


@pytest.mark.parametrize("first", [
    "{", "5", '{"type":"input.text","text":"Hi."}', '{"type":"input.done"}', '{"type":"session.config","response_format":"midi"}',
    '{"type":"session.config","speed":9}', '{"type":"session.config","voice":"nobody"}', '{"type":"session.config","voice":"../../etc/passwd"}',
    '{"type":"session.config","model":"other"}', '{"type":"session.config","stream_audio":true,"response_format":"wav"}',
    '{"type":"session.config","ref_audio":"file:///etc/passwd"}', '{"type":"session.config","split_granularity":"word"}',
])
def test_a_wrong_first_message_ends_the_session_with_a_reason(link, first):
    link.send(first)
    assert link.error()
    assert link.next() is None


def test_later_mistakes_change_nothing(speaking, link):
    link.configure(response_format="pcm")
    wrong = ["{", "[]", {"type": "dance"}, {"text": "no type"}, {"type": "input.text", "text": 5}, {"type": "session.config", "speed": 9},
             {"type": "session.config", "voice": "nobody"}, {"type": "input.text", "text": "x" * (128 << 10)}]
    for message in wrong:
        link.send(message)
        link.error()
    link.send(b"sound?", opcode=2)
    link.error()
    link.say("Still ")
    link.configure(response_format="wav")
    assert "utterance" in link.error()
    link.say("here.")
    link.done()
    start, sound = link.unit()
    assert start["sentence_text"] == "Still here." and b"".join(sound) == pcm(speaking, "Still here.")
    assert link.next() == done_event(0, 1)


def test_an_utterance_has_a_longest_length(link):
    link.configure()
    link.say(" " * 120_000)
    link.say(" " * 120_000)
    assert "200000 characters" in link.next()["message"]
    link.done()
    assert link.next() == done_event(0, 0)


def test_a_unit_that_fails_is_told_and_the_next_is_spoken(speaking, link):
    """The voice has no other language: only the worker finds that out."""
    link.configure(response_format="pcm", language="xx")
    link.say("Hi.")
    link.done()
    assert link.next()["type"] == "audio.start"
    assert link.error().startswith("Generation failed for utterance 0, sentence 0: ")
    assert link.next() == {"type": "audio.done", "utterance_index": 0, "sentence_index": 0, "total_bytes": 0, "error": True}
    assert link.next() == done_event(0, 1)
    link.configure(response_format="pcm")
    link.say("Hi.")
    link.done()
    assert b"".join(link.unit()[1]) == pcm(speaking, "Hi.")


def test_a_server_without_a_voice(server):
    link = Socket(server)
    assert link.error() == "Streaming speech is not available"
    assert link.next() is None and link.close_code == 1000


def test_a_client_that_goes_frees_the_voice(speaking):
    link = Socket(speaking)
    link.configure(stream_audio=True, response_format="pcm")
    for start in range(0, len(LONG), 30_000):
        link.say(LONG[start:start + 30_000])
    link.done()
    assert link.next()["type"] == "audio.start" and isinstance(link.next(), bytes)
    before = sum("spoke a unit" in line for line in speaking.log.splitlines())
    link.close()
    wait_until(lambda: is_free(speaking), "the gone client's text to be given up")
    assert sum("spoke a unit" in line for line in speaking.log.splitlines()) - before < 200
