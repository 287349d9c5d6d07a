"""`/v1/realtime` through the official client: the starter voice asks, the starters answer."""
import base64
import struct

import pytest

from hearing import errors, words
from speech import RATE, is_loud, pcm
from talking import STARTERS, in_session, silence, sound_of

WEATHER = {
    "type": "function", "name": "get_weather", "description": "The weather of a town.",
    "parameters": {"type": "object", "properties": {"town": {"type": "string", "enum": ["Paris"]}}, "required": ["town"]},
}
TURNS = [
    "Hello, my name is Peter.", "What is the weather in Paris today?", "Thank you very much.", "Please tell me about the old clock in the village.", "Goodbye, and good night.",
]
#: Temperature 0, which OpenAI's sessions of today do not have: the same question gets the same answer.
BRIEF = {"instructions": "Answer in one short sentence.", "max_output_tokens": 16, "temperature": 0}


@pytest.fixture(scope="module")
def sounds(conversing):
    return {text: sound_of(conversing, text) for text in TURNS}


def understood(text, expected):
    return errors(words(expected), words(text)) <= 0.25 * len(words(expected))


def test_five_turns_with_a_tool(conversing, sounds):
    async def test(session):
        changed = await session.update(
            tools=[WEATHER], **BRIEF, audio={"input": {"transcription": {"language": "en"}}, "output": {"voice": "joe"}})
        assert changed.audio.input.turn_detection.type == "server_vad" and changed.output_modalities == ["audio"] and changed.tools[0].name == "get_weather"
        for number, text in enumerate(TURNS):
            mark = len(session.events)
            if text == TURNS[1]:
                await session.update(tool_choice={"type": "function", "name": "get_weather"}, max_output_tokens=100)
            await session.say(sounds[text])
            heard = await session.until("conversation.item.input_audio_transcription.completed")
            assert understood(heard.transcript, text), heard.transcript
            response = (await session.until("response.done")).response
            assert response.status in ("completed", "incomplete") and response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0
            types = session.since(mark)
            order = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "response.created", "response.output_item.added", "response.output_item.done"]
            assert [types.index(t) for t in order] == sorted(types.index(t) for t in order), types
            deltas = "".join(e.delta for e in session.events[mark:] if e.type == "conversation.item.input_audio_transcription.delta")
            assert deltas.strip() == heard.transcript.strip()
            if text == TURNS[1]:
                (call,) = response.output
                assert call.type == "function_call" and call.name == "get_weather" and "Paris" in call.arguments
                await session.update(tool_choice="auto", tools=[], max_output_tokens=16)
                await session.link.conversation.item.create(item={"type": "function_call_output", "call_id": call.call_id, "output": '{"sky": "sunny"}'})
                response = await session.respond()
            (message,) = response.output
            (part,) = message.content
            assert message.role == "assistant" and part.type == "output_audio" and part.transcript.strip()
            assert "".join(e.delta for e in session.events if e.type == "response.output_audio_transcript.delta" and e.response_id == response.id) == part.transcript
            sound = session.sound(response)
            assert is_loud(sound) and len(sound) % 2 == 0 and len(sound) > RATE // 2
        # All of it is one conversation, in order.
        items = [e.item for e in session.events if e.type == "conversation.item.done"]
        assert [getattr(i, "role", i.type) for i in items] == ["user", "assistant", "user", "function_call", "function_call_output", "assistant"] + ["user", "assistant"] * 3
        await session.link.conversation.item.retrieve(item_id=items[0].id)
        assert understood((await session.until("conversation.item.retrieved")).item.content[0].transcript, TURNS[0])

    in_session(conversing, test, model=STARTERS[0])


def test_text_alone(conversing):
    async def test(session):
        assert (await session.update(output_modalities=["text"], **BRIEF)).output_modalities == ["text"]
        await session.write("Say hello.")
        response = await session.respond()
        text = response.output[0].content[0].text
        assert text and response.output[0].content[0].type == "output_text"
        assert "".join(e.delta for e in session.events if e.type == "response.output_text.delta") == text
        assert session.since()[-3:] == ["conversation.item.done", "response.output_item.done", "response.done"]
        # An answer beside the conversation, and one that is spoken although the session writes.
        aside = await session.respond(conversation="none", input=[{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]}], metadata={"a": "b"})
        assert aside.conversation_id is None and aside.metadata == {"a": "b"}
        loud = await session.respond(output_modalities=["audio"])
        assert loud.output[0].content[0].transcript and is_loud(session.sound(loud))
        cut = await session.respond(max_output_tokens=2)
        assert cut.status == "incomplete" and cut.status_details.reason == "max_output_tokens" and cut.usage.output_tokens == 2

    in_session(conversing, test)


