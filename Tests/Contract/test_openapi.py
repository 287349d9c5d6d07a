"""`/openapi.json` against the running server, by schemathesis: whatever the document allows, and what it forbids, is sent; no
answer may be a 500, a status or type that is not documented, or a body that breaks its schema."""
import collections
import copy
import os
import shutil

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks

from harness import LIMIT, ROOT, Server, starter_model
from retrieving import classifier

load_all_checks()
FULL = os.environ.get("OMNI_TEST_FULL") == "1"
#: Requests for each operation.
EXAMPLES = 200 if FULL else 12
#: What is asked of every answer. What a wrong value is worth is the contract's affair: the server takes "2" for 2, as its peer does.
CHECKS = [
    schemathesis.checks.not_a_server_error,
    *schemathesis.checks.CHECKS.get_by_names(["status_code_conformance", "content_type_conformance", "response_schema_conformance"]),
]


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """The document of a server with a model of every kind that is small."""
    images = tmp_path_factory.mktemp("models") / "zimage-turbo"
    shutil.copytree(ROOT / "Tests/Fixtures/zimage/small", images)
    videos = tmp_path_factory.mktemp("videos") / "wan-tiny"
    shutil.copytree(ROOT / "Tests/Fixtures/wan/t2v", videos)
    classes, _ = classifier(tmp_path_factory.mktemp("classes"), "bert-classifier")
    models = [starter_model(), starter_model().parent.parent / "joe", ROOT / "Tests/Fixtures/text/tiny-embed.gguf", classes, images, videos]
    with Server(tmp_path_factory.mktemp("openapi"), "--max-generated-image-size", 64 * 64, models=models) as server:
        yield schemathesis.openapi.from_url(server.base_url + "/openapi.json")
        assert server.process.poll() is None, "the server has ended"
        assert len(server.workers()) <= len(models)
        assert server.get("/health").status == 200


def cheap(body, path):
    """The same request with what costs time kept small."""
    if not isinstance(body, dict):
        return body
    for name, most in [("max_tokens", 4), ("max_completion_tokens", 4), ("max_output_tokens", 4), ("min_tokens", 2), ("num_inference_steps", 2), ("n", 2), ("num_outputs_per_prompt", 2), ("num_frames", 5)]:
        if isinstance(body.get(name), (int, float)) and not isinstance(body.get(name), bool):
            body[name] = min(body[name], most)
    # Some names and sizes are left as they are; with the others the request comes far enough to be answered.
    if isinstance(body.get("model"), str) and len(body["model"]) % 3:
        del body["model"]
    if isinstance(body.get("size"), str) and len(body["size"]) % 2:
        body["size"] = "32x32"
    # A text model refuses what it cannot make.
    if isinstance(body.get("modalities"), list) and len(body["modalities"]) % 2:
        body["modalities"] = ["text"]
    if "messages" in body or "prompt" in body:
        body.setdefault("max_tokens", 4)
        body.setdefault("num_inference_steps", 2)
    if path == "/v1/responses" and not isinstance(body.get("max_output_tokens"), int):
        body["max_output_tokens"] = 4
    for name in ("webhook_url", "seconds"):
        body.pop(name, None)
    if "prompt" in body:
        body.setdefault("num_frames", 5)
    return body


def documented(operation):
    """The requests that the document gives as examples."""
    for media_type, content in operation.definition.raw.get("requestBody", {}).get("content", {}).items():
        if "example" in content:
            yield operation.Case(body=cheap(copy.deepcopy(content["example"]), operation.path), media_type=media_type)


def exercise(operation, mode, seen):
    """Sends requests of an operation, right ones or wrong ones."""
    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        case.body = cheap(case.body, operation.path)
        reply = case.call(timeout=LIMIT)
        seen[operation.label, reply.status_code] += 1
        case.validate_response(reply, checks=CHECKS)

    run()


def test_the_server_keeps_to_its_document(described):
    faults = []
    seen = collections.Counter()
    for found in described.get_all_operations():
        operation = found.ok()
        for case in documented(operation):
            reply = case.call(timeout=LIMIT)
            seen[operation.label, reply.status_code] += 1
            if reply.status_code >= 400:
                faults.append(f"{operation.label}: its own example is answered with {reply.status_code} {reply.text}")
        for mode in GenerationMode:
            try:
                exercise(operation, mode, seen)
            except Unsatisfiable:
                pass  # nothing can be wrong about a request without a body or parameters
            except BaseExceptionGroup as group:
                faults += [f"{operation.label} ({mode.value}): {fault}" for fault in group.exceptions]
            except Exception as fault:  # noqa: BLE001: every operation is tried, and all that is found is told
                faults.append(f"{operation.label} ({mode.value}): {type(fault).__name__} {fault}")
    assert not faults, "\n\n".join(faults)
    print("\n".join(f"{label} {status}: {count}" for (label, status), count in sorted(seen.items())))
    answered = {label for label, status in seen if status < 400}
    assert {"POST /v1/chat/completions", "POST /v1/images/generations", "POST /v1/audio/speech", "POST /v1/embeddings", "POST /v1/rerank", "POST /classify"} <= answered, "hardly anything was answered"
