"""faster-whisper on a file: text, seconds with loading, and memory, as a line of JSON."""
import json
import re
import sys
import time

from faster_whisper import WhisperModel

folder, threads, path = sys.argv[1:]
began, first, text = time.monotonic(), None, ""
model = WhisperModel(folder, device="cpu", compute_type="float32", cpu_threads=int(threads))
for segment in model.transcribe(path, language="en", beam_size=1, vad_filter=True)[0]:
    first = first or time.monotonic() - began
    text += segment.text
seconds = time.monotonic() - began
memory = 1024 * int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
print(json.dumps({"text": text, "seconds": seconds, "first": first, "memory": memory}))
