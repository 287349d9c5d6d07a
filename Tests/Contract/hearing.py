"""What the tests of transcription share: forms, sounds of the starter voice and of espeak-ng, and how much of a text was understood."""
import io
import json
import re
import subprocess
import uuid
import wave

from harness import starter_model

#: What `omni setup` puts there.
STARTER_EARS = starter_model().parent.parent / "whisper-base"

NUMBERS = dict(zip("0 1 2 3 4 5 6 7 8 9 10".split(), "zero one two three four five six seven eight nine ten".split()))


def form(sound, fields, name="a.wav"):
    """The body and headers of a form. A list is a field again and again."""
    edge = uuid.uuid4().hex
    parts = [(key, one) for key, value in fields.items() for one in (value if isinstance(value, list) else [value])]
    body = b"".join(f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in parts)
    if sound is not None:
        body += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + sound + b"\r\n"
    return body + f"--{edge}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={edge}"}


def hear(server, sound, path="/v1/audio/transcriptions", status=200, **fields):
    body, headers = form(sound, fields)
    reply = server.request("POST", path, body, headers)
    assert reply.status == status, reply
    return reply


def refused(server, sound, status=400, **fields):
    return hear(server, sound, status=status, **fields).error


def spoken(server, text):
    """The starter voice, 16 kHz."""
    reply = server.post("/v1/audio/speech", {"input": text, "sample_rate": 16000})
    assert reply.status == 200, reply
    return reply.body


def espeak(text, language, speed=140):
    """A sentence in another language, as a WAV file."""
    return subprocess.run(["espeak-ng", "-v", language, "-s", str(speed), "--stdout", text], check=True, capture_output=True).stdout


def samples(sound):
    with wave.open(io.BytesIO(sound)) as file:
        return file.readframes(1 << 30)


def wav(data, rate=16000):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(data)
    return out.getvalue()


def silence(seconds):
    return bytes(int(seconds * 16000) * 2)


def words(text):
    return [NUMBERS.get(word, word) for word in re.findall(r"[a-z0-9]+", re.sub(r"[’']", "", text.lower()))]


def errors(expected, heard):
    """The least number of words to change, add and take away."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(expected, 1):
        last, row[0] = row[0], index
        for column, other in enumerate(heard, 1):
            last, row[column] = row[column], min(last + (word != other), row[column] + 1, row[column - 1] + 1)
    return row[-1]


def events(body):
    """The data of each event, `[DONE]` as it is."""
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]
