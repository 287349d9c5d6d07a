"""Models that share little room: who is idle makes room for who is asked, and who serves never does."""
import json
import threading

import pytest
from harness import ENDLESS, Stream, chat_body, is_alive, wait_until

SHORT = {"max_tokens": 4, "temperature": 0}


def answers(server, model, **fields):
    reply = server.chat("Say hi.", model=model, **SHORT, **fields)
    assert reply.status == 200, reply
    return reply.json["choices"][0]["message"]["content"]


def test_an_idle_model_makes_room(start, twins):
    server = start("--models-max", 1, models=twins)
    assert server.model_states() == {"ann": "ready", "ben": "asleep"} and server.health().status == 200
    said = answers(server, "ann")
    assert answers(server, "ben") == said
    assert server.model_states() == {"ann": "asleep", "ben": "ready"}
    assert answers(server, "ann") == said and list(server.workers()) == ["ann"]


def test_a_model_that_serves_is_waited_for(start, twins):
    server = start("--models-max", 1, models=twins)
    running = Stream(server, chat_body("Tell me a long story.", model="ann", stream=True, **ENDLESS))
    running.tokens(2)
    worker = server.workers()["ann"]
    found = []
    asking = threading.Thread(target=lambda: found.append(answers(server, "ben")))
    asking.start()
    running.tokens(40)
    assert not found and is_alive(worker) and server.model_states() == {"ann": "ready", "ben": "asleep"}
    running.close()
    asking.join()
    assert found and not is_alive(worker)


def test_memory_is_a_limit_too(start, twins):
    # One of them takes about 100 MB of weights and its cache.
    server = start("--models-memory", 1_500_000_000, models=twins)
    both = server.post("/v1/omni/load", {"model": "ann"}).json
    assert both["state"] == "ready" and both["memory_bytes"] > 50_000_000
    small = start("--models-memory", both["memory_bytes"] + 1000, models=twins)
    assert answers(small, "ben") and small.model_states() == {"ann": "asleep", "ben": "ready"}
    tiny = start("--models-memory", 1000, models=twins, ready=False)
    tiny.wait_listening()
    reply = tiny.chat("Say hi.", model="ann", **SHORT)
    assert reply.status == 507 and "--models-memory" in reply.json["error"]["message"]


def test_a_pinned_model_stays(start, twins, tmp_path):
    config = tmp_path / "pinned.yaml"
    config.write_text(json.dumps({"models": [{"id": "ann", "path": str(twins[0])}, {"id": "ben", "path": str(twins[1]), "pin": True}], "models-max": 1}))
    server = start("--config", config, models=[])
    assert server.model_states() == {"ann": "asleep", "ben": "ready"}
    reply = server.chat("Say hi.", model="ann", **SHORT)
    assert reply.status == 507 and "pinned" in reply.json["error"]["message"]
    answers(server, "ben", keep_alive=0)
    assert server.model_states()["ben"] == "ready"


def test_load_with_progress_and_unload(start, twins):
    server = start("--models-max", 1, models=twins)
    events = Stream(server, {"model": "ben", "stream": True}, path="/v1/omni/load").rest()
    assert events[-1] == "[DONE]" and events[-2]["state"] == "ready" and events[-2]["memory_bytes"] > 0
    assert [each["state"] for each in events[:-2]] and all(each["model"] == "ben" and each["state"] in ["asleep", "loading"] for each in events[:-2])
    assert server.post("/v1/omni/load", {"model": "ben"}).json["state"] == "ready"
    worker = server.workers()["ben"]
    assert server.post("/v1/omni/unload", {"model": "ben"}).json == {"model": "ben", "state": "asleep"}
    wait_until(lambda: not is_alive(worker), "the worker to end")
    assert server.post("/v1/omni/unload", {"model": "nobody"}).status == 404


@pytest.mark.parametrize("path, body", [("/v1/chat/completions", chat_body("Say hi.", **SHORT)), ("/v1/completions", {"prompt": "Hi", **SHORT})])
def test_kept_for_no_time_a_model_leaves_after_its_answer(start, path, body):
    server = start()
    worker = next(iter(server.workers().values()))
    reply = server.post(path, body | {"keep_alive": "0s"})
    assert reply.status == 200 and "x-ignored-params" not in reply.headers
    wait_until(lambda: not is_alive(worker), "the worker to end")
    assert server.post(path, body | {"keep_alive": "soon"}).status == 400
