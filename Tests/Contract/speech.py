"""What the speech tests share: a voice without chance, lengths of sound files, and a WebSocket client.

The starter voice draws noise for every sentence; with both noises at 0 the same text is the same sound, bit for bit.
"""
import base64
import io
import json
import os
import pathlib
import socket
import struct
import wave

from harness import LIMIT, Server, starter_model

STARTER_VOICE = starter_model().parent.parent / "joe"
#: Hz of the starter voice, and of `pcm` for which no rate is asked.
OWN_RATE, RATE = 22050, 24000
#: Takes a debug build minutes to speak.
LONG = "The sea was calm, and the little ship sailed slowly towards the harbour of the town. " * 400


def quiet_voice(folder):
    """A folder `joe` with the starter voice, its noise turned off."""
    folder = pathlib.Path(folder) / "joe"
    folder.mkdir(parents=True)
    for path in STARTER_VOICE.glob("*.onnx"):
        os.symlink(path, folder / path.name)
        settings = json.loads(path.with_name(path.name + ".json").read_text())
        settings["inference"] |= {"noise_scale": 0, "noise_w": 0}
        (folder / (path.name + ".json")).write_text(json.dumps(settings))
    return folder


def speaking_server(folder):
    """A server with the quiet voice and the starter text model, at a log level that tells every sentence."""
    aliases = pathlib.Path(folder) / "omni.yaml"
    aliases.parent.mkdir(parents=True, exist_ok=True)
    aliases.write_text("voices: {vivian: joe}\n")
    return Server(folder, "--config", aliases, "--log-level", "debug", models=[quiet_voice(folder), starter_model()])


def speak(server, text="Hello there.", status=200, **fields):
    reply = server.post("/v1/audio/speech", {"input": text, **fields})
    assert reply.status == status, reply
    return reply


def pcm(server, text="Hello there.", **fields):
    """The samples of a text, as bytes, at ``RATE`` unless `fields` say another."""
    return speak(server, text, response_format="pcm", **fields).body


def refused(server, text="Hello there.", status=400, **fields):
    return speak(server, text, status, **fields).error


def sentences_spoken(server, request_id):
    """How many sentences of a request its worker has spoken so far."""
    return sum("spoke a unit" in line and request_id in line for line in server.log.splitlines())


def is_free(server):
    """Whether the voice works for nobody else: while short requests of ours are answered, no sentence of others is spoken."""
    def others():
        return sum("spoke a unit" in line and "request=is-free" not in line for line in server.log.splitlines())

    before = others()
    for _ in range(3):
        assert server.request("POST", "/v1/audio/speech", {"input": "One. Two. Three."}, {"X-Request-Id": "is-free"}).status == 200
    return others() == before


# MARK: - Sound files


def seconds(sound, kind):
    """The length of a whole file, from its own frames. Fails where they do not follow each other to the end."""
    return {"wav": wav_seconds, "pcm": lambda s: len(s) / 2 / RATE, "mp3": mp3_seconds, "opus": opus_seconds, "flac": flac_seconds, "aac": aac_seconds}[kind](sound)


def stream_seconds(sound, kind):
    """The length of a file that was made while it was read. A FLAC of unknown length is what its frames say."""
    return flac_frames(sound) if kind == "flac" else seconds(sound, kind)


def flac_frames(sound):
    """Sample positions of the frames, each found by its head's own checksum; the last may be shorter than it says."""
    assert sound[:4] == b"fLaC" and sound[4] & 127 == 0 and int.from_bytes(sound[18:26], "big") & (1 << 36) - 1 == 0, "no length is told"
    place, last = 4, False
    while not last:
        last, size = sound[place] & 0x80, int.from_bytes(sound[place + 1:place + 4], "big")
        place += 4 + size
    small, large, total = [crc([b], 8, 0x07) for b in range(256)], int.from_bytes(sound[10:12], "big"), 0
    while place < len(sound):
        assert sound[place] == 0xFF and sound[place + 1] & 0xFC == 0xF8, place
        total += (head := flac_head(sound, place, small, large))[1]
        place = next((at for at in range(head[0], len(sound) - 5) if sound[at] == 0xFF and sound[at + 1] == sound[place + 1] and flac_head(sound, at, small, large)), len(sound))
    return total / OWN_RATE


