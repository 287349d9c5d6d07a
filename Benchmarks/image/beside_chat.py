"""How long a chat's tokens stop when pictures are asked for: the gaps between its tokens alone, and with eight pictures at once.

    omni serve &
    python3 Benchmarks/image/beside_chat.py http://localhost:8091 [--size 256x256] [--pictures 8] [--rounds 5]

Needs a chat model and an image model behind one server; the starter set will do. Nothing is asserted: what is printed is for the README.
"""
import argparse
import http.client
import json
import os
import statistics
import sys
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True
# What is not about pictures is shared with the text benchmark.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../text"))
import streams  # noqa: E402


def chat(port, model, tokens):
    return streams.Stream(port, {
        "model": model, "messages": [{"role": "user", "content": "Tell me a long story about the sea."}], "max_tokens": tokens,
        "ignore_eos": True, "temperature": 0, "stream": True, "stream_options": {"include_usage": True}})


def draw(port, model, size, done):
    """One picture: its status, when it was asked for and when it was there."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=streams.LIMIT)
    body = {"model": model, "prompt": "a cup of coffee on a table", "size": size}
    connection.request("POST", "/v1/images/generations", json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    reply.read()
    done.append((reply.status, begun, time.perf_counter()))


def main():
    a = argparse.ArgumentParser()
    a.add_argument("server")
    a.add_argument("--chat", default="smollm2-135m-instruct")
    a.add_argument("--images", default="omni-emoji")
    a.add_argument("--size", default="256x256")
    a.add_argument("--pictures", type=int, default=8)
    a.add_argument("--tokens", type=int, default=400)
    a.add_argument("--rounds", type=int, default=5)
    args = a.parse_args()
    port = urllib.parse.urlparse(args.server).port
    alone, beside, drawing = [], [], []
    for number in range(args.rounds + 1):
        first, second, done = chat(port, args.chat, args.tokens), chat(port, args.chat, args.tokens), []
        streams.run([first])
        # The chat runs already when the pictures come.
        pictures = [threading.Timer(0.2, draw, (port, args.images, args.size, done)) for _ in range(args.pictures)]
        for picture in pictures:
            picture.start()
        streams.run([second])
        for picture in pictures:
            picture.join()
        if len(done) < args.pictures or any(status != 200 for status, _, _ in done):
            raise SystemExit(f"not every picture came: {done}")
        begun, ended = min(b for _, b, _ in done), max(e for _, _, e in done)
        if number:  # the first round warms both models
            alone += first.gaps(first.times[0], first.times[-1])
            beside += second.gaps(begun, ended)
            drawing.append(ended - begun)

    def facts(gaps):
        gaps = sorted(gaps)
        return {name: round(1000 * value, 1) for name, value in (
            ("median", statistics.median(gaps)), ("p99", gaps[int(len(gaps) * 0.99)]), ("longest", gaps[-1]))}

    print(json.dumps({
        "pictures": args.pictures, "size": args.size, "rounds": args.rounds, "gaps": len(beside), "alone_ms": facts(alone), "beside_ms": facts(beside),
        "all_pictures_s": round(statistics.median(drawing), 2)}))


if __name__ == "__main__":
    main()
