"""Embeddings, reranking, scores and classes: the starter model beside transformers' vectors, tiny cross encoders beside transformers' scores,
through the official clients of OpenAI and Cohere and LangChain's."""
import json
import math
import pathlib
import threading
import time

import openai
import pytest

from harness import LIMIT, ROOT, Server, starter_model
from retrieving import MINILM, classifier, cosine, floats

#: ggml's GELU is the approximation by tanh, from a table of f16; transformers' own vectors with that approximation differ as much (3.0e-4).
NEAR = 3.5e-4
GOLDEN = json.loads((ROOT / "Tests/Fixtures/text/minilm.json").read_text())


@pytest.fixture(scope="module")
def retrieving(tmp_path_factory):
    """The starter model for embeddings, a reranker and a classifier."""
    folder = tmp_path_factory.mktemp("retrieving")
    reranker, pairs = classifier(folder, "bert-reranker")
    classes, texts = classifier(folder, "bert-classifier")
    with Server(folder / "server", models=[MINILM.name, reranker, classes]) as server:
        server.pairs, server.texts = pairs, texts
        yield server
        assert server.process.poll() is None


@pytest.fixture(scope="module")
def sdk(retrieving):
    with openai.OpenAI(base_url=retrieving.base_url + "/v1", api_key="unused", max_retries=0, timeout=LIMIT) as client:
        yield client


def test_a_short_request_does_not_wait_for_a_long_one(retrieving):
    ended = []

    def ask(name, inputs):
        assert retrieving.post("/v1/embeddings", {"model": "all-minilm-l6-v2", "input": inputs}).status == 200
        ended.append(name)

    long = threading.Thread(target=ask, args=("long", ["word " * 200] * 60))
    long.start()
    time.sleep(0.3)
    short = threading.Thread(target=ask, args=("short", "hi"))
    short.start()
    short.join(LIMIT)
    long.join(LIMIT)
    assert ended == ["short", "long"]


def test_a_value_under_two_names_is_told(retrieving):
    body = {"queries": "panda", "items": ["bear"], "text_1": "a", "text_2": "b"}
    reply = retrieving.post("/score", body)
    assert reply.status == 200 and set(reply.headers["x-ignored-params"].split(",")) == {"queries", "items"}


def test_the_starter_s_vectors_are_those_of_transformers(sdk):
    reply = sdk.embeddings.create(model="all-minilm-l6-v2", input=[row["text"] for row in GOLDEN], encoding_format="float")
    assert [d.index for d in reply.data] == list(range(len(GOLDEN)))
    assert reply.usage.prompt_tokens == sum(len(row["ids"]) for row in GOLDEN)
    for row, found in zip(GOLDEN, reply.data):
        expected = floats(row["vector"])
        assert len(found.embedding) == 384
        assert max(abs(a - b) for a, b in zip(found.embedding, expected)) < NEAR, row["text"]
        assert cosine(found.embedding, expected) > 1 - 5e-6, row["text"]


def test_base64_is_the_same_and_the_client_s_default(sdk, retrieving):
    plain = sdk.embeddings.create(model="all-minilm-l6-v2", input="Where do pandas live?", encoding_format="float").data[0].embedding
    packed = sdk.embeddings.create(model="all-minilm-l6-v2", input="Where do pandas live?").data[0].embedding
    assert max(abs(a - b) for a, b in zip(plain, packed)) < 1e-6
    raw = retrieving.post("/v1/embeddings", {"model": "all-minilm-l6-v2", "input": "x", "encoding_format": "base64"}).json["data"][0]["embedding"]
    assert isinstance(raw, str) and len(floats(raw)) == 384


