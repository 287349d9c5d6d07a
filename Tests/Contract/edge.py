"""Bare connections for tests of the network's edge."""
import json
import socket

from harness import LIMIT


def exchange(server, sent, half_close=False):
    """Sends bytes and reads until the server ends the connection: what came. Fails when it does not end it."""
    raw = server.connect()
    raw.settimeout(LIMIT)
    try:
        raw.sendall(sent)
        if half_close:
            raw.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was refused before it was whole; the answer is there all the same
    data = b""
    try:
        while piece := raw.recv(65536):
            data += piece
    except ConnectionResetError:
        assert data, "the answer was lost"
    raw.close()
    return data


def replies(data):
    """Every reply in bytes of a connection that has ended: version, status, headers, body."""
    found = []
    while data:
        head, mark, data = data.partition(b"\r\n\r\n")
        assert mark, head
        line, *fields = head.decode().split("\r\n")
        version, status = line.split(" ")[:2]
        headers = {}
        for field in fields:
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size, _, data = data.partition(b"\r\n")
                if not int(size, 16):
                    data = data[2:]
                    break
                body, data = body + data[:int(size, 16)], data[int(size, 16) + 2:]
        elif "content-length" in headers:
            length = int(headers["content-length"])
            body, data = data[:length], data[length:]
        else:
            body, data = data, b""
        found.append((version, int(status), headers, body))
    return found


def refusal(data):
    """The error of the one reply that a refused connection gets."""
    (_, status, headers, body), = replies(data)
    assert headers["connection"] == "close" and headers["content-type"] == "application/json" and headers["x-request-id"], headers
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["code"] == status, error
    return error


def post(path, body, *fields, version="1.1"):
    """The bytes of a request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", "Content-Type: application/json", f"Content-Length: {len(data)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data
