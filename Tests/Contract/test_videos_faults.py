"""Video jobs under kill -9: whatever dies, every accepted job ends completed, or failed with a reason, and nothing is left
lying about."""
import os
import random
import signal
import threading

import pytest

from harness import is_alive, wait_until
from videos import LONG, PICTURE_TO_VIDEO, SHORT, STAGES, TEXT_TO_VIDEO, Events, assert_tidy, create, files, finished, is_clip, job, made
from pictures import png


def kill_worker(server):
    (pid,) = server.workers().values()
    os.kill(pid, signal.SIGKILL)
    return pid


def kill_gateway(server):
    """Ends the gateway alone; its worker must follow by itself."""
    workers = list(server.workers().values())
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(map(is_alive, workers)), "the workers to end with their gateway")


def kill_both(server):
    """A power cut, as far as processes are concerned."""
    workers = list(server.workers().values())
    server.process.kill()
    for pid in workers:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    server.process.wait()
    wait_until(lambda: not any(map(is_alive, workers)), "the workers to be gone")


@pytest.fixture
def restart(start, tmp_path):
    """Starts a server on the same data each time."""
    return lambda *arguments: start(*arguments, models=[TEXT_TO_VIDEO], data=tmp_path / "data")


@pytest.mark.parametrize("stage", STAGES[1:])
def test_the_worker_is_killed(restart, stage):
    server = restart()
    identifier, after = made(server, **LONG), made(server, **SHORT)
    seen = Events(server, identifier).until_stage(stage)
    kill_worker(server)
    done = finished(server, identifier)
    assert done["status"] == "completed" and is_clip(server, identifier), (seen, done)
    assert finished(server, after)["status"] == "completed"
    assert_tidy(server)


def test_a_worker_is_killed_while_it_loads(restart):
    server = restart()
    kill_worker(server)
    identifier = made(server, **SHORT)
    assert finished(server, identifier)["status"] == "completed"


def test_a_job_under_which_workers_die_is_given_up(restart):
    server = restart()
    identifier = made(server, **LONG | {"num_inference_steps": 200})
    for death in range(3):
        wait_until(lambda: job(server, identifier)["stage"] == "denoise", "the job to be worked on")
        pid = kill_worker(server)
        wait_until(lambda: pid not in server.workers().values(), "the worker to be gone")
        wait_until(lambda: job(server, identifier)["stage"] != "denoise" or server.workers(), "its death to be noticed")
    failed = finished(server, identifier)
    assert failed["status"] == "failed" and failed["error"]["code"] == 500 and "died 3 times" in failed["error"]["message"], failed
    assert finished(server, made(server, **SHORT))["status"] == "completed"
    assert_tidy(server)


@pytest.mark.parametrize("kill", [kill_gateway, kill_both])
@pytest.mark.parametrize("stage", ["queued", *STAGES[1:]])
def test_the_gateway_is_killed(restart, stage, kill):
    server = restart()
    first = made(server, **LONG)
    waiting = made(server, **SHORT)
    if stage != "queued":
        Events(server, first).until_stage(stage)
    kill(server)
    server = restart()
    ids = [j["id"] for j in server.get("/v1/videos?order=asc").json["data"]]
    assert ids == [first, waiting], "each job once, in order"
    for identifier in ids:
        assert finished(server, identifier)["status"] == "completed" and is_clip(server, identifier)
    assert job(server, first)["completed_at"] <= job(server, waiting)["completed_at"]
    assert_tidy(server)


def test_finished_latents_are_not_made_again(restart):
    """A worker that dies while it decodes: the next one decodes at once."""
    server = restart()
    identifier = made(server, **LONG | {"num_frames": 81})
    Events(server, identifier).until_stage("decode")
    kill_worker(server)
    stages = [j["stage"] for _, j in Events(server, identifier)]
    assert job(server, identifier)["status"] == "completed", job(server, identifier)
    again = stages[next(i for i, s in enumerate(stages) if s != "decode"):]
    assert "denoise" not in again, again
    assert "diffuse" not in job(server, identifier)["stage_durations"]


