"""piper-tts in one process, as a program would use it: run by `run` in an environment of its own.

Reads one JSON line `{"texts": […]}`, speaks all texts at once (a thread each, one loaded voice), and answers with one JSON
line: per text the moments at which pieces of sound were there, in the clock that `time.perf_counter` has in every process
of the machine, and their sizes in samples.
"""
import json
import sys
import threading
import time

import onnxruntime
from piper import PiperVoice


def speak(voice, text, result):
    result["begun"] = time.perf_counter()
    pieces = []
    for chunk in voice.synthesize(text):
        samples = len(chunk.audio_int16_bytes) // 2
        pieces.append((time.perf_counter(), samples))
    result["pieces"] = pieces


def main():
    voice = PiperVoice.load(sys.argv[1])
    print(json.dumps({"rate": voice.config.sample_rate, "runtime": onnxruntime.__version__}), flush=True)
    for line in sys.stdin:
        texts = json.loads(line)["texts"]
        results = [{} for _ in texts]
        threads = [threading.Thread(target=speak, args=(voice, *pair)) for pair in zip(texts, results)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