def test_token_arrays_are_read_as_they_are(sdk):
    by_text = sdk.embeddings.create(model="all-minilm-l6-v2", input=[row["text"] for row in GOLDEN[:3]]).data
    by_ids = sdk.embeddings.create(model="all-minilm-l6-v2", input=[row["ids"] for row in GOLDEN[:3]]).data
    one = sdk.embeddings.create(model="all-minilm-l6-v2", input=GOLDEN[0]["ids"]).data
    for left, right in zip(by_text, by_ids):
        assert max(abs(a - b) for a, b in zip(left.embedding, right.embedding)) < 1e-6
    assert max(abs(a - b) for a, b in zip(one[0].embedding, by_text[0].embedding)) < 2e-4
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.embeddings.create(model="all-minilm-l6-v2", input=[[30_522]])
    assert "30522" in refused.value.message


def test_fewer_dimensions_are_the_first_ones_at_length_one(sdk):
    whole = sdk.embeddings.create(model="all-minilm-l6-v2", input="pandas").data[0].embedding
    short = sdk.embeddings.create(model="all-minilm-l6-v2", input="pandas", dimensions=64).data[0].embedding
    length = math.sqrt(sum(x * x for x in whole[:64]))
    assert len(short) == 64 and max(abs(a - b / length) for a, b in zip(short, whole)) < 1e-5
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.embeddings.create(model="all-minilm-l6-v2", input="pandas", dimensions=385)
    assert refused.value.body["param"] == "body.dimensions"


def test_many_inputs_come_in_order(sdk):
    texts = [f"Number {number} of many." for number in range(300)]
    reply = sdk.embeddings.create(model="all-minilm-l6-v2", input=texts)
    assert len(reply.data) == 300
    alone = sdk.embeddings.create(model="all-minilm-l6-v2", input=texts[217]).data[0].embedding
    assert max(abs(a - b) for a, b in zip(alone, reply.data[217].embedding)) < 2e-4


def test_a_text_that_is_too_long_is_refused_or_cut_short(sdk, retrieving):
    long = "panda " * 600
    with pytest.raises(openai.APIStatusError) as refused:
        sdk.embeddings.create(model="all-minilm-l6-v2", input=["x", long])
    assert refused.value.status_code == 413 and "maximum context length" in refused.value.message and "truncate_prompt_tokens" in refused.value.message
    cut = sdk.embeddings.create(model="all-minilm-l6-v2", input=long, extra_body={"truncate_prompt_tokens": -1})
    assert cut.usage.prompt_tokens == 512


def test_meaning_is_found(sdk):
    """What retrieval is for: of several notes the one that answers is nearest."""
    notes = ["The office is closed on Fridays.", "Giant pandas live in the bamboo forests of China.", "Our train leaves at nine.", "Bread needs flour, water and salt."]
    vectors = [d.embedding for d in sdk.embeddings.create(model="all-minilm-l6-v2", input=[*notes, "Which animals eat bamboo?"]).data]
    best = max(range(4), key=lambda place: cosine(vectors[place], vectors[4]))
    assert best == 1


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_rerank_scores_are_those_of_transformers(retrieving, path):
    """Without a name the reranker answers, not the model for embeddings."""
    query, documents = "what is a panda?", [pair["texts"][1] for pair in retrieving.pairs[:2]]
    reply = retrieving.post(path, {"query": query, "documents": documents})
    assert reply.status == 200, reply
    told = reply.json
    assert told["model"] == "bert-reranker" and told["id"].startswith("rerank-")
    assert told["usage"] == {"prompt_tokens": sum(len(p["ids"]) for p in retrieving.pairs[:2]), "total_tokens": sum(len(p["ids"]) for p in retrieving.pairs[:2])}
    scores = {r["index"]: r["relevance_score"] for r in told["results"]}
    for place, pair in enumerate(retrieving.pairs[:2]):
        assert abs(scores[place] - 1 / (1 + math.exp(-floats(pair["logits"])[0]))) < 1e-3
    assert [r["relevance_score"] for r in told["results"]] == sorted(scores.values(), reverse=True)
    assert {r["document"]["text"] for r in told["results"]} == set(documents)


