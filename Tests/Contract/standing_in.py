"""A server that answers chats as a test wants it: in place of a vLLM, of a busy one, of one that dies."""
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import LIMIT

ANSWER = {"id": "chatcmpl-x", "object": "chat.completion", "created": 1, "model": "far", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "far"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}


class StandIn:
    """A backend whose chat answers are the test's; `held` requests wait until `release`."""

    def __init__(self, behave="answer"):
        self.seen, self.release, self.gone = [], threading.Event(), threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, data, kind="application/json"):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self.reply(200, b'{"status":"healthy"}')

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((self.path, dict(self.headers), json.loads(body)))
                if behave == "hold":
                    outer.release.wait(LIMIT)
                if behave == "busy":
                    self.send_response(503)
                    self.send_header("Retry-After", "7")
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")
                elif behave in ("die in stream", "stall"):
                    self.send_response(200)
                    self.send_header("Content-Type", "text/event-stream")
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    event = b'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                    self.wfile.flush()
                    if behave == "stall":
                        try:
                            while self.connection.recv(1):
                                pass
                        except OSError:
                            pass
                        outer.gone.set()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                elif behave == "die":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                else:
                    self.reply(200, json.dumps(ANSWER).encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def stand_in():
    made = []

    def make(behave="answer"):
        made.append(StandIn(behave))
        return made[-1]

    yield make
    for one in made:
        one.close()
