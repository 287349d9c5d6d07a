"""Realtime sessions: mistakes of clients, lines that drop, workers that die, keys."""
import asyncio
import base64
import json
import os
import signal

import openai
import pytest

from harness import KEYS, LIMIT, wait_until
from speech import Socket
from talking import STARTERS, in_session, sound_of


@pytest.mark.parametrize("event, param", [
    ({"type": "dance", "event_id": "mine"}, "type"), ({"event_id": "mine"}, "type"),
    ({"type": "session.update", "event_id": "mine", "session": {"type": "realtime", "audio": {"input": {"format": {"type": "audio/mp3"}}}}}, "session.audio.input.format"),
    ({"type": "session.update", "event_id": "mine", "session": {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}}}, "session.audio.input.format.rate"),
    ({"type": "session.update", "event_id": "mine", "session": {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}}}, "session.audio.input.turn_detection.threshold"),
    ({"type": "session.update", "event_id": "mine", "session": {"type": "realtime", "audio": {"output": {"voice": "nobody"}}}}, "session.audio.output.voice"),
    ({"type": "session.update", "event_id": "mine", "session": {"type": "realtime", "output_modalities": ["smell"]}}, "session.output_modalities.0"),
    ({"type": "session.update", "event_id": "mine", "session": {"type": "realtime", "tools": [{"type": "web_search"}]}}, "session.tools.0.type"),
    ({"type": "session.update", "event_id": "mine", "session": {"type": "realtime", "model": "other"}}, "session.model"),
    ({"type": "session.update", "event_id": "mine", "session": {"type": "realtime", "audio": {"input": {"transcription": {"model": "joe"}}}}}, "session.audio.input.transcription.model"),
    ({"type": "input_audio_buffer.append", "event_id": "mine", "audio": 5}, "audio"), ({"type": "input_audio_buffer.append", "event_id": "mine", "audio": "!!"}, "audio"),
    ({"type": "conversation.item.create", "event_id": "mine", "item": {"type": "message", "role": "user", "content": [{"type": "text", "text": "x"}]}}, "item.content.0.type"),
    ({"type": "response.create", "event_id": "mine", "response": {"input": [{"type": "item_reference", "id": "x"}]}}, "response.input.0.id"),
    ({"type": "response.cancel", "event_id": "mine"}, "response_id"),
])
def test_mistakes_are_told_and_change_nothing(conversing, event, param):
    async def test(session):
        before = session.events[0].session.model_dump()
        await session.raw(json.dumps(event))
        error = await session.error()
        assert error.param == param and error.event_id == "mine" and error.type == "invalid_request_error" and error.code and error.message
        assert {k: v for k, v in (await session.update()).model_dump().items()} == before

    in_session(conversing, test)


def test_what_is_no_event(conversing):
    async def test(session):
        for message in ("{", "[]", "5", b"\0\1"):
            await session.raw(message)
            assert (await session.error()).type == "invalid_request_error"
        await session.update()

    in_session(conversing, test)


def test_a_model_that_is_not_there(conversing):
    link = Socket(conversing, "/v1/realtime?model=nobody")
    event = link.next()
    assert event["type"] == "error" and event["error"]["param"] == "model" and "smollm2" in event["error"]["message"]
    assert link.next() is None and link.close_code == 1008


def test_a_server_that_neither_hears_nor_speaks(server):
    async def test(session):
        assert session.events[0].session.output_modalities == ["text"]
        await session.write("Say hi.")
        assert (await session.respond(max_output_tokens=4)).output[0].content[0].text
        await session.link.input_audio_buffer.append(audio=base64.b64encode(bytes(4800)).decode())
        assert "transcription" in (await session.error()).message
        await session.link.session.update(session={"type": "realtime", "output_modalities": ["audio"]})
        error = await session.error()
        assert error.param == "session.output_modalities" and "speech" in error.message
        failed = await session.respond(output_modalities=["audio"])
        assert failed.status == "failed" and "speech" in failed.status_details.error.message
        assert (await session.respond(max_output_tokens=4)).output[0].content[0].text, "the next answer works"

    in_session(server, test)