def test_speech_interrupts_an_answer(conversing, sounds):
    async def test(session):
        await session.update(instructions="Tell a very long story.", temperature=0, audio={"output": {"speed": 0.25}})
        await session.write("Tell me a long story about a ship and its captain.")
        await session.link.response.create()
        first = await session.until("response.output_audio.delta")
        await session.say(sounds[TURNS[2]])
        started = await session.until("input_audio_buffer.speech_started")
        done = (await session.until("response.done")).response
        assert done.id == first.response_id and done.status == "cancelled" and done.status_details.reason == "turn_detected"
        cut = await session.until("conversation.item.truncated")
        assert cut.item_id == first.item_id
        stopped = await session.until("input_audio_buffer.speech_stopped")
        assert stopped.item_id == started.item_id and stopped.audio_end_ms > started.audio_start_ms
        # The next answer is another; nothing of the first follows.
        created = await session.until("response.created")
        mark = len(session.events)
        await session.until("response.output_audio.delta", response_id=created.response.id)
        assert all(getattr(e, "response_id", created.response.id) == created.response.id for e in session.events[mark:])
        await session.link.conversation.item.retrieve(item_id=first.item_id)
        kept = (await session.until("conversation.item.retrieved")).item
        assert kept.status == "incomplete" and len(kept.content[0].transcript) < len(done.output[0].content[0].transcript)
        await session.link.response.cancel()
        assert (await session.until("response.done")).response.status_details.reason == "client_cancelled"

    in_session(conversing, test)


