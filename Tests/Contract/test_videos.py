"""Video jobs as clients see them."""
import http.server
import json
import sqlite3
import threading

import pytest

from harness import LIMIT, wait_until
from pictures import png
from videos import (LONG, PICTURE_TO_VIDEO, SHORT, STAGES, TEXT_TO_VIDEO, Events, assert_tidy, create, files, finished, insert_finished, is_clip, job, made)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A server with one video model, for tests that only ask."""
    from harness import Server

    with Server(tmp_path_factory.mktemp("films"), models=[TEXT_TO_VIDEO]) as server:
        yield server
        assert_tidy(server)


@pytest.fixture
def openai_client(films):
    import openai

    with openai.OpenAI(base_url=films.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


# The official client.

@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_creates_polls_lists_downloads_and_deletes(films, openai_client, tmp_path):
    videos = openai_client.videos
    video = videos.create_and_poll(model="t2v", prompt="a red fox", seconds="1", size="48x32", poll_interval_ms=50, extra_body=SHORT | {"fps": 5})
    assert video.status == "completed" and video.progress == 100 and video.error is None, video
    assert video.size == "48x32" and video.seconds == "1" and video.completed_at >= video.created_at
    path = tmp_path / "film.mp4"
    videos.download_content(video.id).write_to_file(path)
    assert path.read_bytes()[4:8] == b"ftyp"
    assert videos.download_content(video.id, variant="thumbnail").content[:2] == b"\xff\xd8"
    assert video.id in [v.id for v in videos.list(limit=2)], "pages follow each other"
    assert videos.delete(video.id).deleted
    import openai
    with pytest.raises(openai.NotFoundError):
        videos.retrieve(video.id)


def test_json_bodies_and_the_seeds_paths(films):
    reply = films.post("/v1/videos/generations", {"prompt": "x", "seed": 7} | SHORT)
    assert reply.status == 200 and reply.json["status"] == "queued" and reply.json["queue_position"] == 0
    identifier = reply.json["id"]
    assert finished(films, identifier)["status"] == "completed"
    assert films.get(f"/v1/videos/generations/{identifier}").json == job(films, identifier)
    assert films.get(f"/v1/videos/generations/{identifier}/content").headers["Content-Type"] == "video/mp4"
    assert identifier in [j["id"] for j in films.get("/v1/videos/generations").json["data"]]
    assert films.request("DELETE", f"/v1/videos/generations/{identifier}").json == {"id": identifier, "deleted": True, "object": "video.deleted"}


def test_the_clip_is_what_was_asked_for(films):
    identifier = made(films, size="50x34", num_frames=7, fps=10, num_inference_steps=2)
    done = finished(films, identifier)
    assert (done["num_frames"], done["fps"], done["duration_s"], done["size"]) == (7, 10, 0.7, "50x34"), "any size and length, whatever the model's grid"
    assert done["seconds"] == "1" and done["file_name"] == f"{identifier}.mp4" and done["inference_time_s"] > 0
    assert {"diffuse", "decode"} <= set(done["stage_durations"]) and done["peak_memory_mb"] > 1


def test_the_same_seed_gives_the_same_clip(films):
    clips = []
    for seed in (5, 5, 6):
        identifier = made(films, seed=seed, **SHORT)
        finished(films, identifier)
        clips.append(films.get(f"/v1/videos/{identifier}/content").body)
    assert clips[0] == clips[1] != clips[2]


def test_progress_is_true_and_never_falls(films):
    identifier = made(films, **LONG)
    seen = [(name, j["stage"], j["progress"], j["step"]) for name, j in Events(films, identifier)]
    assert seen[-1][0] == "video.completed" and seen[-1][2] == 100
    progress = [p for _, _, p, _ in seen]
    assert progress == sorted(progress) and len(set(progress)) > 10, "more than 0 and 100"
    stages = [s for _, s, _, _ in seen if s]
    order = ["queued", *STAGES]
    assert stages == sorted(stages, key=order.index) and {"denoise", "decode"} <= set(stages)
    steps = [step for _, stage, _, step in seen if stage == "denoise"]
    assert max(steps) > LONG["num_inference_steps"] * 0.8, "events that come at once are one"


def test_content_ranges_conditions_and_head(films):
    identifier = made(films, **SHORT)
    finished(films, identifier)
    path = f"/v1/videos/{identifier}/content"
    whole = films.get(path)
    assert whole.headers["Content-Disposition"] == f'attachment; filename="{identifier}.mp4"' and whole.headers["Accept-Ranges"] == "bytes"
    size, tag = len(whole.body), whole.headers["ETag"]
    part = films.request("GET", path, headers={"Range": "bytes=4-7"})
    assert part.status == 206 and part.body == b"ftyp" and part.headers["Content-Range"] == f"bytes 4-7/{size}"
    assert films.request("GET", path, headers={"Range": "bytes=-5"}).body == whole.body[-5:]
    assert films.request("GET", path, headers={"Range": f"bytes={size - 3}-"}).body == whole.body[-3:]
    assert films.request("GET", path, headers={"Range": f"bytes=2-{size * 2}"}).body == whole.body[2:]
    none = films.request("GET", path, headers={"Range": f"bytes={size}-"})
    assert none.status == 416 and none.headers["Content-Range"] == f"bytes */{size}"
    for odd in ("bytes=9-2", "pages=1-2", "bytes=a-b", "bytes=0-1,3-4", "bytes=-"):
        assert films.request("GET", path, headers={"Range": odd}).body == whole.body, odd
    assert films.request("GET", path, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status == 200
    assert films.request("GET", path, headers={"If-None-Match": tag}).status == 304
    head = films.request("HEAD", path)
    assert head.status == 200 and head.headers["Content-Length"] == str(size) and head.body == b""
    small = films.get(path + "?variant=thumbnail")
    assert small.headers["Content-Type"] == "image/jpeg" and small.body[:2] == b"\xff\xd8"
    assert films.get(path + "?variant=poster").error["param"] == "query.variant"


def test_the_clip_plays(films, tmp_path):
    """Decoded with a program that is not ours."""
    import subprocess

    identifier = made(films, size="64x48", num_frames=9, fps=8, num_inference_steps=2)
    finished(films, identifier)
    path = tmp_path / "film.mp4"
    path.write_bytes(films.get(f"/v1/videos/{identifier}/content").body)
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
def test_faults_make_no_job(films, fields, param):
    before = films.get("/v1/videos").json["data"]
    reply = create(films, **fields)
    assert reply.status in (400, 404), reply
    if param:
        assert reply.error["param"] == param
    assert films.get("/v1/videos").json["data"] == before


def test_unknown_jobs_and_jobs_that_are_not_done(films):
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content"), ("GET", "/events")):
        assert films.request(method, f"/v1/videos/nope{path}").error["message"].startswith("Video not found")
    identifier = made(films, **LONG)
    assert films.get(f"/v1/videos/{identifier}/content").status == 404
    assert films.request("DELETE", f"/v1/videos/{identifier}").status == 200
    assert films.get("/v1/videos/../videos/nope").status == 404


def test_ignored_fields_are_named(films):
    reply = create(films, sparkle="1", aspect_ratio="16:9", extra_params='{"glitter":1}', **SHORT)
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

def test_a_failed_job_says_why_and_pollers_keep_working(films):
    identifier = made(films, size="16000x16000", num_frames=1000)
    failed = finished(films, identifier)
    assert films.get(f"/v1/videos/{identifier}").status == 200
    assert failed["status"] == "failed" and failed["error"]["code"] in (400, 507) and failed["error"]["message"], failed
    assert failed["completed_at"] and failed["progress"] == 0
    assert films.get(f"/v1/videos/{identifier}/content").error["type"] == "Unprocessable Entity"
    assert films.request("DELETE", f"/v1/videos/{identifier}").status == 200
    assert finished(films, made(films, **SHORT))["status"] == "completed", "the next one works"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_tells_why_a_job_failed(openai_client):
    """The code is vLLM-Omni's, an HTTP status; OpenAI's own words for it say nothing of memory."""
    video = openai_client.videos.create_and_poll(model="t2v", prompt="x", size="16000x16000", poll_interval_ms=50, extra_body={"num_frames": 1000})
    assert video.status == "failed" and video.error.code in (400, 507) and video.error.message, video


def test_what_the_model_cannot_take_is_named_or_refused(films):
    reply = create(films, last_frame="x", first_frame="y", **SHORT)
    assert set(reply.headers["x-ignored-params"].split(",")) == {"last_frame", "first_frame"}
    import base64
    pictures = [{"image_url": "data:image/png;base64," + base64.b64encode(png(32, 32)).decode()}] * 2
    two = create(films, image_reference=json.dumps(pictures), **SHORT)
    assert two.status == 400 and "first frame" in two.error["message"] and two.error["param"] == "body.image_reference"
    last = create(films, files=[("last_frame", "a.png", png(32, 32))], **SHORT)
    assert last.status == 400 and "last_frame" in last.error["param"]


def test_delete_in_every_state(films):
    first, second = made(films, **LONG), made(films, **LONG)
    waiting = films.get(f"/v1/videos/{second}").json
    assert waiting["status"] == "queued"
    for identifier in (second, first):
        assert films.request("DELETE", f"/v1/videos/{identifier}").json["deleted"]
        assert films.get(f"/v1/videos/{identifier}").status == 404
    for stage in STAGES[1:]:
        identifier = made(films, **LONG)
        events = Events(films, identifier)
        events.until_stage(stage)
        assert films.request("DELETE", f"/v1/videos/{identifier}").status == 200
        assert [name for name, _ in events][-1:] in (["video.deleted"], []), stage
        assert films.request("DELETE", f"/v1/videos/{identifier}").status == 404
        assert identifier not in files(films), "its disk space is free at once"
    done = made(films, **SHORT)
    finished(films, done)
    assert films.request("DELETE", f"/v1/videos/{done}").status == 200 and done not in files(films)
    assert finished(films, made(films, **SHORT))["status"] == "completed", "cancelling leaves the next untouched"


def test_jobs_run_in_order_and_tell_their_place(films):
    identifiers = [made(films, **LONG)] + [made(films, **SHORT) for _ in range(4)]
    places = [job(films, i)["queue_position"] for i in identifiers[1:]]
    assert places == sorted(places) and places[-1] is not None
    ends = [finished(films, i)["completed_at"] for i in identifiers]
    assert ends == sorted(ends)
    newest = [j["id"] for j in films.get("/v1/videos?limit=5").json["data"]]
    assert newest == identifiers[::-1]


def test_an_idempotency_key_makes_one_job(films):
    headers = {"Idempotency-Key": "same-day"}
    first = create(films, headers=headers, **SHORT)
    again = create(films, headers=headers, **SHORT)
    assert first.json["id"] == again.json["id"]
    other = create(films, "another prompt", headers=headers, **SHORT)
    assert other.status == 409 and other.error["type"] == "Conflict"


def test_one_request_for_one_clip(films):
    reply = create(films, path="/v1/videos/sync", size="32x32", num_outputs_per_prompt="2", **SHORT)
    assert reply.status == 200 and reply.headers["Content-Type"] == "video/mp4" and reply.body[4:8] == b"ftyp"
    assert float(reply.headers["X-Inference-Time-S"]) > 0 and "diffuse" in json.loads(reply.headers["X-Stage-Durations"]) and reply.headers["X-Model"] == "t2v"
    before = len(films.get("/v1/videos").json["data"])
    wait_until(lambda: set(files(films)) <= {j["id"] for j in films.get("/v1/videos").json["data"]}, "the clip to go with its answer")
    assert len(films.get("/v1/videos").json["data"]) == before
    refused = create(films, path="/v1/videos/sync", size="16000x16000", num_frames=1000)
    assert refused.status in (400, 507), refused


def test_a_client_that_goes_cancels_its_clip(films):
    from videos import form

    connection = films.connection()
    body, headers = form({"prompt": "x"} | LONG | {"num_inference_steps": 200})
    connection.request("POST", "/v1/videos/sync", body, headers)
    wait_until(lambda: any("video_gen" in f for f in set(files(films)) - {j["id"] for j in films.get("/v1/videos").json["data"]}), "the clip to be begun")
    connection.close()
    wait_until(lambda: set(files(films)) <= {j["id"] for j in films.get("/v1/videos").json["data"]}, "the clip to be given up")
    assert finished(films, made(films, **SHORT))["status"] == "completed"


# Lists.

def test_five_thousand_finished_jobs_in_pages(start, tmp_path):
    first = start(models=[TEXT_TO_VIDEO], data=tmp_path / "data")
    first.stop()
    insert_finished(first.data, 5000)
    server = start(models=[TEXT_TO_VIDEO], data=tmp_path / "data")
    seen, after = [], ""
    while True:
        page = server.get(f"/v1/videos?limit=100&order=asc{after}").json
        seen += [j["id"] for j in page["data"]]
        assert page["first_id"] == page["data"][0]["id"] and page["last_id"] == page["data"][-1]["id"]
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"
    assert len(seen) == 5000 == len(set(seen)) and seen == sorted(seen)
    assert len(server.get("/v1/videos").json["data"]) == 5000, "no default limit"
    assert server.get("/v1/videos?limit=1").json["data"][0]["id"] == seen[-1]


# Limits.

def test_the_quota_is_reached_while_a_clip_is_written(start):
    server = start("--job-quota", "40000", models=[TEXT_TO_VIDEO])
    small = made(server, **SHORT)
    assert finished(server, small)["status"] == "completed"
    large = finished(server, made(server, size="160x128", num_frames=33, num_inference_steps=1, quality="lossless"))
    assert large["status"] == "failed" and large["error"]["code"] == 507, large
    assert_tidy(server)
    assert is_clip(server, small)
    assert finished(server, made(server, **SHORT))["status"] == "completed"


def test_a_full_quota_refuses_jobs_and_uploads(start):
    server = start("--job-quota", "1000", models=[TEXT_TO_VIDEO])
    assert create(server, files=[("input_reference", "a.png", bytes(5000))]).status == 507
    failed = finished(server, made(server, **SHORT))
    assert failed["error"]["code"] == 507
    assert_tidy(server)


def test_results_go_when_their_time_is_over(start):
    server = start("--job-ttl", "1", models=[TEXT_TO_VIDEO])
    identifier = made(server, **SHORT)
    assert finished(server, identifier)["expires_at"] - job(server, identifier)["completed_at"] in (1, 2)
    wait_until(lambda: server.get(f"/v1/videos/{identifier}/content").status == 404, "the clip to expire")
    wait_until(lambda: not files(server), "its files to go")
    assert job(server, identifier)["status"] == "completed", "the job can still be asked for"
    failed = made(server, size="16000x16000", num_frames=1000)
    assert finished(server, failed)["expires_at"], "a failed job has its time, too"
    with sqlite3.connect(server.data / "omni.sqlite", timeout=LIMIT) as base:
        base.execute("UPDATE jobs SET expires_at = expires_at - 31 * 86400")
    base.close()
    wait_until(lambda: server.get("/v1/videos").json["data"] == [], "both rows to go a month later")


def test_a_full_queue_is_503(start):
    server = start("--max-job-queue", "1", models=[TEXT_TO_VIDEO])
    running = made(server, **LONG)
    wait_until(lambda: job(server, running)["status"] == "in_progress", "the first to begin")
    made(server, **SHORT)
    full = create(server, **SHORT)
    assert full.status == 503 and int(full.headers["Retry-After"]) > 0


def memory(pid):
    """Most memory that a process held since the mark was reset, bytes."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024


