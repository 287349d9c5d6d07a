"""Help for tests of video jobs: a tiny video model, jobs made and followed, and a look at what lies on the disk."""
import json
import pathlib
import sqlite3
import uuid

import pytest

from harness import ROOT, wait_until

#: Random weights in Wan's form: 48×32 pixels, 9 frames.
TEXT_TO_VIDEO = ROOT / "Tests/Fixtures/wan/t2v"
#: Also begins with a picture.
PICTURE_TO_VIDEO = ROOT / "Tests/Fixtures/wan/ti2v"
STAGES = ("load", "encode", "denoise", "decode", "mux")
#: Runs for some seconds, so that a test can step in at each stage.
LONG = {"num_inference_steps": 60, "num_frames": 33, "size": "96x64"}
SHORT = {"num_inference_steps": 2, "num_frames": 5}


@pytest.fixture(scope="session")
def videos(shared):
    """A server with one video model, for tests that only ask."""
    server = shared(models=[TEXT_TO_VIDEO])
    yield server
    assert_tidy(server)


def form(fields, files=()):
    """Body and headers of a multipart form; `files` are (field, file name, bytes)."""
    mark = uuid.uuid4().hex
    body = b""
    for name, value in fields.items():
        text = value if isinstance(value, str) else json.dumps(value)
        body += f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
    for name, filename, content in files:
        body += f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode() + content + b"\r\n"
    return body + f"--{mark}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={mark}"}


def create(server, prompt="a red fox", files=(), path="/v1/videos", headers=None, **fields):
    body, kind = form({"prompt": prompt} | fields, files)
    return server.request("POST", path, body, kind | (headers or {}))


def job(server, identifier):
    return server.get(f"/v1/videos/{identifier}").json


def made(server, *arguments, **fields):
    """The id of a new job."""
    reply = create(server, *arguments, **fields)
    assert reply.status == 200, reply
    return reply.json["id"]


def finished(server, identifier):
    """The job once it is over."""
    def over():
        found = job(server, identifier)
        return found if found["status"] in ("completed", "failed") else None
    return wait_until(over, f"{identifier} to be over", pause=0.05)


class Events:
    """The event stream of a job."""

    def __init__(self, server, identifier):
        self.connection = server.connection()
        self.connection.request("GET", f"/v1/videos/{identifier}/events")
        self.reply = self.connection.getresponse()
        assert self.reply.status == 200, self.reply.read()

    def __iter__(self):
        name = None
        while line := self.reply.readline():
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:])

    def until_stage(self, stage):
        """Reads until the job is at a stage, or past it; the stage seen."""
        for name, job in self:
            assert name != "video.failed", job
            if name == "video.completed" or job["stage"] in STAGES[STAGES.index(stage):]:
                return job["stage"]
        raise AssertionError("the stream ended early")

    def close(self):
        self.connection.close()


def files(server):
    """Files of jobs on the disk, by job."""
    root = server.data / "blobs/jobs"
    return {folder.name: sorted(f.name for f in folder.iterdir()) for folder in root.iterdir()} if root.exists() else {}


def untidy(server):
    """What lies on the disk that no job needs, or does not lie there though one does; as a sentence, or None."""
    jobs = {j["id"]: j for j in server.get("/v1/videos").json["data"]}
    found = files(server)
    for place in ("uploads", "trash"):
        if list((server.data / "blobs" / place).iterdir()):
            return f"something in {place}"
    if set(found) - set(jobs):
        return f"orphans: {set(found) - set(jobs)}"
    for identifier, each in jobs.items():
        names = found.get(identifier, [])
        if each["status"] == "completed" and (len([n for n in names if n.endswith(".mp4")]) != 1 or len(names) > 2):
            return f"a completed job has {names}"
        if each["status"] == "failed" and names:
            return f"a failed job has {names}"
    return None


def assert_tidy(server):
    """Nothing lies on the disk that no job needs, a moment after they are over."""
    last = []
    def tidy():
        last[:] = [untidy(server)]
        return last[0] is None
    try:
        wait_until(tidy, "the disk to be tidy", limit=10)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last[0]}") from None


def is_clip(server, identifier):
    """Whether a job's content is an MP4 as long as the job says."""
    reply = server.get(f"/v1/videos/{identifier}/content")
    return reply.status == 200 and reply.body[4:8] == b"ftyp" and b"moov" in reply.body


def insert_finished(data, count):
    """Writes rows of finished jobs, as a server of long standing has them."""
    base = sqlite3.connect(pathlib.Path(data) / "omni.sqlite")
    result = json.dumps({
        "clip": "clip.1.mp4", "bytes": 1, "width": 48, "height": 32, "frames": 9, "fps": 8.0, "seconds": 1.125, "inference_seconds": 1.0, "stage_durations": {},
        "peak_memory_mb": 1.0})
    with base:
        base.executemany(
            "INSERT INTO jobs (id, model, model_name, request, seed, has_picture, is_sync, created_at, status, started_at, completed_at, attempts, deaths, result, webhook_attempts)"
            " VALUES (?, 't2v', 't2v', ?, 1, 0, 0, ?, 'completed', ?, ?, 1, 0, ?, 0)",
            [(f"video_gen_{n:032x}", json.dumps({"prompt": f"video {n}"}), 1e9 + n, 1e9 + n, 1e9 + n + 1, result) for n in range(count)])
    base.close()