def test_what_was_not_heard_is_cut(conversing):
    async def test(session):
        await session.update(instructions="Count.", max_output_tokens=30, temperature=0)
        await session.write("Count from one to twenty.")
        response = await session.respond()
        message, length = response.output[0], len(session.sound(response)) * 1000 // (2 * RATE)
        await session.link.conversation.item.truncate(item_id=message.id, content_index=0, audio_end_ms=length // 2)
        assert (await session.until("conversation.item.truncated")).audio_end_ms == length // 2
        await session.link.conversation.item.retrieve(item_id=message.id)
        left = (await session.until("conversation.item.retrieved")).item.content[0].transcript
        assert left and len(left) < len(message.content[0].transcript) and message.content[0].transcript.split()[0] == left.split()[0]
        await session.link.conversation.item.truncate(item_id=message.id, content_index=0, audio_end_ms=length + 10)
        assert "shorter" in (await session.error()).message
        await session.link.conversation.item.delete(item_id=message.id)
        assert (await session.until("conversation.item.deleted")).item_id == message.id
        await session.link.conversation.item.retrieve(item_id=message.id)
        assert (await session.error()).param == "item_id"

    in_session(conversing, test)


def test_without_detection_the_client_ends_its_turns(conversing, sounds):
    async def test(session):
        await session.update(output_modalities=["text"], **BRIEF, audio={"input": {"turn_detection": None, "transcription": {"language": "en"}}})
        await session.append(sounds[TURNS[0]])
        await session.link.input_audio_buffer.clear()
        await session.until("input_audio_buffer.cleared")
        await session.append(sounds[TURNS[3]] + silence(1))
        await session.link.input_audio_buffer.commit()
        committed = await session.until("input_audio_buffer.committed")
        heard = await session.until("conversation.item.input_audio_transcription.completed")
        assert heard.item_id == committed.item_id and understood(heard.transcript, TURNS[3])
        assert not {"input_audio_buffer.speech_started", "response.created"} & set(session.since())
        assert (await session.respond()).output[0].content[0].text
        await session.link.input_audio_buffer.commit()
        assert "0 ms" in (await session.error()).message

    in_session(conversing, test)


def test_noise_and_silence_are_no_turns(conversing, sounds):
    """And speech in noise is one."""
    async def test(session):
        await session.update(**BRIEF, audio={"input": {"transcription": {"language": "en"}, "turn_detection": {"type": "server_vad", "create_response": False}}})
        state, noise = 1, []
        for _ in range(4 * RATE):
            state = (state * 1103515245 + 12345) % 2**31
            noise.append((state >> 16) % 1200 - 600)
        await session.append(silence(1) + struct.pack(f"<{len(noise)}h", *noise))
        speech = memoryview(sounds[TURNS[1]] + silence(0.8)).cast("h")
        mixed = [max(-32768, min(32767, value + noise[i % len(noise)])) for i, value in enumerate(speech)]
        await session.append(struct.pack(f"<{len(mixed)}h", *mixed))
        started = await session.until("input_audio_buffer.speech_started")
        assert started.audio_start_ms >= 4500, "the noise before was none"
        assert understood((await session.until("conversation.item.input_audio_transcription.completed")).transcript, TURNS[1])
        assert "response.created" not in session.since()

    in_session(conversing, test)


@pytest.mark.parametrize("law", ["audio/pcmu", "audio/pcma"])
def test_telephone_sound(conversing, law):
    # 8 kHz of the voice, coded by the server itself, comes back understood.
    async def test(session):
        await session.update(output_modalities=["audio"], audio={"input": {"format": {"type": law}, "turn_detection": None, "transcription": {"language": "en"}}, "output": {"format": {"type": law}}}, **BRIEF)
        await session.write("Say hello.")
        response = await session.respond()
        sound = session.sound(response)
        await session.link.input_audio_buffer.append(audio=base64.b64encode(sound).decode())
        await session.link.input_audio_buffer.commit()
        heard = await session.until("conversation.item.input_audio_transcription.completed")
        spoken = response.output[0].content[0].transcript
        assert errors(words(spoken), words(heard.transcript)) <= 0.5 * len(words(spoken)), (spoken, heard.transcript)

    in_session(conversing, test)


def test_the_beta_is_answered_in_its_names(conversing, sounds):
    async def test(session):
        created = session.events[0].session
        assert created.modalities == ["text", "audio"] and created.input_audio_format == "pcm16" and created.turn_detection["type"] == "server_vad"
        await session.link.send({"type": "session.update", "session": {
            "modalities": ["text", "audio"], "voice": "joe", "input_audio_transcription": {"language": "en"}, "max_response_output_tokens": 12, "temperature": 0,
            "instructions": "Be brief.", "turn_detection": {"type": "server_vad", "silence_duration_ms": 600}}})
        changed = (await session.until("session.updated")).session
        assert changed.voice == "joe" and changed.max_response_output_tokens == 12 and changed.turn_detection["silence_duration_ms"] == 600
        await session.say(sounds[TURNS[0]])
        done = (await session.until("response.done")).response
        assert done.modalities == ["text", "audio"] and done.output[0].content[0].type == "audio"
        types = set(session.since())
        assert {"conversation.item.created", "response.audio.delta", "response.audio.done", "response.audio_transcript.delta", "response.audio_transcript.done"} <= types
        assert not {t for t in types if "output_audio" in t or "output_text" in t or t in ("conversation.item.added", "conversation.item.done")}
        await session.link.send({"type": "response.create", "response": {"modalities": ["text"]}})
        await session.until("response.text.done")

    in_session(conversing, test, extra_headers={"OpenAI-Beta": "realtime=v1"})


def test_a_transcription_session(conversing, sounds):
    async def test(session):
        await session.say(sounds[TURNS[0]])
        assert understood((await session.until("conversation.item.input_audio_transcription.completed")).transcript, TURNS[0]), "it has no other purpose"
        await session.link.session.update(session={"type": "transcription", "audio": {"input": {"transcription": {"language": "en"}}}})
        assert (await session.until("session.updated")).session.type == "transcription"
        await session.say(sounds[TURNS[1]])
        assert understood((await session.until("conversation.item.input_audio_transcription.completed")).transcript, TURNS[1])
        await session.link.response.create()
        assert "transcription" in (await session.error()).message
        assert "response.created" not in session.since()

    in_session(conversing, test, extra_query={"intent": "transcription"})


def test_the_peers_own_form(conversing):
    from speech import Socket
    link = Socket(conversing, "/v1/realtime")
    created = link.next()
    assert created["type"] == "session.created" and created["id"].startswith("sess")
    link.send({"type": "input_audio_buffer.commit", "final": False})
    assert link.next()["code"] == "model_not_validated"
    link.send({"type": "session.update", "model": "nobody"})
    assert link.next()["code"] == "model_not_found"
    for model in ("whisper-base", "smollm2-135m-instruct"):
        link.send({"type": "session.update", "model": model})
        link.send({"type": "input_audio_buffer.commit", "final": False})
        sound = pcm(conversing, "Good morning.", sample_rate=16000)
        for start in range(0, len(sound), 8000):
            link.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(sound[start:start + 8000]).decode()})
        link.send({"type": "input_audio_buffer.commit", "final": True})
        events = []
        while not events or events[-1]["type"] != "response.output_audio.done":
            events.append(link.next())
            assert events[-1]["type"] != "error", events[-1]
        done = next(e for e in events if e["type"] == "transcription.done")
        assert done["text"] == "".join(e["delta"] for e in events if e["type"] == "transcription.delta") and done["usage"]["completion_tokens"] > 0
        sound = b"".join(base64.b64decode(e["audio"]) for e in events if e["type"] == "response.output_audio.delta")
        assert events[-1]["has_audio"] == bool(sound) == (model != "whisper-base")
        assert is_loud(sound) if sound else "morning" in done["text"].lower()
    for message, code in [("{", "invalid_json"), ({"type": "dance"}, "unknown_event"), ({"type": "input_audio_buffer.append", "audio": "!"}, "invalid_audio")]:
        link.send(message)
        assert link.next()["code"] == code
    link.close()
