"""A real `omni serve` for tests: started on a free port, waited for, asked, and ended.

Nothing here sleeps to synchronise: `wait_until` polls a condition under a generous limit, since test machines are slow and
share their cores. Servers run with `--threads 1` for the same reason: two threads that wait for each other on a busy core
cost seconds a token.
"""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
#: Connections that tests opened; whatever a test leaves open is closed after it, so that it cannot keep the server busy.
opened = []

#: No answer of a server may take longer; a test that waits this long has found a hang.
LIMIT = float(os.environ.get("OMNI_TEST_LIMIT", "180"))


def binary():
    named = os.environ.get("OMNI_BIN")
    candidates = [named] if named else [ROOT / ".build/debug/omni", ROOT / ".build/release/omni"]
    for path in candidates:
        if os.access(path, os.X_OK):
            return str(path)
    raise FileNotFoundError(f"no omni program at {' or '.join(map(str, candidates))}; run make build, or set OMNI_BIN")


def starter_model():
    """The GGUF file of the starter text model, which `omni setup` puts there."""
    data = os.environ.get("OMNI_HOME") or os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "omni")
    found = sorted(pathlib.Path(data, "models/smollm2-135m-instruct").glob("*.gguf"))
    if not found:
        raise FileNotFoundError(f"the starter text model is not in {data}; run make build")
    return found[0]


def wait_until(condition, what, limit=LIMIT, pause=0.02):
    """The condition's first true value. Fails naming what it waited for."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {limit:.0f} s for {what}"
        time.sleep(pause)


def is_alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def dead_port():
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The error envelope; fails when the reply has none."""
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}, error
        assert error["code"] == self.status, error
        assert error["message"], error
        return error

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:400]!r}"


class Server:
    """A running `omni serve`. `arguments` go to it as they are; the starter model is served unless `models` names others."""

    def __init__(self, folder, *arguments, models=None, environment=None, stderr=None, port=0, uds=None, data=None, ready=True, threads=1,
                 program=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / "log"
        self.data = pathlib.Path(data or self.folder / "data")
        self.uds, self.port = uds, port
        named = [str(starter_model())] if models is None else [str(m) for m in models]
        place = ["--uds", str(uds)] if uds else ["--port", str(port)]
        self.command = [str(program or binary()), "serve", *named, *place, "--data-dir", str(self.data), *(["--threads", str(threads)] if threads else []), *map(str, arguments)]
        settings = {k: v for k, v in os.environ.items() if not k.startswith(("VLLM_", "OMNI_HOME"))} | (environment or {})
        with open(self.log_path, "ab") if stderr is None else contextlib.nullcontext(stderr) as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=settings, cwd=self.folder, start_new_session=True)
        self.pid = self.process.pid
        try:
            if ready:
                self.wait_listening()
                self.wait_ready()
        except BaseException:
            self.stop()
            raise

    # MARK: - Life

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_listening(self):
        def listening():
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log}"
            if not self.uds and not self.port:
                match = re.search(r"address[=\":]+http:\\?/\\?/[^ \"]*?:(\d+)", self.log)
                if not match:
                    return False
                self.port = int(match[1])
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.get("/health/live").status == 200
        wait_until(listening, "the server to listen")

    def wait_ready(self):
        def ready():
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log}"
            reply = self.get("/health/ready")
            assert "failed" not in reply.json["models"].values(), reply
            return reply.status == 200
        wait_until(ready, "the server to be ready")

    def workers(self):
        """Process ids of the gateway's workers by model name."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                arguments = (entry / "cmdline").read_bytes().decode().split("\0")
                if int(stat[1]) == self.pid and stat[0] not in "ZX" and arguments[1] == "worker":
                    found[arguments[arguments.index("--served-model-name") + 1]] = int(entry.name)
        return found

    def stop(self, how=signal.SIGTERM):
        """Ends the server and its workers, whatever state they are in. The exit status."""
        left = list(self.workers().values()) if self.process.poll() is None else []
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(how)
            try:
                self.process.wait(45)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # MARK: - Requests

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.port}"

    def connect(self):
        """A bare connection, for tests that break the rules of HTTP."""
        if self.uds:
            raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            raw.settimeout(LIMIT)
            raw.connect(str(self.uds))
        else:
            raw = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
        opened.append(raw)
        return raw

    def connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port or 1, timeout=LIMIT)
        connection.sock = self.connect()
        return connection

    def request(self, method, path, body=None, headers=None):
        """One request over a connection of its own."""
        data, kind = (body, {}) if body is None or isinstance(body, bytes) else (json.dumps(body).encode(), {"Content-Type": "application/json"})
        connection = self.connection()
        try:
            connection.request(method, path, body=data, headers=kind | (headers or {}))
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        return self.request("POST", path, body, headers)

    def chat(self, text="Say hi.", **fields):
        """A chat request with one user message."""
        return self.post("/v1/chat/completions", chat_body(text, **fields))

    def stream(self, text="Tell me a very long story.", **fields):
        """Begins a streamed chat; see ``Stream``."""
        return Stream(self, chat_body(text, stream=True, **fields))

    # MARK: - Accounts of itself

    def health(self):
        return self.get("/health")

    def model_states(self):
        return self.get("/health").json["models"]

    def metric(self, name, **labels):
        """The sum of a metric's series that carry these labels; None when there is none."""
        total = None
        for line in self.get("/metrics").body.decode().splitlines():
            match = re.fullmatch(r"([^\s{]+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == name and all(f'{k}="{v}"' in (match[2] or "") for k, v in labels.items()):
                total = (total or 0) + float(match[3])
        return total

    def wait_idle(self):
        """Waits until nothing runs and nothing waits."""
        wait_until(
            lambda: self.metric("vllm:num_requests_running") == 0 and self.metric("vllm:num_requests_waiting") == 0,
            "every request to have ended")

    def wait_running(self, count):
        wait_until(lambda: (self.metric("vllm:num_requests_running") or 0) >= count, f"{count} running requests")


class Stream:
    """An event stream read at the test's pace."""

    def __init__(self, server, body, path="/v1/chat/completions"):
        self.connection = server.connection()
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        self.reply = self.connection.getresponse()
        self.status = self.reply.status

    def next(self):
        """The next event's data: a dictionary, or the text `[DONE]`; None at the end."""
        while True:
            line = self.reply.readline()
            if not line:
                return None
            if line.startswith(b"data: "):
                text = line[6:].strip().decode()
                return text if text == "[DONE]" else json.loads(text)

    def tokens(self, count):
        """Reads on until `count` pieces of text have come; the text."""
        text, pieces = "", 0
        while pieces < count:
            event = self.next()
            assert isinstance(event, dict) and "error" not in event, f"the stream ended early: {event}"
            piece = delta_text(event)
            pieces += bool(piece)
            text += piece
        return text

    def rest(self):
        """All events that are left."""
        return list(iter(self.next, None))

    def close(self):
        """Goes away as a client does that has lost interest."""
        self.reply.close()
        self.connection.close()


def chat_body(text="Say hi.", **fields):
    return {"messages": [{"role": "user", "content": text}], **fields}


def delta_text(event):
    """The text that a chunk adds."""
    choices = event.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


def text_of(events):
    """The answer that events carry."""
    return "".join(delta_text(e) for e in events if isinstance(e, dict))


#: Flags of the shared server that has keys.
KEYS = ("--api-key", "sekret", "andere")

#: Runs until it is stopped: the end token does not end it.
ENDLESS = {"max_tokens": 4000, "ignore_eos": True, "temperature": 0}
