"""How long a chat's tokens stop when pictures are asked for: the gaps between its tokens alone, and with eight pictures at once.

    omni serve &
    python3 Benchmarks/image/beside_chat.py http://localhost:8091 [--size 256x256] [--pictures 8] [--rounds 5]

Needs a chat model and an image model behind one server; the starter set will do. Nothing is asserted: what is printed is for the README.
"""
import argparse
import http.client
import json
import statistics
import threading
import time
import urllib.parse


def post(netloc, path, body):
    connection = http.client.HTTPConnection(netloc, timeout=300)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    return connection.getresponse()


def moments(netloc, model, tokens, after=None):
    """When the tokens of one streamed answer came. `after` is called once eight of them are there."""
    reply = post(netloc, "/v1/chat/completions", {
        "model": model, "messages": [{"role": "user", "content": "Tell me a long story about the sea."}], "max_tokens": tokens,
        "ignore_eos": True, "temperature": 0, "stream": True})
    if reply.status != 200:
        raise SystemExit(f"{model}: {reply.status} {reply.read()[:300]}")
    came = []
    for line in reply:
        if line.startswith(b"data: {"):
            came.append(time.perf_counter())
            if len(came) == 8 and after:
                after()
    return came


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
    netloc = urllib.parse.urlparse(args.server).netloc
    alone, beside, drawing = [], [], []

    def draw(done):
        reply = post(netloc, "/v1/images/generations", {"model": args.images, "prompt": "a cup of coffee on a table", "size": args.size})
        reply.read()
        done.append((reply.status, time.perf_counter()))

    for number in range(args.rounds + 1):
        came = moments(netloc, args.chat, args.tokens)
        gaps_alone = [b - a for a, b in zip(came, came[1:])]
        threads, done, begun = [], [], []

        def pictures():
            begun.append(time.perf_counter())
            threads.extend(threading.Thread(target=draw, args=(done,)) for _ in range(args.pictures))
            for thread in threads:
                thread.start()

        came = moments(netloc, args.chat, args.tokens, pictures)
        for thread in threads:
            thread.join()
        if any(status != 200 for status, _ in done):
            raise SystemExit(f"not every picture came: {done}")
        last = max(moment for _, moment in done)
        gaps = [b - a for a, b in zip(came, came[1:]) if begun[0] <= b <= last]
        if number:  # the first round warms both models
            alone += gaps_alone
            beside.append(gaps)
            drawing.append(last - begun[0])
    every = sorted(gap for gaps in beside for gap in gaps)
    print(json.dumps({
        "pictures": args.pictures, "size": args.size, "rounds": args.rounds, "tokens meanwhile": len(every),
        "alone_ms": {"median": round(1000 * statistics.median(alone), 1), "longest": round(1000 * max(alone), 1)},
        "beside_ms": {"median": round(1000 * statistics.median(every), 1), "p99": round(1000 * every[int(len(every) * 0.99)], 1), "longest": round(1000 * every[-1], 1)},
        "all_pictures_s": round(statistics.median(drawing), 2),
    }))


if __name__ == "__main__":
    main()
