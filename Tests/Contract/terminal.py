"""The terminal client's surroundings: its environment, a terminal of its own, and a server that breaks off."""
import codecs
import http.server
import json
import os
import pty
import re
import select
import signal
import threading
import time

import pytest

from harness import LIMIT, binary


def settings(server, **more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMNI_", "VLLM_", "TERM", "COLORTERM", "TMUX", "KITTY"))}
    return kept | {"OMNI_BASE_URL": server.base_url if server else "", "TERM": "xterm-256color"} | more


@pytest.fixture
def broken():
    """The address of a server that breaks off: its answers stop after a word, and of its videos nothing more is heard."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def reply(self, body, kind="application/json", length=None):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length or len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_GET(self):
            if self.path == "/v1/models":
                self.reply(json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]}))

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/videos":
                return self.reply(json.dumps({"id": "video_gen_1", "object": "video", "model": "m", "status": "queued", "progress": 0, "created_at": 1}))
            self.reply("data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": "Half"}}]}) + "\n\n", "text/event-stream", length=9999)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Window:
    """A client in a terminal of its own."""

    def __init__(self, server, folder, *arguments, columns=80, rows=24, **environment):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            import fcntl
            import struct
            import termios

            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(binary(), ["omni", *map(str, arguments)], settings(server, OMNI_HOME=str(folder), COLORTERM="truecolor", **environment))
        self.shown = ""
        # A read may end within a character.
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def read(self):
        if select.select([self.terminal], [], [], 0.05)[0]:
            try:
                self.shown += self.decoder.decode(os.read(self.terminal, 1 << 16))
            except OSError:
                return False
        return True

    def wait_for(self, pattern):
        """Reads until something is shown; what was shown up to there is forgotten."""
        end = time.monotonic() + LIMIT
        while not (match := re.search(pattern, self.shown)):
            alive = self.read()
            assert alive or re.search(pattern, self.shown), f"ended before {pattern!r}: {self.shown!r}"
            assert time.monotonic() < end, f"waited for {pattern!r}: {self.shown!r}"
        text, self.shown = self.shown[: match.end()], self.shown[match.end():]
        return text

    def type(self, text):
        os.write(self.terminal, text.encode())

    def end(self):
        end = time.monotonic() + LIMIT
        while self.read():
            assert time.monotonic() < end, f"waited for the client to end: {self.shown!r}"
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.terminal)
        return status


@pytest.fixture
def window(everything, tmp_path):
    windows = []

    def open_window(*arguments, **size):
        windows.append(Window(everything, tmp_path, *arguments, **size))
        return windows[-1]

    yield open_window
    for one in windows:
        try:
            os.kill(one.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


PROMPT = r"› \r\x1b\[2C"