def flac_head(sound, place, small, longest):
    """Where a frame's head ends and how many samples the frame has; None where its checksum is wrong."""
    size, rate = sound[place + 2] >> 4, sound[place + 2] & 15
    end = place + 4
    end += 1 if sound[end] < 0x80 else 8 - (~sound[end] & 0xFF).bit_length()
    own = int.from_bytes(sound[end:end + size - 5], "big") + 1 if size in (6, 7) else 0
    samples = own or (192 if size == 1 else 576 << size - 2 if 2 <= size <= 5 else 256 << size - 8 if size >= 8 else 0)
    end += (size - 5 if size in (6, 7) else 0) + ({12: 1, 13: 2, 14: 2}.get(rate, 0))
    check = 0
    for byte in sound[place:end]:
        check = small[check ^ byte]
    return (end + 1, samples) if end < len(sound) and samples <= longest and check == sound[end] else None


def wav_seconds(sound):
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        assert len(file.readframes(1 << 30)) == file.getnframes() * 2 == len(sound) - 44, "the header tells the true size"
        return file.getnframes() / file.getframerate()


def flac_seconds(sound):
    assert sound[:4] == b"fLaC"
    packed = int.from_bytes(sound[8 + 10:8 + 18], "big")
    rate, samples = packed >> 44, packed & (1 << 36) - 1
    assert rate == OWN_RATE and (packed >> 41 & 7) == 0, "one channel at the voice's rate"
    return samples / rate


def opus_seconds(sound):
    """Ogg pages; the last one's position, less what a decoder skips."""
    place, skip, position, serial = 0, None, 0, None
    while place < len(sound):
        assert sound[place:place + 4] == b"OggS", place
        flags, granule, stream = struct.unpack_from("<xBqI", sound, place + 4)
        segments = sound[place + 26]
        start = place + 27 + segments
        size = sum(sound[place + 27:start])
        if skip is None:
            assert flags & 2 and sound[start:start + 8] == b"OpusHead" and sound[start + 9] == 1, "one channel"
            skip, serial = struct.unpack_from("<H", sound, start + 10)[0], stream
        assert stream == serial
        position, place = max(position, granule), start + size
    assert flags & 4, "the last page says that it is the last"
    return (position - skip) / 48_000


def aac_seconds(sound):
    place = frames = 0
    while place < len(sound):
        assert sound[place] == 0xFF and sound[place + 1] & 0xF6 == 0xF0, place
        rate = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000][sound[place + 2] >> 2 & 15]
        place += (sound[place + 3] & 3) << 11 | sound[place + 4] << 3 | sound[place + 5] >> 5
        frames += 1
    assert place == len(sound)
    return frames * 1024 / rate


def mp3_seconds(sound):
    """Layer III frames of MPEG 1, 2 or 2.5 behind an ID3 tag."""
    place = total = 0
    if sound[:3] == b"ID3":
        place = 10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(sound[6:10]))
    while place < len(sound):
        head = int.from_bytes(sound[place:place + 4], "big")
        assert head >> 21 == 0x7FF and head >> 17 & 3 == 1, place
        version = head >> 19 & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
        rate = [44100, 48000, 32000][head >> 10 & 3] >> {3: 0, 2: 1, 0: 2}[version]
        first = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
        later = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
        samples = 1152 if version == 3 else 576
        bits = (first if version == 3 else later)[head >> 12 & 15] * 1000
        place += samples // 8 * bits // rate + (head >> 9 & 1)
        total += samples / rate
    assert place == len(sound)
    return total


def crc(data, bits, polynomial):
    value = 0
    for byte in data:
        value ^= byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> bits - 1 else 0)) & (1 << bits) - 1
    return value


def endless_flac(frames):
    """A valid FLAC file of silence, 65535 samples in 15 bytes or so."""
    small, large = [crc([b], 8, 0x07) for b in range(256)], [crc([b], 16, 0x8005) for b in range(256)]
    out = bytearray(b"fLaC\x80\0\0\x22\xff\xff\xff\xff\0\0\0\0\0\0" + (RATE << 44 | 15 << 36 | frames * 65535).to_bytes(8, "big") + bytes(16))
    for number in range(frames):
        head = b"\xff\xf8\x70\x08" + flac_number(number) + b"\xff\xfe"
        check = 0
        for byte in head:
            check = small[check ^ byte]
        frame, check = head + bytes([check, 0, 0, 0]), 0
        for byte in frame:
            check = (check << 8 & 0xFFFF) ^ large[check >> 8 ^ byte]
        out += frame + check.to_bytes(2, "big")
    return bytes(out)


