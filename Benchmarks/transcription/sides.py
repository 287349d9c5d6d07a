"""The three that hear: our server, faster-whisper and whisper.cpp's own command, each with two threads and greedy decoding."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = pathlib.Path(os.environ.get("OMNI_HOME") or pathlib.Path(os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share") / "omni")
CACHE = pathlib.Path(os.environ.get("OMNI_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "swift-omni")
MODEL = HOME / "models/whisper-base/ggml-whisper-base.bin"
THREADS = 2


class Server:
    """`omni serve` with the starter voice and Whisper base."""
    name = "swift-omni"

    def __init__(self, folder, *others):
        """`others` are starters beside these two."""
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        program = os.environ.get("OMNI_BIN", str(ROOT / ".build/release/omni"))
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            [program, "serve", str(HOME / "models/whisper-base"), str(HOME / "models/joe"), *(str(HOME / "models" / name) for name in others), "--port", str(self.port), "--data-dir", str(folder / "data"),
             "--threads", str(THREADS)], stdout=self.log, stderr=self.log)

    def __enter__(self):
        for _ in range(600):
            try:
                if self.request("GET", "/health/ready")[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit("the server did not start; its log is in the output folder")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1800)
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()

    def speak(self, text, rate):
        status, sound = self.request("POST", "/v1/audio/speech", json.dumps({"input": text, "sample_rate": rate}), {"Content-Type": "application/json"})
        assert status == 200, sound
        return sound

    def form(self, path, **fields):
        edge = uuid.uuid4().hex
        parts = [f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
        parts.append(f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'.encode() + path.read_bytes() + b"\r\n")
        return b"".join(parts) + f"--{edge}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={edge}"}

    def measure(self, path):
        body, headers = self.form(path, language="en", stream="true")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1800)
        began = time.monotonic()
        connection.request("POST", "/v1/audio/transcriptions", body, headers)
        reply, first, text = connection.getresponse(), None, ""
        while line := reply.readline():
            if first is None and b"transcript.text.delta" in line:
                first = time.monotonic() - began
            if b"transcript.text.done" in line:
                text = json.loads(line[6:])["text"]
        return text, time.monotonic() - began, first, self.peak()

    def peak(self):
        """The most memory that the worker has held."""
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if b"worker\0" in (line := (entry / "cmdline").read_bytes()) and b"whisper-base" in line and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", (entry / "status").read_text())[1])
                except (OSError, ValueError, TypeError):
                    pass
        return 0


class WhisperCPP:
    """Its own command, from the same source without our changes, with the same ggml."""
    name = "whisper.cpp's command"

    def __init__(self):
        self.program = subprocess.run(["bash", str(ROOT / "scripts/whisper.sh"), "--cli"], check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]

    def measure(self, path):
        out = pathlib.Path("/tmp/omni-transcription-cli")
        out.mkdir(exist_ok=True)
        began = time.monotonic()
        command = [self.program, "-m", str(MODEL), "-t", str(THREADS), "-l", "en", "-bs", "1", "-bo", "5", "-sns", "-np", "-otxt", "-of", str(out / "text"), "-f", str(path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"GOMP_SPINCOUNT": "300"})
        _, _, usage = os.wait4(process.pid, 0)
        return (out / "text.txt").read_text(), time.monotonic() - began, None, usage.ru_maxrss * 1024


class FasterWhisper:
    """CTranslate2 with the same weights, in a process of its own; its VAD cuts, as ours does."""
    name = "faster-whisper"

    def __init__(self):
        self.python = os.environ.get("TRANSCRIPTION_PYTHON", sys.executable)
        self.model = CACHE / "bench/whisper-base-ct2"
        if not (self.model / "model.bin").exists():
            raise SystemExit(f"{self.model} is not there; Benchmarks/transcription/README.md says how it is made")

    def measure(self, path):
        program = str(pathlib.Path(__file__).with_name("peer.py"))
        reply = subprocess.run([self.python, program, str(self.model), str(THREADS), str(path)], check=True, capture_output=True, text=True)
        told = json.loads(reply.stdout.strip().splitlines()[-1])
        return told["text"], told["seconds"], told["first"], told["memory"]
