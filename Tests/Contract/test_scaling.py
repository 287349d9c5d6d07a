"""One gateway before several servers: two of ours, and a stand-in for one that is not."""
import signal

from harness import ENDLESS, dead_port, delta_text, wait_until
from videos import LONG, SHORT, TEXT_TO_VIDEO, Events, assert_tidy, finished, is_clip, job, made


def load(server):
    return server.get("/load").json["server_load"]


def until_over(stream, most=200):
    """Its next events, as far as it goes on."""
    events = []
    while len(events) < most and (event := stream.next()) not in (None, "[DONE]"):
        events.append(event)
    return events


def test_load_death_return_and_leaving(start, stand_in):
    port = dead_port()
    far = ["--served-model-name", "far"]
    first, second, stranger = start(*far, port=port), start(*far), stand_in("stall")
    front = start("--backend", f"far={first.base_url},{second.base_url},{stranger.url}", models=[])
    streams = [front.stream(model="far", **ENDLESS) for _ in range(6)]
    wait_until(lambda: [load(first), load(second), len(stranger.seen)] == [2, 2, 2], "two requests for each server")
    assert load(front) == 6 and front.model_states() == {"far": "ready"}

    ours = [stream for stream in streams if delta_text(stream.next()) != "half"]
    assert len(ours) == 4, "the stand-in has a word of its own"
    first.stop(signal.SIGKILL)
    wait_until(lambda: load(front) == 4, "the dead server's requests to end")
    ends = sorted(((events[-1].get("error") or {"code": 0})["code"] for events in map(until_over, ours)))
    assert ends == [0, 0, 500, 500], "two are told that their server died, and two go on"
    assert load(second) == 2 and front.model_states() == {"far": "ready"}

    for stream in streams:
        stream.close()
    wait_until(lambda: load(second) == 0 and load(front) == 0 and stranger.gone.is_set(), "those who left to be forgotten everywhere")
    second.wait_idle()
    held = [front.stream(model="far", **ENDLESS) for _ in range(2)]
    wait_until(lambda: load(second) == 1 and len(stranger.seen) == 3, "the next requests to go past the dead server")
    first = start(*far, port=port)
    wait_until(lambda: front.chat(model="far", max_tokens=1).status == 200 and first.metric("vllm:request_success_total"), "it to be found again")
    for stream in held:
        stream.close()


def test_models_of_all_servers_are_one_list(start, stand_in):
    there = start("--served-model-name", "near")
    front = start("--backend", f"near={there.base_url}", "--backend", f"other={stand_in().url}")
    listed = [model["id"] for model in front.get("/v1/models").json["data"]]
    assert len(listed) == 3 and {"near", "other"} < set(listed)
    for name in listed:
        assert front.chat(model=name, max_tokens=2).status == 200, name


def test_a_video_job_follows_its_server(start, tmp_path):
    """It is made on one of two; that one is killed and comes back, and the job is done there, once."""
    ports = [dead_port(), dead_port()]
    peers = [start(models=[TEXT_TO_VIDEO], port=port, data=tmp_path / str(port)) for port in ports]
    front = start("--backend", "t2v=" + ",".join(peer.base_url for peer in peers), models=[])
    identifier = made(front, model="t2v", **LONG)
    Events(front, identifier).until_stage("denoise")
    (place,) = [place for place, peer in enumerate(peers) if peer.get("/v1/videos").json["data"]]
    peers[place].stop(signal.SIGKILL)
    other = made(front, model="t2v", **SHORT)
    assert finished(front, other)["status"] == "completed", "the other server takes the next one"
    assert job(front, identifier)["status"] in ("queued", "in_progress"), "the job waits for its server"
    back = start(models=[TEXT_TO_VIDEO], port=ports[place], data=tmp_path / str(ports[place]))
    done = finished(front, identifier)
    assert done["status"] == "completed" and is_clip(front, identifier), done
    assert back.get("/v1/videos").json["data"] == [], "what was fetched is not kept there, and it was made once"
    assert_tidy(front)
