"""Real replies of api.openai.com out of cassettes (VCR files) that other projects keep with their tests, as the lines that
OMNI_OPENAI_RECORDINGS names to the tests of OmniClient. Nothing of them is kept in this repository.

    pip install pyyaml
    git clone --depth 1 https://github.com/pydantic/pydantic-ai && git clone --depth 1 https://github.com/traceloop/openllmetry
    python Tools/sdk/cassettes.py pydantic-ai openllmetry > recordings.jsonl
    OMNI_OPENAI_RECORDINGS=$PWD/recordings.jsonl swift test --disable-xctest --filter OpenAIRecordings
"""
import base64
import gzip
import json
import sys
from pathlib import Path

import yaml

ENDPOINTS = ("chat/completions", "completions", "embeddings", "images/", "audio/", "models", "videos")


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def interactions(folder):
    for path in sorted(Path(folder).rglob("*.y*ml")):
        source = path.read_text(errors="replace")
        if "api.openai.com" in source:
            document = yaml.load(source, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            yield from ((path, pair) for pair in document.get("interactions", []) if "request" in pair)


def line(path, request, response):
    """None for what is of another host or endpoint, or compressed in a way that is not read here."""
    _, _, place = request.get("uri", "").partition("api.openai.com/v1/")
    if not place.startswith(ENDPOINTS):
        return None
    headers = {name.lower(): value if isinstance(value, str) else value[0] for name, value in response["headers"].items()}
    asked = request.get("parsed_body") or text(request.get("body")) or ""
    try:
        asked = json.loads(asked) if isinstance(asked, str) else asked
    except ValueError:
        asked = None
    if response.get("parsed_body") is not None:
        body = json.dumps(response["parsed_body"]).encode()
    else:
        body = response.get("body") or ""
        body = body.get("string") or "" if isinstance(body, dict) else body
        body = body if isinstance(body, bytes) else body.encode()
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    elif headers.get("content-encoding", "gzip") != "gzip" and not body.startswith((b"{", b"data:", b"event:")):
        return None
    return {
        "file": path.name, "method": request["method"], "path": "/v1/" + place.partition("?")[0], "request": asked, "status": response["status"]["code"],
        "content_type": headers.get("content-type", ""), "base64": base64.b64encode(body).decode(),
    }


for folder in sys.argv[1:]:
    for path, pair in interactions(folder):
        if found := line(path, pair["request"], pair["response"]):
            print(json.dumps(found))
