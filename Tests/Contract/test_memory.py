"""What a server takes of the machine: memory as it is used, threads and cores as they are left."""
import contextlib
import os
import pathlib
import signal

import pytest

from harness import ENDLESS, LIMIT, wait_until

LONG = "The sea is deep and blue. " * 250


def resident(pid):
    """Bytes in memory: all, and those of no file."""
    fields = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size = line.split(":")
        fields[name] = int(size.split()[0]) << 10
    return fields["Rss"], fields["Anonymous"]


def series(server, name, **labels):
    """The values of a metric's series that have these labels."""
    lines = [line for line in server.get("/metrics").body.decode().splitlines() if line.startswith((name + "{", name + " "))]
    return [float(line.rpartition(" ")[2]) for line in lines if all(f'{key}="{value}"' in line for key, value in labels.items())]


def test_caches_take_memory_as_they_fill_and_give_it_back(start):
    """Eight caches of full length are reserved; a long prompt fills a part of one, and goes back after a while."""
    server = start("--max-model-len", 8192, "--max-num-seqs", 5, "--prefix-cache-ttl", 2)
    (name, pid), = server.workers().items()
    _, at_rest = resident(pid)
    told = server.get("/v1/capabilities").json["data"][0]["memory"]
    assert told["kv_cache_bytes"] >= 5 * 8192 * 23_040 and at_rest < told["kv_cache_bytes"] / 4
    assert told["weights_bytes"] > 90_000_000 and told["compute_bytes"] > 0
    reply = server.chat(LONG, max_tokens=1)
    assert reply.status == 200 and reply.json["usage"]["prompt_tokens"] > 1500
    _, filled = resident(pid)
    assert filled - at_rest > 30_000_000
    wait_until(lambda: resident(pid)[1] < filled - 30_000_000, "the cache to give back what the prompt took")
    wait_until(lambda: series(server, "vllm:kv_cache_usage_perc") == [0], "the metric to tell so")


def test_memory_in_metrics(server):
    (name, pid), = server.workers().items()
    model = {"model_name": name}
    told = series(server, "process_resident_memory_bytes", **model)
    assert len(told) == 1 and abs(told[0] - resident(pid)[0]) < 64 << 20
    assert len(series(server, "process_resident_memory_bytes")) == 2  # the gateway's own
    for kind in ["weights", "kv_cache", "compute"]:
        assert series(server, "omni:memory_reserved_bytes", kind=kind, **model)[0] > 0
    assert series(server, "omni:memory_limit_bytes")[0] >= series(server, "omni:memory_available_bytes")[0] > 0
    assert series(server, "vllm:cache_config_info", block_size="1", **model) == [1]


def environment(pid):
    return dict(entry.split("=", 1) for entry in pathlib.Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in entry)


@pytest.mark.parametrize("own, expected", [({}, True), ({"GOMP_SPINCOUNT": "77"}, False), ({"OMP_WAIT_POLICY": "passive"}, False)])
def test_workers_threads_wait_briefly_unless_the_user_chose(start, own, expected):
    server = start(environment=own)
    (pid,) = server.workers().values()
    found = {name: value for name, value in environment(pid).items() if name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    assert (found != own) == expected and found.items() >= own.items()


def test_threads_from_the_environment(start, tmp_path):
    """Given on the command line, they go before it."""
    server = start(environment={"OMNI_THREADS": "7"})
    (pid,) = server.workers().values()
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    assert words[words.index("--threads") + 1] == "1"
    wrong = start(environment={"OMNI_THREADS": "many"}, threads=None, ready=False, data=tmp_path / "wrong")
    assert wrong.process.wait(LIMIT) > 0 and "OMNI_THREADS" in wrong.log and "many" in wrong.log


def files(pid):
    """The files that a process has open."""
    found = []
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(pathlib.Path(os.readlink(link)))
    return found


def test_two_servers_take_turns_and_one_that_is_stopped_does_not_stop_the_other(start, tmp_path):
    """With a thread for each core both compute on the same cores. The one that is stopped may hold their lane."""
    cores = len(os.sched_getaffinity(0))
    first, second = start(threads=cores), start(threads=cores, data=tmp_path / "second")
    lanes = {path for server in (first, second) for pid in server.workers().values() for path in files(pid) if path.name == "cpu.lane"}
    assert len(lanes) == 1 and first.data not in lanes.pop().parents
    stream = first.stream(**ENDLESS)
    stream.tokens(3)
    (pid,) = first.workers().values()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert second.chat(max_tokens=8).status == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    stream.close()
    assert first.chat(max_tokens=2).status == 200
