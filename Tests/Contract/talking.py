"""What the tests of realtime sessions share: a session through the official client, that remembers what it was told."""
import asyncio
import base64
import contextlib

import openai

from harness import LIMIT
from speech import RATE, pcm

#: The starter set that a spoken conversation needs.
STARTERS = ["smollm2-135m-instruct", "joe", "whisper-base"]


def silence(seconds):
    return bytes(int(seconds * RATE) * 2)


def sound_of(server, text):
    """What the starter voice makes of a text, 24 kHz."""
    return pcm(server, text, voice="joe")


class Talk:
    """A session. `events` is everything that it was told."""

    def __init__(self, link):
        self.link, self.events = link, []

    async def next(self):
        event = await asyncio.wait_for(self.link.recv(), LIMIT)
        self.events.append(event)
        return event

    async def until(self, kind, **members):
        """Reads on up to an event of this type with these members; errors that nobody waits for are failures."""
        while True:
            event = await self.next()
            if event.type == kind and all(getattr(event, name) == value for name, value in members.items()):
                return event
            assert event.type != "error", event

    async def raw(self, message):
        """A text or bytes as they are."""
        await self.link._connection.send(message)

    async def update(self, **session):
        await self.link.session.update(session={"type": "realtime", **session})
        return (await self.until("session.updated")).session

    async def error(self):
        event = await self.next()
        assert event.type == "error", event
        return event.error

    async def append(self, sound, piece=RATE // 5):
        """Sound as a microphone brings it, a tenth of a second at a time."""
        for start in range(0, len(sound), piece):
            await self.link.input_audio_buffer.append(audio=base64.b64encode(sound[start:start + piece]).decode())

    async def say(self, sound):
        """A turn: what is said, and the silence that ends it."""
        await self.append(sound + silence(0.8))

    async def write(self, text):
        await self.link.conversation.item.create(item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})

    async def respond(self, **response):
        await self.link.response.create(response=response)
        return (await self.until("response.done")).response

    def since(self, mark=0):
        """Types of the events from a place on."""
        return [event.type for event in self.events[mark:]]

    def sound(self, response):
        """All sound of a response."""
        return b"".join(base64.b64decode(e.delta) for e in self.events if e.type == "response.output_audio.delta" and e.response_id == response.id)


@contextlib.asynccontextmanager
async def talk(server, model=None, key="unused", **options):
    async with openai.AsyncOpenAI(base_url=server.base_url + "/v1", api_key=key, max_retries=0, timeout=LIMIT) as client:
        async with client.realtime.connect(**({"model": model} if model else {}), max_retries=0, **options) as link:
            session = Talk(link)
            assert (await session.next()).type == "session.created"
            yield session


def in_session(server, test, **options):
    """Runs `test(session)`."""
    async def run():
        async with talk(server, **options) as session:
            return await asyncio.wait_for(test(session), LIMIT)

    return asyncio.run(run())