def test_rerank_in_the_forms_of_jina_and_cohere(retrieving):
    body = {"model": "bert-reranker", "query": "x", "documents": [{"text": "a"}, "b", "c"], "top_n": 2, "return_documents": False}
    told = retrieving.post("/v1/rerank", body).json
    assert len(told["results"]) == 2 and all("document" not in r for r in told["results"])
    raw = retrieving.post("/v1/rerank", body | {"use_activation": False}).json
    for left, right in zip(told["results"], raw["results"]):
        assert left["index"] == right["index"] and abs(left["relevance_score"] - 1 / (1 + math.exp(-right["relevance_score"]))) < 1e-5
    ignored = retrieving.post("/v1/rerank", body | {"rank_fields": ["text"]})
    assert ignored.status == 200 and ignored.headers["x-ignored-params"] == "rank_fields"
    assert retrieving.post("/v1/rerank", {"query": "x", "documents": []}).error["param"] == "body.documents"


def test_cohere_s_client_reranks(retrieving):
    import cohere

    client = cohere.ClientV2(api_key="unused", base_url=retrieving.base_url)
    documents = ["The office is closed on Fridays.", "Giant pandas live in the bamboo forests of China.", "Bread needs flour."]
    reply = client.rerank(model="all-minilm-l6-v2", query="Where do pandas live?", documents=documents, top_n=2)
    assert reply.results[0].index == 1 and len(reply.results) == 2
    assert reply.results[0].relevance_score > 0.5 > reply.results[1].relevance_score
    own = client.rerank(model="bert-reranker", query="x", documents=documents, max_tokens_per_doc=4)
    assert sorted(r.index for r in own.results) == [0, 1, 2]


def test_langchain_s_client_embeds(retrieving):
    """It sends the ids of OpenAI's own tokenizer unless it is told not to: to any other server those are other words."""
    from langchain_openai import OpenAIEmbeddings

    client = OpenAIEmbeddings(
        base_url=retrieving.base_url + "/v1", api_key="unused", model="all-minilm-l6-v2", check_embedding_ctx_length=False)
    vectors = client.embed_documents([row["text"] for row in GOLDEN])
    for row, vector in zip(GOLDEN, vectors):
        assert max(abs(a - b) for a, b in zip(vector, floats(row["vector"]))) < NEAR
    assert cosine(client.embed_query("Where do pandas live?"), vectors[1]) > 0.999


@pytest.mark.parametrize("path", ["/score", "/v1/score"])
@pytest.mark.parametrize("names", [("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")])
def test_scores_of_pairs(retrieving, path, names):
    first, second = names
    told = retrieving.post(path, {first: "what is a panda?", second: [p["texts"][1] for p in retrieving.pairs[:2]]}).json
    assert told["object"] == "list" and [d["object"] for d in told["data"]] == ["score"] * 2
    for found, pair in zip(told["data"], retrieving.pairs):
        assert abs(found["score"] - 1 / (1 + math.exp(-floats(pair["logits"])[0]))) < 1e-3
    several = retrieving.post(path, {first: ["a", "b", "c"], second: ["x", "y"]})
    assert several.status == 400 and several.error["param"] == "body.text_1"


def test_a_model_for_embeddings_scores_by_the_cosine(retrieving, sdk):
    texts = ["Where do pandas live?", "In China.", "On the moon."]
    vectors = [d.embedding for d in sdk.embeddings.create(model="all-minilm-l6-v2", input=texts).data]
    told = retrieving.post("/score", {"model": "all-minilm-l6-v2", "text_1": texts[0], "text_2": texts[1:]}).json
    for found, vector in zip(told["data"], vectors[1:]):
        assert abs(found["score"] - cosine(vectors[0], vector)) < 1e-4


