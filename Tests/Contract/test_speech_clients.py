"""Clients that leave while the starter voice speaks, and those that take nothing."""
import json
import socket

import pytest

from harness import LIMIT, wait_until
from speech import LONG, is_free, sentences_spoken, speak


@pytest.mark.parametrize("how", [{}, {"stream": True}, {"stream_format": "audio"}])
def test_a_client_that_goes_frees_the_voice(speaking, how):
    name = f"goes-{'-'.join(how) or 'whole'}"
    connection = speaking.connection()
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": LONG, "response_format": "pcm", **how}), {"Content-Type": "application/json", "X-Request-Id": name})
    wait_until(lambda: sentences_spoken(speaking, name) > 0, "the first sentence")
    connection.close()
    wait_until(lambda: any(f"request_id={name}" in line and "status=499" in line for line in speaking.log.splitlines()), "the server to see that it has gone")
    before = sentences_spoken(speaking, name)
    for _ in range(5):
        speak(speaking, "One. Two. Three.")
    assert sentences_spoken(speaking, name) - before <= 1, "at most the sentence that was being spoken"
    assert before < 400


def test_a_client_that_goes_from_a_batch(speaking):
    connection = speaking.connection()
    items = [{"input": LONG}] + [{"input": "Not reached."}] * 31
    connection.request("POST", "/v1/audio/speech/batch", json.dumps({"items": items}), {"Content-Type": "application/json", "X-Request-Id": "goes-batch"})
    wait_until(lambda: sentences_spoken(speaking, "goes-batch") > 0, "the first sentence")
    connection.close()
    wait_until(lambda: is_free(speaking), "the batch to be given up")
    assert sentences_spoken(speaking, "goes-batch") < 400 and "Not reached" not in speaking.log


def test_a_client_that_reads_nothing_does_not_hold_others_up(speaking):
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.settimeout(LIMIT)
    slow.connect(("127.0.0.1", speaking.port))
    body = json.dumps({"input": LONG, "response_format": "pcm", "stream_format": "audio", "sample_rate": 48_000}).encode()
    slow.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Request-Id: slow-one\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    wait_until(lambda: sentences_spoken(speaking, "slow-one") > 0, "the slow one's first sentence")
    for _ in range(3):
        speak(speaking, "Hi.")
    wait_until(lambda: is_free(speaking), "the voice to wait for the slow one")
    assert sentences_spoken(speaking, "slow-one") < 400, "no more is made than a reader may take soon"
    slow.close()