def test_a_large_upload_takes_no_memory(start):
    """200 MB that begin as a picture does; sent in pieces, so that the test holds none of it either."""
    size = 200 << 20
    server = start("--max-body-size", size + (1 << 20), "--limit-mm-bytes", size + (1 << 20), models=[PICTURE_TO_VIDEO])
    create(server, files=[("input_reference", "a.png", png(16, 16))])
    open(f"/proc/{server.pid}/clear_refs", "w").write("5")
    before = memory(server.pid)
    head = (b'--m\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n--m\r\nContent-Disposition: form-data; name="input_reference"; filename="a.png"\r\n\r\n' + png(16, 16))
    tail = b"\r\n--m--\r\n"
    connection = server.connection()
    connection.putrequest("POST", "/v1/videos")
    connection.putheader("Content-Type", "multipart/form-data; boundary=m")
    connection.putheader("Content-Length", str(len(head) + size + len(tail)))
    connection.endheaders(head)
    for _ in range(size >> 20):
        connection.send(bytes(1 << 20))
    connection.send(tail)
    reply = connection.getresponse()
    body = json.loads(reply.read())
    assert reply.status == 200, body
    assert memory(server.pid) - before < 40 << 20
    assert server.request("DELETE", f"/v1/videos/{body['id']}").status == 200
    assert body["id"] not in files(server)


