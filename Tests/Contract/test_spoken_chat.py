"""Answers of chat models elsewhere, spoken: the stand-ins end their streams as real servers do, each in its own way."""
import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import LIMIT, Server, Stream, chat_body, text_of
from speech import is_loud, pcm, quiet_voice

SENTENCES = [f"This is sentence number {n}. " for n in range(1, 9)]


def chunk(content=None, finish=None, **members):
    delta = {} if content is None else {"content": content}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "far", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **members}


USAGE = {"prompt_tokens": 1, "completion_tokens": 8, "total_tokens": 9}
ENDS = {
    "the reason stands in a chunk of its own": [chunk("Bye."), chunk(finish="stop"), {**chunk(), "choices": [], "usage": USAGE}],
    "the reason stands beside the last words": [chunk("Bye.", "stop"), {**chunk(), "choices": [], "usage": USAGE}],
    "all stands in the last chunk": [chunk("Bye.", "stop", usage=USAGE)],
}


class Far(ThreadingHTTPServer):
    """A chat server that answers with `chunks` at once, and keeps the connection open behind them until `hold` is set."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.chunks, self.hold = [], None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status":"healthy"}')

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in self.server.chunks:
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.flush()
        if self.server.hold:
            self.server.hold.wait(LIMIT)
        self.wfile.write(b"data: [DONE]\n\n")


@pytest.fixture(scope="module")
def far():
    with Far() as far:
        threading.Thread(target=far.serve_forever, daemon=True).start()
        yield far
        far.shutdown()


@pytest.fixture(scope="module")
def server(far, tmp_path_factory):
    """The quiet voice, and the chat model `far`."""
    folder = tmp_path_factory.mktemp("spoken")
    with Server(folder, "--backend", f"far=http://127.0.0.1:{far.server_port}", models=[quiet_voice(folder)]) as server:
        yield server


def spoken(server, **fields):
    body = chat_body("Go on.", model="far", stream=True, stream_options={"include_usage": True}, modalities=["text", "audio"], audio={"format": "pcm16", "voice": "joe"})
    return Stream(server, body | fields)


@pytest.mark.parametrize("end", ENDS)
def test_no_words_are_lost_at_the_end(server, far, end):
    far.chunks = [chunk("Hello. ")] + ENDS[end]
    chunks = spoken(server).rest()
    assert chunks.pop() == "[DONE]" and chunks.pop()["usage"] == USAGE
    assert text_of(c for c in chunks if c["modality"] != "audio") == "Hello. Bye."
    sound = [c["choices"][0]["delta"]["content"] for c in chunks if c["modality"] == "audio" and c["choices"][0]["delta"]]
    assert [base64.b64decode(s) for s in sound] == [pcm(server, "Hello."), pcm(server, "Bye.")]
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"][0]["finish_reason"]] == ["stop"] and chunks[-1]["choices"][0]["finish_reason"] == "stop"
    whole = server.chat("Go on.", model="far", modalities=["text", "audio"]).json["choices"][0]
    assert whole["message"]["content"] == "Hello. Bye." and whole["finish_reason"] == "stop"


CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}


def test_a_call_of_a_tool_is_not_spoken_and_not_lost(server, far):
    pieces = [{"index": 0, **CALL}, {"index": 0, "function": {"arguments": " true}"}}]
    far.chunks = [{**chunk(), "choices": [{"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": None}]} for piece in pieces] + [chunk(finish="tool_calls")]
    for modalities in (["text", "audio"], ["audio"]):
        choice = server.chat("Call f.", model="far", modalities=modalities).json["choices"][0]
        assert choice["finish_reason"] == "tool_calls" and choice["message"]["audio"] is None and choice["message"]["content"] is None
        assert choice["message"]["tool_calls"] == [{**CALL, "function": {"name": "f", "arguments": '{"a": true}'}}]
    far.chunks = [chunk(finish="stop")]
    assert server.chat("Say nothing.", model="far", modalities=["text", "audio"]).status == 400


def test_stage_metrics_come_through(server, far):
    metrics = {"stage_metrics": {"text": {"time_to_first_token_s": 0.1, "duration_s": 0.2}}}
    far.chunks = [chunk("Hello."), chunk(finish="stop", metrics=metrics)]
    assert server.chat("Go on.", model="far", modalities=["text", "audio"], return_stage_metrics=True).json["metrics"] == metrics
    last = [c for c in spoken(server, return_stage_metrics=True).rest() if isinstance(c, dict) and c["choices"]][-1]
    assert last["metrics"] == metrics


def test_an_answer_that_was_heard_goes_back(server, far):
    far.chunks = [chunk("Hello."), chunk(finish="stop")]
    heard = server.chat("Go on.", model="far", modalities=["audio"]).json["choices"][0]["message"]
    assert heard["content"] is None and heard["audio"]["transcript"] == "Hello."
    question = {"role": "user", "content": "Go on."}
    again = server.post("/v1/chat/completions", {"model": "far", "modalities": ["audio"], "messages": [question, heard, question]})
    assert again.status == 200, again
    bare = server.post("/v1/chat/completions", {"model": "far", "messages": [question, {"role": "assistant", "audio": {"id": heard["audio"]["id"]}}, question]})
    assert bare.status == 400 and bare.error["param"] == "body.messages.1.audio.transcript"


def test_text_goes_on_while_a_sentence_is_spoken(server, far):
    far.chunks, far.hold = [chunk(s) for s in SENTENCES] + [chunk("", "stop")], threading.Event()
    try:
        stream, kinds = spoken(server), []
        while kinds.count("audio") < 2:
            event = stream.next()
            kinds.append(event["modality"])
        assert kinds.index("audio") > 0 and len(kinds) - kinds.count("audio") == len(SENTENCES), "all of the text, before the second sentence was spoken"
    finally:
        far.hold.set()
    rest = stream.rest()
    sound = [c for c in rest if isinstance(c, dict) and c["modality"] == "audio" and c["choices"] and c["choices"][0]["delta"]]
    assert rest[-1] == "[DONE]" and 2 + len(sound) == len(SENTENCES), "and each sentence is spoken"
    assert all(is_loud(base64.b64decode(c["choices"][0]["delta"]["content"])) for c in sound)


def test_a_failure_of_the_chat_model_ends_the_sound_too(server, far):
    failure = {"error": {"message": "out of tokens", "type": "server_error", "param": None, "code": 500}}
    far.chunks = [chunk(s) for s in SENTENCES] + [failure]
    *_, last, done = spoken(server).rest()
    assert last == failure and done == "[DONE]"
