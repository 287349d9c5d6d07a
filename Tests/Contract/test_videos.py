"""Video jobs as clients see them."""
import json

import pytest

from harness import LIMIT, wait_until
from pictures import png
from videos import LONG, SHORT, STAGES, TEXT_TO_VIDEO, Events, create, files, finished, job, made


@pytest.fixture
def openai_client(videos):
    import openai

    with openai.OpenAI(base_url=videos.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


# The official client.

@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_creates_polls_lists_downloads_and_deletes(videos, openai_client, tmp_path):
    videos = openai_client.videos
    video = videos.create_and_poll(model="t2v", prompt="a red fox", seconds="1", size="48x32", poll_interval_ms=50, extra_body=SHORT | {"fps": 5})
    assert video.status == "completed" and video.progress == 100 and video.error is None, video
    assert video.size == "48x32" and video.seconds == "1" and video.completed_at >= video.created_at
    path = tmp_path / "video.mp4"
    videos.download_content(video.id).write_to_file(path)
    assert path.read_bytes()[4:8] == b"ftyp"
    assert videos.download_content(video.id, variant="thumbnail").content[:2] == b"\xff\xd8"
    assert video.id in [v.id for v in videos.list(limit=2)], "pages follow each other"
    assert videos.delete(video.id).deleted
    import openai
    with pytest.raises(openai.NotFoundError):
        videos.retrieve(video.id)


def test_json_bodies_and_the_seeds_paths(videos):
    reply = videos.post("/v1/videos/generations", {"prompt": "x", "seed": 7} | SHORT)
    assert reply.status == 200 and reply.json["status"] == "queued" and reply.json["queue_position"] == 0
    identifier = reply.json["id"]
    assert finished(videos, identifier)["status"] == "completed"
    assert videos.get(f"/v1/videos/generations/{identifier}").json == job(videos, identifier)
    assert videos.get(f"/v1/videos/generations/{identifier}/content").headers["Content-Type"] == "video/mp4"
    assert identifier in [j["id"] for j in videos.get("/v1/videos/generations").json["data"]]
    assert videos.request("DELETE", f"/v1/videos/generations/{identifier}").json == {"id": identifier, "deleted": True, "object": "video.deleted"}


def test_the_clip_is_what_was_asked_for(videos):
    identifier = made(videos, size="50x34", num_frames=7, fps=10, num_inference_steps=2)
    done = finished(videos, identifier)
    assert (done["num_frames"], done["fps"], done["duration_s"], done["size"]) == (7, 10, 0.7, "50x34"), "any size and length, whatever the model's grid"
    assert done["seconds"] == "1" and done["file_name"] == f"{identifier}.mp4" and done["inference_time_s"] > 0
    assert {"diffuse", "decode"} <= set(done["stage_durations"]) and done["peak_memory_mb"] > 1


def test_the_same_seed_gives_the_same_clip(videos):
    clips = []
    for seed in (5, 5, 6):
        identifier = made(videos, seed=seed, **SHORT)
        finished(videos, identifier)
        clips.append(videos.get(f"/v1/videos/{identifier}/content").body)
    assert clips[0] == clips[1] != clips[2]


def test_progress_is_true_and_never_falls(videos):
    identifier = made(videos, **LONG)
    seen = [(name, j["stage"], j["progress"], j["step"]) for name, j in Events(videos, identifier)]
    assert seen[-1][0] == "video.completed" and seen[-1][2] == 100
    progress = [p for _, _, p, _ in seen]
    assert progress == sorted(progress) and len(set(progress)) > 10, "more than 0 and 100"
    stages = [s for _, s, _, _ in seen if s]
    order = ["queued", *STAGES]
    assert stages == sorted(stages, key=order.index) and {"denoise", "decode"} <= set(stages)
    steps = [step for _, stage, _, step in seen if stage == "denoise"]
    assert max(steps) > LONG["num_inference_steps"] * 0.8, "events that come at once are one"


def test_content_ranges_conditions_and_head(videos):
    identifier = made(videos, **SHORT)
    finished(videos, identifier)
    path = f"/v1/videos/{identifier}/content"
    whole = videos.get(path)
    assert whole.headers["Content-Disposition"] == f'attachment; filename="{identifier}.mp4"' and whole.headers["Accept-Ranges"] == "bytes"
    size, tag = len(whole.body), whole.headers["ETag"]
    part = videos.request("GET", path, headers={"Range": "bytes=4-7"})
    assert part.status == 206 and part.body == b"ftyp" and part.headers["Content-Range"] == f"bytes 4-7/{size}"
    assert videos.request("GET", path, headers={"Range": "bytes=-5"}).body == whole.body[-5:]
    assert videos.request("GET", path, headers={"Range": f"bytes={size - 3}-"}).body == whole.body[-3:]
    assert videos.request("GET", path, headers={"Range": f"bytes=2-{size * 2}"}).body == whole.body[2:]
    none = videos.request("GET", path, headers={"Range": f"bytes={size}-"})
    assert none.status == 416 and none.headers["Content-Range"] == f"bytes */{size}"
    for odd in ("bytes=9-2", "pages=1-2", "bytes=a-b", "bytes=0-1,3-4", "bytes=-"):
        assert videos.request("GET", path, headers={"Range": odd}).body == whole.body, odd
    assert videos.request("GET", path, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status == 200
    assert videos.request("GET", path, headers={"If-None-Match": tag}).status == 304
    head = videos.request("HEAD", path)
    assert head.status == 200 and head.headers["Content-Length"] == str(size) and head.body == b""
    small = videos.get(path + "?variant=thumbnail")
    assert small.headers["Content-Type"] == "image/jpeg" and small.body[:2] == b"\xff\xd8"
    assert videos.get(path + "?variant=poster").error["param"] == "query.variant"


def test_the_clip_plays(videos, tmp_path):
    """Decoded with a program that is not ours."""
    import subprocess

    identifier = made(videos, size="64x48", num_frames=9, fps=8, num_inference_steps=2)
    finished(videos, identifier)
    path = tmp_path / "video.mp4"
    path.write_bytes(videos.get(f"/v1/videos/{identifier}/content").body)
    told = json.loads(subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", path], capture_output=True, check=True).stdout)["streams"][0]
    assert (told["width"], told["height"], told["nb_read_frames"], told["r_frame_rate"], told["pix_fmt"]) == (64, 48, "9", "8/1", "yuv420p")


# What is wrong with a request is said before there is a job.

@pytest.mark.parametrize("fields, param", [
    ({"seconds": "soon"}, "body.seconds"), ({"size": "0x0"}, "body.size"), ({"num_inference_steps": "0"}, "body.num_inference_steps"),
    ({"fps": "0.1"}, "body.fps"), ({"webhook_url": "gopher://x"}, "body.webhook_url"), ({"control_type": "depth"}, "body.control_type"),
    ({"image_reference": '{"image_url":"http://127.0.0.1:9/a.png"}'}, None), ({"input_reference[file_id]": "f"}, "body.input_reference.file_id"),
    ({"video_reference": '{"video_url":"data:,"}'}, "body.video_reference"), ({"model": "nope"}, "model"),
])
def test_faults_make_no_job(videos, fields, param):
    before = videos.get("/v1/videos").json["data"]
    reply = create(videos, **fields)
    assert reply.status in (400, 404), reply
    if param:
        assert reply.error["param"] == param
    assert videos.get("/v1/videos").json["data"] == before


def test_unknown_jobs_and_jobs_that_are_not_done(videos):
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content"), ("GET", "/events")):
        assert videos.request(method, f"/v1/videos/nope{path}").error["message"].startswith("Video not found. There is")
    identifier = made(videos, **LONG)
    early = videos.get(f"/v1/videos/{identifier}/content")
    assert early.status == 404 and early.error["message"].startswith("Generation is still in-progress. Ask")
    assert videos.request("DELETE", f"/v1/videos/{identifier}").status == 200
    assert videos.get("/v1/videos/../videos/nope").status == 404


def test_ignored_fields_are_named(videos):
    reply = create(videos, sparkle="1", aspect_ratio="16:9", extra_params='{"glitter":1}', **SHORT)
    assert set(reply.headers["x-ignored-params"].split(",")) == {"sparkle", "aspect_ratio", "extra_params.glitter"}


def test_a_server_without_a_video_model(server):
    assert create(server).status == 404
    assert "No served model can do video generation" in create(server).error["message"]
    assert server.get("/v1/videos").json["data"] == []


def test_metrics_tell_what_became_of_jobs(start):
    server = start(models=[TEXT_TO_VIDEO])

    def waiting_and_running():
        return server.metric("vllm_omni:num_requests_waiting"), server.metric("vllm_omni:num_requests_running")

    assert waiting_and_running() == (0, 0)
    finished(server, made(server, **SHORT))
    finished(server, made(server, size="16000x16000", num_frames=1000))
    first, second = made(server, **LONG), made(server, **LONG)
    wait_until(lambda: waiting_and_running() == (1, 1), "one to run and one to wait")
    for identifier in (second, first):
        server.request("DELETE", f"/v1/videos/{identifier}")
    assert waiting_and_running() == (0, 0)
    assert server.metric("vllm_omni:requests_success_total", finished_reason="stop") == 1
    assert server.metric("vllm_omni:requests_failed_total", reason="error") == 1
    assert server.metric("vllm_omni:requests_failed_total", reason="cancelled") == 2
    assert server.metric("vllm_omni:e2e_request_latency_s_count") == 2 and server.metric("vllm_omni:request_queue_wait_s_count") == 3
    for stage in ("encode", "denoise", "decode", "mux"):
        assert server.metric("vllm_omni:stage_gen_time_s_sum", stage=stage, stage_type="diffusion") > 0, stage
    stored = sum(path.stat().st_size for path in (server.data / "blobs/jobs").rglob("*") if path.is_file())
    assert server.metric("omni:video_bytes_stored") == stored > 0


# Failure, deletion, keys.

def test_a_failed_job_says_why_and_pollers_keep_working(videos):
    identifier = made(videos, size="16000x16000", num_frames=1000)
    failed = finished(videos, identifier)
    assert videos.get(f"/v1/videos/{identifier}").status == 200
    assert failed["status"] == "failed" and failed["error"]["code"] in (400, 507) and failed["error"]["message"], failed
    assert failed["completed_at"] and failed["progress"] == 0
    assert videos.get(f"/v1/videos/{identifier}/content").error["type"] == "Unprocessable Entity"
    assert videos.request("DELETE", f"/v1/videos/{identifier}").status == 200
    assert finished(videos, made(videos, **SHORT))["status"] == "completed", "the next one works"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_tells_why_a_job_failed(openai_client):
    """The code is vLLM-Omni's, an HTTP status; OpenAI's own words for it say nothing of memory."""
    video = openai_client.videos.create_and_poll(model="t2v", prompt="x", size="16000x16000", poll_interval_ms=50, extra_body={"num_frames": 1000})
    assert video.status == "failed" and video.error.code in (400, 507) and video.error.message, video


def test_what_the_model_cannot_take_is_named_or_refused(videos):
    reply = create(videos, last_frame="x", first_frame="y", **SHORT)
    assert set(reply.headers["x-ignored-params"].split(",")) == {"last_frame", "first_frame"}
    import base64
    pictures = [{"image_url": "data:image/png;base64," + base64.b64encode(png(32, 32)).decode()}] * 2
    two = create(videos, image_reference=json.dumps(pictures), **SHORT)
    assert two.status == 400 and "first frame" in two.error["message"] and two.error["param"] == "body.image_reference"
    last = create(videos, files=[("last_frame", "a.png", png(32, 32))], **SHORT)
    assert last.status == 200 and "last_frame" in last.headers["x-ignored-params"]


def test_delete_in_every_state(videos):
    first, second = made(videos, **LONG), made(videos, **LONG)
    waiting = videos.get(f"/v1/videos/{second}").json
    assert waiting["status"] == "queued"
    for identifier in (second, first):
        assert videos.request("DELETE", f"/v1/videos/{identifier}").json["deleted"]
        assert videos.get(f"/v1/videos/{identifier}").status == 404
    for stage in STAGES[1:]:
        identifier = made(videos, **LONG)
        events = Events(videos, identifier)
        events.until_stage(stage)
        assert videos.request("DELETE", f"/v1/videos/{identifier}").status == 200
        assert [name for name, _ in events][-1:] in (["video.deleted"], []), stage
        assert videos.request("DELETE", f"/v1/videos/{identifier}").status == 404
        assert identifier not in files(videos), "its disk space is free at once"
    done = made(videos, **SHORT)
    finished(videos, done)
    assert videos.request("DELETE", f"/v1/videos/{done}").status == 200 and done not in files(videos)
    assert finished(videos, made(videos, **SHORT))["status"] == "completed", "cancelling leaves the next untouched"


def test_jobs_run_in_order_and_tell_their_place(videos):
    identifiers = [made(videos, **LONG)] + [made(videos, **SHORT) for _ in range(4)]
    places = [job(videos, i)["queue_position"] for i in identifiers[1:]]
    assert places == sorted(places) and places[-1] is not None
    ends = [finished(videos, i)["completed_at"] for i in identifiers]
    assert ends == sorted(ends)
    newest = [j["id"] for j in videos.get("/v1/videos?limit=5").json["data"]]
    assert newest == identifiers[::-1]


def test_an_idempotency_key_makes_one_job(videos):
    headers = {"Idempotency-Key": "same-day"}
    first = create(videos, headers=headers, **SHORT)
    again = create(videos, headers=headers, **SHORT)
    assert first.json["id"] == again.json["id"]
    other = create(videos, "another prompt", headers=headers, **SHORT)
    assert other.status == 409 and other.error["type"] == "Conflict"


def test_one_request_for_one_clip(videos):
    reply = create(videos, path="/v1/videos/sync", size="32x32", num_outputs_per_prompt="2", **SHORT)
    assert reply.status == 200 and reply.headers["Content-Type"] == "video/mp4" and reply.body[4:8] == b"ftyp"
    assert float(reply.headers["X-Inference-Time-S"]) > 0 and "diffuse" in json.loads(reply.headers["X-Stage-Durations"]) and reply.headers["X-Model"] == "t2v"
    before = len(videos.get("/v1/videos").json["data"])
    wait_until(lambda: set(files(videos)) <= {j["id"] for j in videos.get("/v1/videos").json["data"]}, "the clip to go with its answer")
    assert len(videos.get("/v1/videos").json["data"]) == before
    refused = create(videos, path="/v1/videos/sync", size="16000x16000", num_frames=1000)
    assert refused.status in (400, 507), refused


def test_a_client_that_goes_cancels_its_clip(videos):
    from videos import form

    connection = videos.connection()
    body, headers = form({"prompt": "x"} | LONG | {"num_inference_steps": 200})
    connection.request("POST", "/v1/videos/sync", body, headers)
    wait_until(lambda: any("video_gen" in f for f in set(files(videos)) - {j["id"] for j in videos.get("/v1/videos").json["data"]}), "the clip to be begun")
    connection.close()
    wait_until(lambda: set(files(videos)) <= {j["id"] for j in videos.get("/v1/videos").json["data"]}, "the clip to be given up")
    assert finished(videos, made(videos, **SHORT))["status"] == "completed"