def test_a_finished_job_outlives_every_kill(restart):
    server = restart()
    identifier = made(server, **SHORT)
    before = finished(server, identifier)
    clip = server.get(f"/v1/videos/{identifier}/content").body
    for kill in (kill_gateway, kill_both):
        kill(server)
        server = restart()
        assert job(server, identifier) == before and server.get(f"/v1/videos/{identifier}/content").body == clip
    assert_tidy(server)


def test_a_deleted_job_stays_deleted(restart):
    server = restart()
    identifier = made(server, **LONG)
    Events(server, identifier).until_stage("denoise")
    assert server.request("DELETE", f"/v1/videos/{identifier}").status == 200
    kill_both(server)
    server = restart()
    assert server.get("/v1/videos").json["data"] == [] and not files(server)


def test_the_picture_to_begin_with_survives(start, tmp_path):
    server = start(models=[PICTURE_TO_VIDEO], data=tmp_path / "data")
    identifier = made(server, files=[("input_reference", "a.png", png(64, 32))], **LONG)
    Events(server, identifier).until_stage("denoise")
    kill_both(server)
    server = start(models=[PICTURE_TO_VIDEO], data=tmp_path / "data")
    assert finished(server, identifier)["status"] == "completed"
    assert_tidy(server)


def test_a_blocking_request_is_not_kept_over_a_kill(restart):
    server = restart()
    thread = threading.Thread(target=lambda: pytest.raises(Exception, create, server, path="/v1/videos/sync", **LONG), daemon=True)
    thread.start()
    wait_until(lambda: files(server), "the clip to be begun")
    kill_both(server)
    thread.join(30)
    server = restart()
    assert server.get("/v1/videos").json["data"] == [] and not files(server)


def test_a_job_whose_model_is_gone_says_so(restart, start, tmp_path):
    server = restart()
    identifier = made(server, **LONG)
    kill_both(server)
    server = start(models=[PICTURE_TO_VIDEO], data=tmp_path / "data")
    failed = finished(server, identifier)
    assert failed["error"]["code"] == 404 and "t2v" in failed["error"]["message"]


def test_sigterm_puts_running_jobs_back(restart):
    server = restart()
    identifier = made(server, **LONG | {"num_inference_steps": 200})
    Events(server, identifier).until_stage("denoise")
    assert server.stop() == 0
    server = restart()
    assert finished(server, identifier)["status"] == "completed"
    assert_tidy(server)


def random_kills(restart, jobs, kills, seed):
    """Jobs are submitted while the gateway is killed at random; clients whose connection broke ask again with their key."""
    dice = random.Random(seed)
    server = restart()
    ids, left = {}, kills
    for number in range(jobs):
        while number not in ids:
            try:
                reply = create(server, f"video {number}", headers={"Idempotency-Key": f"key-{number}"}, **SHORT)
                assert reply.status == 200, reply
                ids[number] = reply.json["id"]
            except OSError:
                pass
            if left and dice.random() < kills / jobs * 1.3:
                left -= 1
                dice.choice([kill_gateway, kill_both])(server)
                server = restart()
    for _ in range(left):
        wait_until(lambda: any(j["status"] == "in_progress" for j in server.get("/v1/videos").json["data"]) or all(
            j["status"] in ("completed", "failed") for j in server.get("/v1/videos").json["data"]), "a job to run")
        dice.choice([kill_gateway, kill_both])(server)
        server = restart()
    assert len(set(ids.values())) == jobs
    for identifier in ids.values():
        over = finished(server, identifier)
        assert over["status"] == "completed" or over["error"]["message"], over
        assert over["status"] != "completed" or is_clip(server, identifier)
    assert sorted(j["id"] for j in server.get("/v1/videos").json["data"]) == sorted(ids.values()), "none lost, none twice"
    assert_tidy(server)
    return [job(server, i)["status"] for i in ids.values()]


def test_no_job_of_a_hundred_is_lost_in_twenty_kills(restart):
    assert set(random_kills(restart, jobs=100, kills=20, seed=2)) == {"completed"}
