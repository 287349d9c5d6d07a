"""A streaming client that costs little: raw sockets in one thread, a timestamp per read, no JSON on the way."""
import json
import re
import selectors
import socket
import time

# A piece of text in either server's chunks; the opening chunk's content is empty or null.
TEXT = re.compile(rb'"content":"(?!")')
LIMIT = 300


class Stream:
    """One chat completion under way."""

    def __init__(self, port, body):
        data = json.dumps(body).encode()
        self.request = (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(data)) + data
        self.port = port
        self.received = b""
        self.times = []
        self.counts = []

    def open(self):
        self.sent = time.perf_counter()
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(self.request)
        self.socket.setblocking(False)

    def read(self):
        """False when the reply has ended."""
        data = self.socket.recv(65536)
        now = time.perf_counter()
        self.received += data
        texts = len(TEXT.findall(data))
        if texts:
            self.times.append(now)
            self.counts.append(texts)
        return bool(data) and not data.endswith(b"0\r\n\r\n")

    def close(self):
        self.socket.close()
        whole = b" 200 OK" in self.received[:64] and self.body.endswith(b"data: [DONE]\n\n") and b'"usage":{' in self.body
        if not whole or not self.times:
            text = self.received.decode(errors="replace")
            raise RuntimeError(f"no complete stream: {text[:600]} … {text[-600:]}")

    @property
    def body(self):
        """The events, without the marks of the chunks that they came in: an event may be cut in two."""
        rest, parts = self.received.partition(b"\r\n\r\n")[2], []
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            parts.append(rest[:int(size, 16)])
            rest = rest[int(size, 16) + 2:]
        return b"".join(parts)

    @property
    def usage(self):
        body = self.body
        return json.JSONDecoder().raw_decode(body[body.rindex(b'"usage":{') + 8:].decode())[0]

    @property
    def tokens(self):
        return self.usage["completion_tokens"]

    @property
    def text(self):
        return "".join(json.loads(b'"' + piece + b'"') for piece in re.findall(rb'"content":"((?:[^"\\]|\\.)*)"', self.body))

    @property
    def first(self):
        """Seconds to the first token."""
        return self.times[0] - self.sent

    @property
    def rate(self):
        """Tokens per second after the first."""
        return (self.tokens - self.counts[0]) / (self.times[-1] - self.times[0])

    def gaps(self, begin, end):
        """Seconds between reads that brought text, of those reads that fell between two moments."""
        return [after - before for before, after in zip(self.times, self.times[1:]) if after >= begin and before <= end]


def run(streams, late=()):
    """Runs streams at once; `late` holds (seconds, stream) of those that come later. Returns the moment of the end."""
    selector = selectors.DefaultSelector()
    begun = time.perf_counter()

    def begin(stream):
        stream.open()
        selector.register(stream.socket, selectors.EVENT_READ, stream)

    for stream in streams:
        begin(stream)
    late = sorted(late, key=lambda entry: entry[0])
    while selector.get_map() or late:
        pause = max(late[0][0] - (time.perf_counter() - begun), 0) if late else 10
        if late and pause == 0:
            begin(late.pop(0)[1])
            continue
        for key, _ in selector.select(pause):
            if not key.data.read():
                selector.unregister(key.fileobj)
                key.data.close()
        if time.perf_counter() - begun > LIMIT:
            raise RuntimeError(f"streams were not done after {LIMIT} s")
    return max(stream.times[-1] for stream in streams)