def test_an_upload_over_the_limit_is_413_and_leaves_nothing(films):
    reply = create(films, files=[("input_reference", "a.png", bytes(65 << 20))])
    assert reply.status == 413 and "--max-body-size" in reply.error["message"]


# Pictures to begin with.

def test_a_clip_begins_with_a_picture(start):
    server = start(models=[PICTURE_TO_VIDEO])
    identifier = made(server, files=[("input_reference", "a.png", png(64, 32))], **SHORT)
    assert finished(server, identifier)["status"] == "completed"
    assert_tidy(server)  # inputs go with the work
    for name, broken in (("cut", png(64, 32)[:60]), ("empty", b""), ("text", b"hello")):
        reply = create(server, files=[("input_reference", "a.png", broken)])
        assert reply.status == 400 and reply.error["param"] == "body.input_reference", name
    import base64
    url = "data:image/png;base64," + base64.b64encode(png(32, 32)).decode()
    assert finished(server, made(server, image_reference=json.dumps({"image_url": url}), **SHORT))["status"] == "completed"
    assert finished(server, made(server, **{"input_reference[image_url]": url}, **SHORT))["status"] == "completed"
    assert_tidy(server)


def test_a_model_that_knows_no_pictures_says_so_at_once(films):
    reply = create(films, files=[("input_reference", "a.png", png(32, 32))])
    assert reply.status == 200 and reply.json["status"] == "failed" and "picture" in reply.json["error"]["message"]
    assert create(films, path="/v1/videos/sync", files=[("input_reference", "a.png", png(32, 32))]).status == 400