def flac_number(number):
    """UTF-8, as FLAC extends it to numbers that are no characters."""
    if number < 0x80:
        return bytes([number])
    rest = []
    while not rest or number >= 0x40 >> len(rest):
        rest.insert(0, 0x80 | number & 63)
        number >>= 6
    return bytes([(0xFF << 7 - len(rest)) & 0xFF | number, *rest])


def is_loud(samples):
    """Whether 16-bit samples are more than hiss."""
    values = memoryview(samples[:len(samples) // 2 * 2]).cast("h")
    return max(map(abs, values), default=0) > 2000


def crossings(samples):
    """How often a second the sound changes its sign: about its pitch."""
    values = memoryview(samples).cast("h")
    return sum((a < 0) != (b < 0) for a, b in zip(values, values[1:])) / (len(values) / RATE)


def events(body):
    """The name and data of each event of a stream."""
    found = []
    for block in body.decode().split("\n\n"):
        if block.strip():
            name, data = block.split("\n")
            assert name.startswith("event: ") and data.startswith("data: "), block
            found.append((name[7:], json.loads(data[6:])))
            assert found[-1][1]["type"] == found[-1][0]
    return found


# MARK: - WebSocket


class Socket:
    """A client of `/v1/audio/speech/stream` (RFC 6455), no more than the tests need."""

    def __init__(self, server, path="/v1/audio/speech/stream"):
        self.raw = server.connect()
        self.raw.settimeout(LIMIT)
        key = base64.b64encode(os.urandom(16)).decode()
        self.raw.sendall((
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n").encode())
        self.file = self.raw.makefile("rb")
        status = self.file.readline()
        assert b" 101 " in status, status + self.file.read(600)
        while self.file.readline() != b"\r\n":
            pass

    def send(self, message, opcode=1, first=0x80):
        """A dictionary as JSON; a text or bytes as they are. `first`: the bits before the opcode; 0x80 ends a message."""
        data = message if isinstance(message, bytes) else (message if isinstance(message, str) else json.dumps(message)).encode()
        size, mask = len(data), os.urandom(4)
        head = bytes([first | opcode]) + (
            bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size) if size < 1 << 16 else b"\xff" + struct.pack(">Q", size))
        masked = int.from_bytes(data, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        self.raw.sendall(head + mask + masked.to_bytes(size, "big"))

    def frame(self):
        """The next frame's opcode and data; None when the connection has ended."""
        try:
            head = self.file.read(2)
            if len(head) < 2:
                return None
            size = head[1] & 127
            if size > 125:
                size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
            return head[0] & 15, self.file.read(size)
        except ConnectionResetError:
            return None

    def next(self):
        """The next message: a dictionary, or the bytes of sound; None at the end."""
        found = self.frame()
        if found is None or found[0] == 8:
            self.close_code = int.from_bytes(found[1][:2], "big") if found else None
            return None
        opcode, data = found
        return data if opcode == 2 else json.loads(data)

    def configure(self, **fields):
        self.send({"type": "session.config", **fields})

    def say(self, text):
        self.send({"type": "input.text", "text": text})

    def done(self):
        self.send({"type": "input.done"})

    def unit(self):
        """One unit: what was said before it, its pieces of sound, and what was said after."""
        start, pieces = self.next(), []
        assert isinstance(start, dict) and start["type"] == "audio.start", start
        while isinstance(message := self.next(), bytes):
            pieces.append(message)
        assert message["type"] == "audio.done" and message["error"] is False, message
        assert message["total_bytes"] == sum(map(len, pieces))
        assert [message[k] for k in ("utterance_index", "sentence_index")] == [start[k] for k in ("utterance_index", "sentence_index")]
        return start, pieces

    def error(self):
        message = self.next()
        assert message["type"] == "error" and message["message"], message
        return message["message"]

    def close(self):
        self.raw.shutdown(socket.SHUT_RDWR)
        self.file.close()
        self.raw.close()
