"""Starts, watches and ends the two servers; tells how much of the machine others used meanwhile."""
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """One side of the comparison: its command line, and its processes while it runs."""

    def __init__(self, name, command, environment=None, scratch=None):
        self.name = name
        self.command = command
        self.environment = environment or {}
        self.scratch = scratch
        self.process = None
        self.port = None

    def start(self):
        """Starts the process and returns the moment of exec."""
        self.port = free_port()
        environment = dict(os.environ, **self.environment)
        self.log = tempfile.TemporaryFile()
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [word.replace("{port}", str(self.port)) for word in self.command], env=environment, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, start_new_session=True)
        return started

    def wait_healthy(self, limit=120):
        """Returns the moment at which /health was 200 for the first time."""
        deadline = time.perf_counter() + limit
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.output()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return time.perf_counter()
            time.sleep(0.002)
        raise RuntimeError(f"{self.name} was not healthy after {limit} s:\n{self.output()}")

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-2000:]

    def stop(self):
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def cpu_seconds(self):
        """CPU time of the process and its children so far."""
        return sum(cpu_seconds(pid) for pid in family(self.process.pid)) if self.process else 0


def cpu_seconds(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    return 0


def family(pid):
    members = [pid]
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                for child in file.read().split():
                    members += family(int(child))
    return members


def machine_busy_seconds():
    """CPU time that the machine spent so far on anything, other guests of its host included."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, irq, soft, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) / TICK


def resident_bytes(pids):
    """Memory that processes hold, pages of mapped files among them; a page that several share counts for each."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) << 10 for line in file if line.startswith("Rss:"))
    return total


@contextlib.contextmanager
def busy_programs(count):
    """So many programs that do nothing but compute, each on one thread."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


class Watch:
    """How much of the machine was used by neither the servers nor this client, from 0 to 1."""

    def __init__(self, servers):
        self.servers = servers
        self.before = self.now()

    def now(self):
        own = sum(os.times()[:4]) + sum(server.cpu_seconds() for server in self.servers)
        return time.perf_counter(), machine_busy_seconds(), own

    def foreign(self):
        moment, busy, own = (after - before for after, before in zip(self.now(), self.before))
        return max(busy - own, 0) / (moment * os.cpu_count())


def wait_for_quiet(servers, limit, patience):
    """Waits until others use less than `limit` of the machine, at most `patience` seconds. Returns the last share."""
    deadline = time.monotonic() + patience
    while True:
        watch = Watch(servers)
        time.sleep(0.3)
        share = watch.foreign()
        if share <= limit or time.monotonic() >= deadline:
            return share
        time.sleep(0.7)


def in_turns(sides, turn, scenario, options):
    """Runs a scenario on both sides; who goes first changes with the turn. Returns what it gave for each, and others' share."""
    wait_for_quiet(sides, options.foreign, options.patience)
    watch = Watch(sides)
    results = {}
    for side in sides if turn % 2 == 0 else sides[::-1]:
        # The threads of the one that was asked last still spin for a moment.
        time.sleep(0.3)
        results[side.name] = scenario(side)
    return results["ours"], results["peer"], watch.foreign()
