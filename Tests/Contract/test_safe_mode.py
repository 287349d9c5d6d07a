"""Workers that die of their own code, and models that failed and come back."""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from harness import LIMIT, binary, starter_model, wait_until


def environment(pid):
    pairs = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


@pytest.mark.skipif(not pathlib.Path("/proc/self/environ").exists(), reason="processes are looked at through /proc")
def test_a_worker_that_dies_before_its_first_answer_runs_on_plain_kernels(start):
    server = start()
    (name, pid), = server.workers().items()
    assert "OMNI_CPU" not in environment(pid) and "safe_mode" not in server.health().json
    os.kill(pid, signal.SIGILL)
    wait_until(lambda: server.workers().get(name) not in (None, pid) and server.model_states()[name] == "ready", "the worker to be back")
    assert environment(server.workers()[name])["OMNI_CPU"] == "baseline"
    reason = server.health().json["safe_mode"][name]
    assert "SIGILL" in reason and server.get("/health/ready").json["safe_mode"] == {name: reason}
    assert server.get("/v1/models").json["data"][0]["safe_mode"] == reason
    assert "safe mode" in server.log
    assert server.chat(max_tokens=3).status == 200
    doctor = subprocess.run([binary(), "doctor", "--port", str(server.port)], capture_output=True, text=True, timeout=LIMIT)
    assert "safe mode" in doctor.stdout and "SIGILL" in doctor.stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGILL])
def test_a_worker_that_has_answered_or_was_killed_starts_as_before(start, number):
    server = start()
    (name, pid), = server.workers().items()
    if number == signal.SIGILL:
        assert server.chat(max_tokens=1).status == 200
    os.kill(pid, number)
    wait_until(lambda: server.workers().get(name) not in (None, pid) and server.model_states()[name] == "ready", "the worker to be back")
    assert "safe_mode" not in server.health().json and "safe_mode" not in server.get("/v1/models").json["data"][0]
    assert "OMNI_CPU" not in environment(server.workers()[name])


def test_a_model_that_failed_is_woken_once_its_fault_is_mended(start, tmp_path, twins):
    broken = tmp_path / "broken.gguf"
    shutil.copy(starter_model(), broken)
    server = start(models=[broken, twins[0]])
    assert server.post("/v1/omni/sleep", {"stage_ids": [0]}).status == 200
    wait_until(lambda: "broken" not in server.workers(), "its worker to be gone")
    os.truncate(broken, 40_000_000)
    again = server.post("/v1/omni/wakeup", {"stage_ids": [0]})
    assert again.status == 503 and "cannot be served" in again.error["message"]
    wait_until(lambda: server.model_states()["broken"] == "failed", "the cut model to be found out")
    shutil.copy(starter_model(), broken)
    woken = server.post("/v1/omni/wakeup", {"stage_ids": [0]})
    assert woken.status == 200 and woken.json["acks"][0]["status"] == "SUCCESS"
    assert server.chat(model="broken", max_tokens=2).status == 200
    assert "faults" not in server.health().json
