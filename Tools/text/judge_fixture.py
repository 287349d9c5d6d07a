"""Writes Tests/Fixtures/text/tiny-judge.gguf and tiny-judge.json: a tiny random Qwen3-Reranker as llama.cpp's converter writes it, and what
transformers makes of a few pairs: the probability of "yes" against "no" behind the prompt in which it judges.

    python -m venv VENV && VENV/bin/pip install torch==2.13.0+cpu transformers==5.23.0 safetensors tokenizers sentencepiece
    VENV/bin/python Tools/text/judge_fixture.py LLAMA_CPP Tests/Fixtures/text

LLAMA_CPP is llama.cpp's source tree (`bash scripts/native.sh --source`).
"""

import json
import sys
import tempfile
from pathlib import Path

LLAMA, FOLDER = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "conversion"), str(LLAMA / "gguf-py")]
sys.argv[1:] = [str(LLAMA), str(FOLDER)]
import checkpoints  # noqa: E402
import goldens  # noqa: E402
import tokenizer_families as families  # noqa: E402
import torch  # noqa: E402
from gguf import GGUFReader  # noqa: E402
from tokenizers import Tokenizer, normalizers, processors  # noqa: E402

PAIRS = [["what is a panda?", "The giant panda is a bear of China."], ["what is a panda?", "It rains."], ["x", "x"]]


def tokenizer(folder):
    own = families.byte_level(families.whole(families.QWEN2), normalizers.NFC())
    own.post_processor = processors.ByteLevel(trim_offsets=False)
    config = {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None, "add_bos_token": False, "add_prefix_space": False}
    families.write(own, folder, config, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<think>", "</think>", "yes", "no"], families.CHATML)


with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch) / "tiny"
    checkpoints.CHECKPOINTS["judge"] = ("judge", {**checkpoints.CHECKPOINTS["qwen3"][1], "max_position_embeddings": 1024, "tie_word_embeddings": True}, torch.float32)
    model = checkpoints.make("judge", folder)
    tokenizer(folder)
    (folder / "README.md").write_text("# Qwen3-Reranker\n")
    goldens.convert(folder, FOLDER / "tiny-judge.gguf", "qwen2", "f32")
    field = GGUFReader(FOLDER / "tiny-judge.gguf").fields["tokenizer.chat_template.rerank"]
    template, own = field.contents(), Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = []
    for query, document in PAIRS:
        ids = own.encode(template.replace("{query}", query).replace("{document}", document), add_special_tokens=False).ids
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1]
        yes, no = own.token_to_id("yes"), own.token_to_id("no")
        rows.append({"texts": [query, document], "tokens": len(ids), "score": float(torch.softmax(logits[[yes, no]], 0)[0])})
(FOLDER / "tiny-judge.json").write_text(json.dumps(rows, indent=0) + "\n")
