"""Uploaded voices: kept, listed, deleted, never lost; and models that cannot imitate one."""
import pathlib
import re
import signal
import urllib.parse

import pytest

from pictures import png
from speech import RATE, STARTER_VOICE, Socket, endless_flac, pcm, refused, speak

SPOKEN = "This is the sound of a voice that is to be kept for later."
#: One more than the largest sample.
TOO_LARGE = (10 << 20) + 1


@pytest.fixture(scope="module")
def sample(speaking):
    """Some seconds of speech as a WAV file."""
    return speak(speaking, SPOKEN).body


def form(fields, file=None, name="v.wav", kind="audio/wav"):
    mark, out = b"mark-of-a-test", b""
    for key, value in fields.items():
        out += b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (mark, key.encode(), value.encode())
    if file is not None:
        out += b'--%s\r\nContent-Disposition: form-data; name="audio_sample"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n' % (mark, name.encode(), kind.encode(), file)
    return out + b"--%s--\r\n" % mark, {"Content-Type": f"multipart/form-data; boundary={mark.decode()}"}


def upload(server, name, file=None, path="/v1/audio/voices", file_name="v.wav", kind="audio/wav", **fields):
    body, headers = form({"consent": "c-1", "name": name} | fields, file, file_name, kind)
    return server.request("POST", path, body, headers)


def uploaded(server):
    return {v["name"]: v for v in server.get("/v1/audio/voices").json["uploaded_voices"]}


def delete(server, name):
    return server.request("DELETE", f"/v1/audio/voices/{name}")


