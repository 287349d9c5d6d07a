"""Writes Tests/OmniConversionTests/Fixtures/adapters: low-rank adapters as PEFT saves them, and what Python makes of them.

    python -m venv VENV && VENV/bin/pip install torch==2.13.0+cpu transformers==5.23.0 peft==0.21.2 safetensors tokenizers sentencepiece protobuf
    nice VENV/bin/python Tools/conversion/adapters.py LLAMA_CPP Tests/OmniConversionTests/Fixtures

LLAMA_CPP as for goldens.py. For each adapter of a tiny checkpoint: every key and tensor that convert_lora_to_gguf.py writes, and the
logits that transformers and peft compute in f32.
"""

import base64
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from goldens import FOLDER, LLAMA, contents
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# name: (checkpoint, settings)
ADAPTERS = {
    "llama3": ("llama3", {"r": 4, "lora_alpha": 6, "target_modules": LAYERS}),
    "llama3-other": ("llama3", {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "v_proj"]}),
    "qwen2": ("qwen2", {"r": 4, "lora_alpha": 3, "target_modules": LAYERS, "use_rslora": True}),
    "qwen3": ("qwen3", {"r": 4, "lora_alpha": 8, "target_modules": [*LAYERS, "lm_head"], "rank_pattern": {"k_proj": 8}}),
}


def convert(folder, base, out):
    command = [sys.executable, str(LLAMA / "convert_lora_to_gguf.py"), str(folder), "--base", str(base), "--outfile", str(out), "--outtype", "f32"]
    subprocess.run(command, cwd=LLAMA, check=True, capture_output=True, env={"PYTHONPATH": f"{LLAMA}:{LLAMA}/gguf-py", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})


def make(name, seed):
    checkpoint, settings = ADAPTERS[name]
    base, folder = FOLDER / "checkpoints" / checkpoint, FOLDER / "adapters" / name
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), LoraConfig(task_type="CAUSAL_LM", **settings))
    generator = torch.Generator().manual_seed(seed)
    for key, value in model.named_parameters():
        if "lora_" in key:
            value.data = torch.randn(value.shape, generator=generator) * 0.3
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    # Where it was made on this machine, and sets, whose order is not the same twice.
    config["base_model_name_or_path"] = checkpoint
    config["target_modules"] = sorted(config["target_modules"])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    vocabulary = model.config.vocab_size
    ids = [(37 * place * place + 11 * place + 5) % (vocabulary - 1) for place in range(40)]
    with torch.no_grad():
        logits = model.eval()(torch.tensor([ids])).logits[0]
    rows = {str(place): base64.b64encode(logits[place].float().numpy().tobytes()).decode() for place in [0, 39]}
    with tempfile.TemporaryDirectory() as scratch:
        out = FOLDER / "adapters" / f"{name}.gguf" if name == "llama3-other" else Path(scratch) / "out.gguf"
        convert(folder, base, out)
        golden = {"base": checkpoint, "ids": ids, "rows": rows, **contents(out)}
    (folder / "golden.json").write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    for place, adapter in enumerate(ADAPTERS):
        make(adapter, 100 + place)
