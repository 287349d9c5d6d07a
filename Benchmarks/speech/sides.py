"""Both sides of the comparison: our server over HTTP, and piper-tts in a process of its own."""
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import servers

PEER = "piper-tts==1.8.0"


class Sound:
    """One text as it came: when it was asked for, and the moments and sizes (in samples) of its pieces."""

    def __init__(self, begun, pieces, rate):
        if not pieces or not sum(size for _, size in pieces):
            raise RuntimeError("no sound came")
        self.begun, self.pieces, self.rate = begun, pieces, rate

    @property
    def first(self):
        """Seconds to the first piece."""
        return self.pieces[0][0] - self.begun

    @property
    def ended(self):
        return self.pieces[-1][0]

    @property
    def seconds(self):
        """Length of the sound."""
        return sum(size for _, size in self.pieces) / self.rate

    @property
    def stalled(self):
        """Seconds of silence that a listener would hear who plays from the first piece on, as it comes."""
        runs_dry, silence = self.pieces[0][0], 0.0
        for moment, size in self.pieces:
            late = max(moment - runs_dry, 0)
            silence += late
            runs_dry += late + size / self.rate
        return silence


class Ours:
    """`omni serve` with the voice, asked over HTTP with a connection per text."""

    name = "ours"

    def __init__(self, omni, folder, threads, flags):
        home = tempfile.mkdtemp(prefix="ob")
        self.server = servers.Server(
            "ours", [omni, "serve", folder, "--port", "{port}", "--threads", str(threads), *flags.split()], {"OMNI_HOME": home}, home)

    def start(self):
        self.server.start()
        self.server.wait_healthy()
        deadline = time.monotonic() + 120
        while self.request("GET", "/health/ready").status != 200:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the voice was not ready after 120 s:\n{self.server.output()}")
            time.sleep(0.05)
        model = json.loads(self.request("GET", "/v1/models").body)["data"][0]["id"]
        self.body = {"model": model, "response_format": "pcm"}

    class Reply:
        def __init__(self, status, body):
            self.status, self.body = status, body

    def request(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request(method, path)
        reply = connection.getresponse()
        return self.Reply(reply.status, reply.read())

    def speak(self, texts, rate, streamed=True):
        """All texts at once."""
        results, faults = [None] * len(texts), []

        def ask(place):
            try:
                results[place] = self.ask(texts[place], rate, streamed)
            except Exception as fault:  # told below, by the thread that waits
                faults.append(fault)

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(texts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]
        return results

    def ask(self, text, rate, streamed):
        data = json.dumps(self.body | {"input": text} | ({"stream_format": "audio"} if streamed else {}))
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=300)
        connection.request("POST", "/v1/audio/speech", data, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        pieces, odd = [], 0
        while chunk := reply.read1(65536):
            odd += len(chunk)
            pieces.append((time.perf_counter(), odd // 2))
            odd %= 2
        connection.close()
        if reply.status != 200:
            raise RuntimeError(f"status {reply.status} from the server")
        return Sound(begun, pieces, rate)

    def cpu_seconds(self):
        return self.server.cpu_seconds()

    def stop(self):
        self.server.stop()


class Peer:
    """piper-tts in-process: no network, no encoding, nothing but the synthesis."""

    name = "peer"

    def __init__(self, python, model):
        self.command = [python, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer.py"), model]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        facts = self.answer()
        self.rate, self.runtime = facts["rate"], facts["runtime"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"piper-tts ended with {self.process.wait()}")
        return json.loads(line)

    def speak(self, texts, rate, streamed=True):
        self.process.stdin.write(json.dumps({"texts": texts}) + "\n")
        self.process.stdin.flush()
        return [Sound(result["begun"], result["pieces"], rate) for result in self.answer()]

    def cpu_seconds(self):
        return sum(servers.cpu_seconds(pid) for pid in servers.family(self.process.pid)) if self.process else 0

    def stop(self):
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def peer_python(runtime=None):
    """The Python of an environment with piper-tts, made when it is missing; with ONNX Runtime of that version, else the one that pip chooses."""
    wanted = [PEER] + ([f"onnxruntime=={runtime}"] if runtime else [])
    cache = os.environ.get("OMNI_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "swift-omni")
    folder = os.path.join(cache, "venv-piper" + (f"-{runtime}" if runtime else ""))
    python, stamp = os.path.join(folder, "bin/python"), os.path.join(folder, ".stamp")
    if not os.path.exists(stamp) or open(stamp).read() != " ".join(wanted):
        print(f"Setting up {' '.join(wanted)} in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted], check=True)
        with open(stamp, "w") as file:
            file.write(" ".join(wanted))
    return python