def test_classes_of_texts(retrieving):
    text, expected = retrieving.texts[-1]["texts"][0], floats(retrieving.texts[-1]["logits"])
    told = retrieving.post("/classify", {"model": "bert-classifier", "input": [text, "x"]}).json
    total = sum(map(math.exp, expected))
    assert told["model"] == "bert-classifier" and len(told["data"]) == 2
    first = told["data"][0]
    assert first["num_classes"] == 3 and max(abs(p - math.exp(e) / total) for p, e in zip(first["probs"], expected)) < 1e-3
    assert first["label"] == ["negative", "neutral", "positive"][max(range(3), key=lambda place: expected[place])]
    raw = retrieving.post("/classify", {"model": "bert-classifier", "input": text, "use_activation": False}).json["data"][0]["probs"]
    assert max(abs(a - b) for a, b in zip(raw, expected)) < 1e-3
    unable = retrieving.post("/classify", {"model": "all-minilm-l6-v2", "input": text})
    assert unable.status == 404 and "bert-classifier" in unable.error["message"]
    no_pairs = retrieving.post("/rerank", {"model": "bert-classifier", "query": "a", "documents": ["b"]})
    assert no_pairs.status == 404 and no_pairs.error["param"] == "model"


def test_pooling_gives_what_the_model_makes(retrieving):
    vectors = retrieving.post("/pooling", {"model": "all-minilm-l6-v2", "input": [GOLDEN[0]["text"]]}).json
    assert vectors["data"][0]["object"] == "pooling" and vectors["id"].startswith("pool-")
    assert max(abs(a - b) for a, b in zip(vectors["data"][0]["data"], floats(GOLDEN[0]["vector"]))) < NEAR
    packed = retrieving.post("/pooling", {"model": "bert-classifier", "input": "x", "encoding_format": "base64"}).json["data"][0]["data"]
    assert abs(sum(floats(packed)) - 1) < 1e-5
    wrong = retrieving.post("/pooling", {"model": "bert-classifier", "input": "x", "task": "embed"})
    assert wrong.status == 400 and wrong.error["param"] == "body.task"


def test_what_they_can_do_is_told(retrieving):
    told = {m["id"]: m for m in retrieving.get("/v1/capabilities").json["data"]}
    assert told["all-minilm-l6-v2"]["kind"] == "embedding" and told["all-minilm-l6-v2"]["text"]["dimensions"] == 384
    assert "/v1/rerank" in told["all-minilm-l6-v2"]["endpoints"]
    assert told["bert-reranker"]["kind"] == "classifier" and "/v2/rerank" in told["bert-reranker"]["endpoints"]
    assert told["bert-classifier"]["text"]["labels"] == ["negative", "neutral", "positive"]
    assert told["bert-classifier"]["endpoints"] == ["/classify", "/pooling"]


def test_a_key_locks_them_all(start):
    server = start("--api-key", "sekret", models=[ROOT / "Tests/Fixtures/text/tiny-embed.gguf"])
    for path, body in [("/rerank", {"query": "a", "documents": ["b"]}), ("/v2/rerank", {"query": "a", "documents": ["b"]}), ("/score", {"text_1": "a", "text_2": "b"}), ("/pooling", {"input": "a"})]:
        assert server.post(path, body).status == 401
        assert server.post(path, body, {"Authorization": "Bearer sekret"}).status == 200


def test_the_starter_takes_little_memory(start):
    """Of its 91 MB of weights in f32 the served model keeps half, mapped from its file. With AMX libllama puts a copy of the matrices beside it."""
    flags = pathlib.Path("/proc/cpuinfo")
    copied = 22 << 20 if flags.exists() and "amx_tile" in flags.read_text() else 0
    server = start(models=[MINILM.name])
    assert server.post("/v1/embeddings", {"input": ["a text"] * 50}).status == 200
    memory = server.get("/v1/capabilities").json["data"][0]["memory"]
    print("memory", memory)
    assert memory["weights_bytes"] < (50 << 20) + copied and memory["resident_bytes"] < 200 << 20
