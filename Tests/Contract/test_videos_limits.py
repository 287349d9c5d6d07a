"""Video jobs: long lists, limits, pictures to begin with, webhooks, a server behind a server."""
import http.server
import json
import sqlite3
import threading

import pytest

from harness import LIMIT, wait_until
from pictures import png
from videos import LONG, PICTURE_TO_VIDEO, SHORT, TEXT_TO_VIDEO, assert_tidy, create, files, finished, insert_finished, is_clip, job, made


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


def test_an_upload_over_the_limit_is_413_and_leaves_nothing(videos):
    reply = create(videos, files=[("input_reference", "a.png", bytes(65 << 20))])
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


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/sync"])
def test_a_model_that_knows_no_pictures_says_so_at_once(videos, path):
    before = videos.get("/v1/videos").json["data"]
    reply = create(videos, path=path, files=[("input_reference", "a.png", png(32, 32))])
    assert reply.status == 400 and "picture" in reply.error["message"] and reply.error["param"] == "body.input_reference"
    assert videos.get("/v1/videos").json["data"] == before


# What no clip of the model's can be.

@pytest.mark.parametrize("fields", [{"size": "99999x99999"}, {"num_frames": 50000}, {"seconds": "1000"}, {"width": 20000, "height": 32}])
def test_what_the_model_cannot_video_is_refused_at_once(videos, fields):
    before = videos.get("/v1/videos").json["data"]
    for path in ("/v1/videos", "/v1/videos/sync"):
        reply = create(videos, path=path, **fields)
        assert reply.status == 400 and reply.error["param"] == f"body.{next(iter(fields))}", reply
    assert videos.get("/v1/videos").json["data"] == before


def test_capabilities_tell_the_limits_and_price_a_length(videos):
    def told(query=""):
        return videos.get("/v1/capabilities" + query).json["data"][0]["video"]

    (standard,) = told()["memory"]
    limits = told()
    assert standard["frames"] == 9 and limits["max_frames"] == 1 + 1023 * 4 and limits["max_side"] == 16384
    assert standard["largest_side"] <= limits["max_side"]
    same, longer = told("?num_frames=401")["memory"]
    assert longer["frames"] == 401 and longer["size"] == standard["size"] and longer["bytes"] > standard["bytes"]
    assert [(p["size"], p["frames"]) for p in told("?num_frames=33&size=96x64")["memory"]][1:] == [("96x64", 33)]
    assert len(told("?num_frames=50000")["memory"]) == 1, "what cannot be generated has no price"
    assert videos.get("/v1/capabilities?num_frames=0").error["param"] == "query.num_frames"
    # One frame more than is told is one too many.
    assert create(videos, num_frames=limits["max_frames"] + 1).status == 400


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

def test_a_backend_elsewhere_videos(start, videos):
    front = start("--backend", f"t2v={videos.base_url}", models=[])
    identifier = made(front, model="t2v", **SHORT)
    done = finished(front, identifier)
    assert done["status"] == "completed" and is_clip(front, identifier), done
    assert front.get(f"/v1/videos/{identifier}/content?variant=thumbnail").status == 200
    assert finished(front, made(front, size="16000x16000", num_frames=1000))["error"]["code"] in (400, 507)
    there = {j["id"] for j in videos.get("/v1/videos").json["data"]}
    running = made(front, **LONG)
    wait_until(lambda: {j["id"] for j in videos.get("/v1/videos").json["data"]} - there, "the job to be forwarded")
    assert front.request("DELETE", f"/v1/videos/{running}").status == 200
    wait_until(lambda: {j["id"] for j in videos.get("/v1/videos").json["data"]} <= there, "the job to be deleted there, too")
    assert_tidy(front)
