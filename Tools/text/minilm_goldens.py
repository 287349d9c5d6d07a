"""Writes Tests/Fixtures/text/minilm.json: vectors that transformers makes with the starter model for embeddings, in f32.

    python -m venv VENV && VENV/bin/pip install torch==2.13.0+cpu transformers==5.23.0
    VENV/bin/python Tools/text/minilm_goldens.py ~/.local/share/omni/models/all-minilm-l6-v2 Tests/Fixtures/text/minilm.json

As sentence-transformers does it for this model: the mean of the tokens' states, brought to length 1.
"""

import base64
import json
import sys

import torch
from transformers import AutoModel, AutoTokenizer

TEXTS = [
    "The giant panda lives in the mountains of central China.",
    "Where do pandas live?",
    "Stock markets fell sharply on Tuesday.",
    "Der Zug hält in Köln um 17:45 Uhr – pünktlich!",
    "x",
    "naïve café, 北京, 12.5 %",
    " ".join(f"Sentence number {number} of a longer text." for number in range(30)),
]

tokenizer, model = AutoTokenizer.from_pretrained(sys.argv[1]), AutoModel.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
rows = []
for text in TEXTS:
    inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=512, padding=False)
    with torch.no_grad():
        vector = model(**inputs).last_hidden_state[0].mean(0)
    vector = vector / vector.norm()
    rows.append({"text": text, "ids": inputs["input_ids"][0].tolist(), "vector": base64.b64encode(vector.numpy().tobytes()).decode()})
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(rows, file, indent=0)
    file.write("\n")