def test_a_dropped_line_ends_the_work(conversing):
    link = Socket(conversing, "/v1/realtime")
    link.send({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tell a very long story."}]}})
    link.send({"type": "response.create", "response": {"output_modalities": ["text"]}})
    while link.next()["type"] != "response.output_text.delta":
        pass
    link.close()
    wait_until(lambda: conversing.metric("vllm:num_requests_running") == 0, "the answer to be given up", limit=10)


def test_one_who_does_not_read_hurts_nobody(conversing):
    slow = Socket(conversing, "/v1/realtime")
    slow.send({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tell a long story."}]}})
    slow.send({"type": "response.create"})

    async def test(session):
        await session.write("Say hi.")
        assert (await session.respond(output_modalities=["text"], max_output_tokens=4)).output

    in_session(conversing, test)
    slow.send(b"still there?", opcode=9)
    while slow.frame() != (10, b"still there?"):
        pass
    slow.close()


@pytest.mark.parametrize("victim", STARTERS)
def test_a_worker_that_dies_costs_one_answer(start, victim):
    server = start(models=STARTERS)
    sound = sound_of(server, "Tell me a story about a ship.")

    async def test(session):
        await session.update(instructions="Tell a long story.", temperature=0, audio={"input": {"transcription": {"language": "en"}}})
        pid = server.workers()[victim]
        if victim == "whisper-base":
            # A minute of speech, so that it is still being written down.
            await session.update(audio={"input": {"turn_detection": None}})
            await session.append(sound * 20)
            await session.link.input_audio_buffer.commit()
            await session.until("input_audio_buffer.committed")
            await session.link.response.create()
            await session.until("response.created")
            os.kill(pid, signal.SIGKILL)
            failed = await session.until("conversation.item.input_audio_transcription.failed")
            assert victim in failed.error.message
        else:
            await session.write("Tell me a long story.")
            await session.link.response.create()
            await session.until("response.output_audio.delta" if victim == "joe" else "response.output_audio_transcript.delta")
            os.kill(pid, signal.SIGKILL)
        done = (await session.until("response.done")).response
        assert done.status == "failed" and victim in done.status_details.error.message
        wait_until(lambda: server.workers().get(victim, pid) != pid and server.model_states()[victim] == "ready", "the worker to be back")
        await session.update(instructions="Be brief.", max_output_tokens=8, temperature=0, audio={"input": {"turn_detection": {"type": "server_vad"}}})
        await session.say(sound)
        await session.until("conversation.item.input_audio_transcription.completed")
        done = (await session.until("response.done")).response
        assert done.status in ("completed", "incomplete") and session.sound(done)

    in_session(server, test)


# Keys.

@pytest.fixture(scope="module")
def locked(shared):
    return shared(*KEYS)


def test_keys_open_sessions(locked):
    async def test(session):
        await session.update()

    in_session(locked, test, key=KEYS[1])
    with pytest.raises(Exception, match="401"):
        in_session(locked, test, key="wrong")

    async def browser(protocols, key=None):
        """As a browser asks, which can send no headers."""
        import websockets
        address = locked.base_url.replace("http", "ws") + "/v1/realtime"
        async with websockets.connect(address, subprotocols=protocols) as link:
            assert link.subprotocol == "realtime"
            return json.loads(await asyncio.wait_for(link.recv(), LIMIT))

    assert asyncio.run(browser(["realtime", f"openai-insecure-api-key.{KEYS[1]}"]))["type"] == "session.created"
    old = asyncio.run(browser(["realtime", f"openai-insecure-api-key.{KEYS[1]}", "openai-beta.realtime-v1"]))
    assert "modalities" in old["session"]
    with pytest.raises(Exception, match="401"):
        asyncio.run(browser(["realtime", "openai-insecure-api-key.wrong"]))


def test_a_key_for_one_client(locked):
    with openai.OpenAI(base_url=locked.base_url + "/v1", api_key=KEYS[1], max_retries=0, timeout=LIMIT) as client:
        secret = client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60}, session={"type": "realtime", "instructions": "Be kind.", "output_modalities": ["text"]})
        assert secret.value.startswith("ek_") and secret.session.instructions == "Be kind." and secret.session.id.startswith("sess_")
        with pytest.raises(openai.BadRequestError) as fault:
            client.realtime.client_secrets.create(session={"type": "realtime", "audio": {"output": {"speed": 99}}})
        assert fault.value.param == "body.session.audio.output.speed"
        with pytest.raises(openai.BadRequestError):
            client.realtime.client_secrets.create(expires_after={"anchor": "created_at", "seconds": 5})

    async def test(session):
        assert session.events[0].session.instructions == "Be kind."

    in_session(locked, test, key=secret.value)
    # It opens nothing else.
    assert locked.request("GET", "/v1/models", headers={"Authorization": f"Bearer {secret.value}"}).status == 401
    with pytest.raises(Exception, match="401"):
        in_session(locked, test, key="ek_unknown")