# Webhooks.

class Hook(http.server.BaseHTTPRequestHandler):
    """Takes webhooks; answers the first with 500."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((dict(self.headers), body))
        self.send_response(500 if len(self.server.calls) == 1 else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.calls = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()


def test_a_webhook_is_signed_and_sent_again(start, hook):
    import openai

    secret = "whsec_" + "c2VjcmV0IGtleSBmb3IgdGVzdHM="
    server = start("--allowed-media-domains", "127.0.0.1", models=[TEXT_TO_VIDEO], environment={"OMNI_WEBHOOK_SECRET": secret})
    identifier = made(server, webhook_url=f"http://127.0.0.1:{hook.server_port}/hook", **SHORT)
    finished(server, identifier)
    wait_until(lambda: len(hook.calls) >= 2, "the webhook to be called again")
    client = openai.OpenAI(api_key="x", base_url="http://nowhere")
    for headers, body in hook.calls:
        assert client.webhooks.unwrap(body, headers, secret=secret).type == "video.completed"
        event = json.loads(body)
        assert event["type"] == "video.completed" and event["data"]["id"] == identifier and event["id"] == headers["webhook-id"]
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.verify_signature(hook.calls[0][1] + b" ", hook.calls[0][0], secret=secret)


def test_a_webhook_cannot_reach_inside(start, hook):
    server = start(models=[TEXT_TO_VIDEO])
    identifier = made(server, webhook_url=f"http://127.0.0.1:{hook.server_port}/hook", **SHORT)
    finished(server, identifier)
    wait_until(lambda: "webhook not delivered" in server.log, "the refusal")
    assert "public address" in server.log and not hook.calls


# A server behind a server.

def test_a_backend_elsewhere_films(start, films):
    front = start("--backend", f"t2v={films.base_url}", models=[])
    identifier = made(front, model="t2v", **SHORT)
    done = finished(front, identifier)
    assert done["status"] == "completed" and is_clip(front, identifier), done
    assert front.get(f"/v1/videos/{identifier}/content?variant=thumbnail").status == 200
    assert finished(front, made(front, size="16000x16000", num_frames=1000))["error"]["code"] in (400, 507)
    there = {j["id"] for j in films.get("/v1/videos").json["data"]}
    running = made(front, **LONG)
    wait_until(lambda: {j["id"] for j in films.get("/v1/videos").json["data"]} - there, "the job to be forwarded")
    assert front.request("DELETE", f"/v1/videos/{running}").status == 200
    wait_until(lambda: {j["id"] for j in films.get("/v1/videos").json["data"]} <= there, "the job to be deleted there, too")
    assert_tidy(front)