def blobs(server):
    """The files of samples."""
    folder = server.data / "blobs/voices"
    return list(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("path", ["/v1/audio/voices", "/v1/audio/voice/upload"])
def test_upload_list_and_delete(speaking, sample, path):
    reply = upload(speaking, "Ann", sample, path, ref_text=SPOKEN, speaker_description="warm")
    assert reply.status == 200 and reply.json["success"] is True
    voice = reply.json["voice"]
    told = {"name": "Ann", "consent": "c-1", "mime_type": "audio/wav", "file_size": len(sample), "ref_text": SPOKEN, "speaker_description": "warm"}
    assert voice.items() >= told.items() and voice["created_at"] > 0
    listed = speaking.get("/v1/audio/voices").json
    assert listed["voices"] == ["ann", "default", "joe", "vivian"], "sorted, in lower case"
    assert uploaded(speaking)["Ann"].items() >= (told | {"embedding_source": "audio", "embedding_dim": None}).items()
    assert upload(speaking, "joe", sample).error["param"] == "name", "a model's voice is not overwritten"
    gone = delete(speaking, "ANN")
    assert gone.status == 200 and gone.json == {"success": True, "message": "Voice 'ANN' deleted successfully"}
    assert delete(speaking, "ann").status == 404 and delete(speaking, "joe").status == 404
    assert speaking.get("/v1/audio/voices").json == {"voices": ["default", "joe", "vivian"], "uploaded_voices": []}


@pytest.mark.parametrize("kind, mime", [("wav", "audio/wav"), ("mp3", "audio/mpeg"), ("opus", "audio/ogg"), ("flac", "audio/flac"), ("aac", "audio/aac")])
def test_our_own_sound_in_every_format_is_a_sample(speaking, kind, mime):
    file = speak(speaking, SPOKEN, response_format=kind).body
    assert upload(speaking, "Every", file, kind=mime).status == 200
    reply = upload(speaking, "Every", file, file_name=f"v.{kind}", kind="application/octet-stream")
    assert reply.status == 200 and reply.json["voice"]["mime_type"] == mime, "by the file's name"
    assert list(uploaded(speaking)) == ["Every"], "the same name, the same voice"
    delete(speaking, "every")


def test_an_embedding_instead_of_a_sample(speaking):
    voice = upload(speaking, "Numbers", speaker_embedding="[0.25, -1, 3]").json["voice"]
    assert (voice["embedding_source"], voice["embedding_dim"]) == ("direct", 3)
    assert uploaded(speaking)["Numbers"]["embedding_dim"] == 3
    assert delete(speaking, "numbers").status == 200


def test_this_model_cannot_imitate_and_says_so(speaking, sample):
    upload(speaking, "Ben", sample)
    for fields in ({}, {"stream": True}, {"stream_format": "audio", "response_format": "pcm"}):
        error = refused(speaking, voice="Ben", **fields)
        assert error["param"] == "voice" and "`joe`" in error["message"] and "cannot imitate" in error["message"]
    item, = speaking.post("/v1/audio/speech/batch", {"items": [{"input": "Hi.", "voice": "ben"}]}).json["results"]
    assert item["status"] == "error" and item["error"]
    link = Socket(speaking)
    link.configure(voice="Ben")
    assert "cannot imitate" in link.error()
    link.close()
    delete(speaking, "Ben")
    assert "Invalid voice" in refused(speaking, voice="Ben")["message"]


# What is refused, and leaves what there was.

@pytest.mark.parametrize("name", ["", "  ", ".", "..", "../joe", "a/b", "/etc/passwd", "a\\b", "a\0b", "Joe", "default", "VIVIAN"])
def test_names_that_are_refused(speaking, sample, name):
    reply = upload(speaking, name, sample)
    assert reply.status == 400 and reply.error["param"] in ("name", "body.name"), reply
    assert uploaded(speaking) == {}


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%2e%2e", "%00", "a%5cb", "..", "x" * 5000, "%ff%fe"])
def test_deleting_by_odd_names_deletes_nothing(speaking, name):
    assert delete(speaking, name).status in (400, 404, 405)


@pytest.mark.parametrize("name", ["Zoë", "名前", "a b", "%2e%2e", "-rf", "'; DROP TABLE voices; --", "😀"])
def test_names_that_only_look_odd(speaking, sample, name):
    assert upload(speaking, name, sample).status == 200
    assert list(uploaded(speaking)) == [name]
    assert delete(speaking, urllib.parse.quote(name, safe="")).status == 200 and uploaded(speaking) == {}


def silence(seconds):
    data = bytes(int(seconds * RATE) * 2)
    size = len(data)
    return b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\x01\0\x01\0" + RATE.to_bytes(4, "little") + (RATE * 2).to_bytes(4, "little") + b"\x02\0\x10\0data" + size.to_bytes(4, "little") + data


@pytest.mark.parametrize("file, kind, status", [
    (b"", "audio/wav", 400), (b"hello", "audio/wav", 400), (png(8, 8), "audio/wav", 400), (silence(0.5), "audio/wav", 400), (silence(31), "audio/wav", 400),
    (silence(2), "text/plain", 400), (bytes(TOO_LARGE), "audio/wav", 413),
])
def test_samples_that_are_refused_leave_the_voice_of_that_name(speaking, sample, file, kind, status):
    upload(speaking, "Kept", sample)
    reply = upload(speaking, "kept", file, kind=kind)
    assert reply.status == status and reply.error["param"] == "audio_sample", reply
    assert uploaded(speaking)["Kept"]["file_size"] == len(sample)
    delete(speaking, "kept")


def test_a_small_sample_that_unpacks_to_gigabytes(speaking, sample):
    def peak():
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{speaking.pid}/status").read_text())[1]) // 1024

    assert upload(speaking, "Fine", endless_flac(5), kind="audio/flac").status == 200, "the file is sound: only its length is wrong"
    delete(speaking, "Fine")
    bomb, before = endless_flac(60_000), peak()
    assert len(bomb) < 1 << 20
    reply = upload(speaking, "Bomb", bomb, kind="audio/flac")
    assert reply.status in (400, 413) and reply.error["param"] == "audio_sample" and "30" in reply.error["message"], reply
    assert peak() - before < 100, "MiB, of 7500"


@pytest.mark.parametrize("fields, param", [
    ({}, "audio_sample"), ({"speaker_embedding": "abc"}, "speaker_embedding"), ({"speaker_embedding": "[]"}, "speaker_embedding"), ({"speaker_embedding": '["a"]'}, "speaker_embedding"),
    ({"speaker_embedding": "[" + "0," * 4096 + "0]"}, "speaker_embedding"), ({"speaker_embedding": "[1e999]"}, "speaker_embedding"), ({"consent": " ", "speaker_embedding": "[1]"}, "body.consent"),
])
def test_forms_that_are_refused(speaking, fields, param):
    reply = upload(speaking, "Nobody", **fields)
    assert reply.status == 400 and reply.error["param"] == param, reply
    assert uploaded(speaking) == {}


# Lasting.

def test_voices_survive_the_gateways_sudden_end(start, tmp_path, sample):
    first = start(models=[STARTER_VOICE], data=tmp_path / "data")
    for name in ("Ann", "Ben", "Gone"):
        assert upload(first, name, sample, ref_text=f"I am {name}.").status == 200
    assert upload(first, "Numbers", speaker_embedding="[1, 2]").status == 200
    assert len(blobs(first)) == 3, "each sample is a file"
    assert delete(first, "gone").status == 200
    before = first.get("/v1/audio/voices").json
    assert upload(first, "Last", sample).status == 200
    first.stop(signal.SIGKILL)

    second = start(models=[STARTER_VOICE], data=tmp_path / "data")
    after = second.get("/v1/audio/voices").json
    assert after["voices"] == ["ann", "ben", "default", "joe", "last", "numbers"]
    assert [v for v in after["uploaded_voices"] if v["name"] != "Last"] == before["uploaded_voices"]
    assert {p.read_bytes() for p in blobs(second)} == {sample} and len(blobs(second)) == 3
    assert not any(n in p.name.lower() for p in blobs(second) for n in ("ann", "ben", "last")), "a name is never part of a path"
    assert refused(second, voice="ann")["message"].startswith("The model `joe` cannot imitate")
    for name in ("ann", "ben", "last", "numbers"):
        assert delete(second, name).status == 200
    assert blobs(second) == [] and len(pcm(second, "Hi.")) > 1000
