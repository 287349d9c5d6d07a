"""Writes Tests/OmniConversionTests/Fixtures: tokenizers, checkpoints, and what Python makes of them.

    python -m venv VENV && VENV/bin/pip install torch==2.13.0+cpu transformers==5.23.0 safetensors tokenizers sentencepiece
    nice VENV/bin/python Tools/conversion/goldens.py LLAMA_CPP Tests/OmniConversionTests/Fixtures [NAME…]

LLAMA_CPP is llama.cpp's source tree (`bash scripts/native.sh --source` prints where, `vendor/llama.cpp` in it). For each tokenizer: the
ids that Hugging Face's library gives for every line of corpus.json. For each checkpoint: every key and tensor that
convert_hf_to_gguf.py writes (long ones as checksums), and the logits, or the vector, that transformers computes in f32.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

LLAMA, FOLDER = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path.insert(0, str(LLAMA / "gguf-py"))
import checkpoints  # noqa: E402
import corpus  # noqa: E402
import tokenizer_families  # noqa: E402
from gguf import GGUFReader, GGUFValueType  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

# What the published tokenizers of these families are called by the converter, which knows them by a checksum of their ids.
PRE = {"llama3": "llama-bpe", "qwen2": "qwen2", "smollm": "smollm", "gpt4o": "gpt-4o", "tekken": "tekken", "qwen3-reranker": "qwen2", "wordpiece": "bert-bge"}
ARCHITECTURE_PRE = {"granite": "refact"}
CONVERT = """
import sys
from conversion.base import TextModel
TextModel.get_vocab_base_pre = lambda self, tokenizer: sys.argv.pop(1)
pre = sys.argv[1]
import convert_hf_to_gguf
convert_hf_to_gguf.main()
"""


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def convert(folder, out, pre, outtype, *flags):
    script = CONVERT.replace("lambda self, tokenizer: sys.argv.pop(1)", f"lambda self, tokenizer: {pre!r}").replace("pre = sys.argv[1]\n", "")
    command = [sys.executable, "-c", script, str(folder), "--outfile", str(out), "--outtype", outtype, *flags]
    subprocess.run(command, cwd=LLAMA, check=True, capture_output=True, env={"PYTHONPATH": f"{LLAMA}:{LLAMA}/gguf-py", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})


def value(field):
    """Type and contents of a key; of long arrays a checksum of their JSON."""
    names = [GGUFValueType(kind).name.lower() for kind in field.types]
    contents = field.contents()
    if isinstance(contents, list) and len(contents) > 16:
        contents = {"count": len(contents), "fnv1a": fnv1a(b"\0".join(str(each).encode() if isinstance(each, str) else np.float32(each).tobytes() if names[-1] == "float32" else np.int64(each).tobytes() for each in contents))}
    return {"type": ":".join(names), "value": contents}


def contents(path):
    reader = GGUFReader(path)
    keys = {name: value(field) for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    tensors = {tensor.name: {"type": tensor.tensor_type.name.lower(), "shape": [int(size) for size in tensor.shape], "fnv1a": fnv1a(tensor.data.tobytes())} for tensor in reader.tensors}
    return {"metadata": dict(sorted(keys.items())), "tensors": dict(sorted(tensors.items()))}


def pairs(model, own):
    """The logits of a few pairs of texts, and of texts alone, as Hugging Face's tokenizer frames them."""
    texts = [["what is a panda?", "The giant panda is a bear of China."], ["what is a panda?", "It rains."], ["x", ""], ["Only one text.", None]]
    rows = []
    for first, second in texts:
        row = own.encode(first, second)
        types = {"token_type_ids": torch.tensor([row.type_ids])} if model.config.type_vocab_size > 1 else {}
        logits = model(input_ids=torch.tensor([row.ids]), **types).logits[0]
        rows.append({"texts": [first, second], "ids": row.ids, "logits": base64.b64encode(logits.float().numpy().tobytes()).decode()})
    return rows


def computed(name, model, vocabulary, own):
    ids = [(37 * place * place + 11 * place + 5) % (vocabulary - 1) for place in range(40)]
    with torch.no_grad():
        if name in checkpoints.CLASSIFIERS:
            # Fairseq's positions leave padding out.
            ids = [number + 5 if number < 5 else number for number in ids]
            logits = model(torch.tensor([ids])).logits[0]
            return {"ids": ids, "pairs": pairs(model, own), "rows": {"classes": base64.b64encode(logits.float().numpy().tobytes()).decode()}}
        if name.startswith("qwen3-reranker"):
            chances = model(torch.tensor([ids])).logits[0, -1, [own.token_to_id(answer) for answer in ["yes", "no"]]].softmax(-1)
            return {"ids": ids, "rows": {"classes": base64.b64encode(chances.float().numpy().tobytes()).decode()}}
        if name in checkpoints.SENTENCE_TRANSFORMERS:
            states = model(torch.tensor([ids])).last_hidden_state[0]
            row = states[0] if "pooling_mode_cls_token" in checkpoints.SENTENCE_TRANSFORMERS[name] else states[-1]
            rows = {"embedding": row / row.norm()}
        else:
            logits = model(torch.tensor([ids])).logits[0]
            rows = {str(place): logits[place] for place in [0, 39]}
    return {"ids": ids, "rows": {key: base64.b64encode(row.float().numpy().tobytes()).decode() for key, row in rows.items()}}


def tokenizer_goldens(name, lines):
    folder = FOLDER / "tokenizers" / name
    tokenizer_families.FAMILIES[name](folder)
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = [own.encode(line, add_special_tokens=False).ids for line in lines]
    framed = [own.encode(line, add_special_tokens=True).ids for line in ["", "hello world", " x\n"]]
    (folder / "ids.json").write_text(json.dumps({"framed": framed, "lines": rows}, separators=(",", ":")).replace("],[", "],\n[") + "\n")


def checkpoint_goldens(name):
    tokenizer, settings, dtype = checkpoints.CHECKPOINTS[name]
    folder = FOLDER / "checkpoints" / name
    model = checkpoints.make(name, folder)
    golden = {"tokenizer": tokenizer, "type": {torch.bfloat16: "bf16", torch.float16: "f16", torch.float32: "f32"}[dtype]}
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "tiny"
        whole.mkdir()
        for source in [folder, FOLDER / "tokenizers" / tokenizer]:
            for file in source.iterdir():
                if file.name not in ["golden.json", "ids.json"]:
                    os.symlink(file, whole / file.name)
        convert(whole, Path(scratch) / "out.gguf", ARCHITECTURE_PRE.get(name, PRE.get(tokenizer, "")), golden["type"])
        golden |= contents(Path(scratch) / "out.gguf")
    golden |= computed(name, model, settings["vocab_size"], Tokenizer.from_file(str(FOLDER / "tokenizers" / tokenizer / "tokenizer.json")))
    (folder / "golden.json").write_text(json.dumps(golden, indent=0, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    chosen = sys.argv[3:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = corpus.lines()
    (FOLDER / "corpus.json").write_text(json.dumps(texts, ensure_ascii=True, indent=0) + "\n")
    for family in tokenizer_families.FAMILIES:
        if not chosen or family in chosen:
            tokenizer_goldens(family, texts)
    for checkpoint in checkpoints.CHECKPOINTS:
        if not chosen or checkpoint in chosen:
            print(checkpoint, flush=True)
            checkpoint_goldens(checkpoint)
    (FOLDER / "tokenizers/unigram/sentencepiece.bpe.model").unlink(missing_ok=True)
