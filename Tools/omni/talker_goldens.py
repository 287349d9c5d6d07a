"""Writes what transformers computes with the thinker's states and the talker of a tiny Qwen2.5-Omni: goldens for the talker's tests.

    python -m venv VENV && VENV/bin/pip install torch==2.13.0+cpu transformers==4.57.6 safetensors tokenizers pillow torchvision
    VENV/bin/python Tools/omni/talker_goldens.py Tests/Fixtures/omni/qwen2.5-omni Tests/Fixtures/omni/talker.json Tests/Fixtures/omni/wide-talker

Two conversations, one with a picture, whose positions differ along the axes. For each: the prompt's ids, the greedy reply, what the talker is fed
with (states after the last norm, and the embeddings of tokens; pictures have states alone), positions, the talker's logits at several steps, and 64
codes: greedy ones, and ones that are drawn with the random numbers that ours draw (SplitMix64). The talker may not end early in these.
A third case has the first one's rows and another talker, which is written beside it: its heads are wider than the model shared out among them, as in
the 7B, and each axis has positions of its own.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    AutoTokenizer,
    Qwen2_5OmniForConditionalGeneration,
    Qwen2_5OmniTalkerConfig,
    Qwen2_5OmniTalkerForConditionalGeneration,
    Qwen2VLImageProcessor,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

STEPS, SEED, REPLY = 64, 7, 12
SHOWN = [0, 1, 2, 5, 10, 20, 40, 63]
SYSTEM = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and visual inputs, as well as "
    "generating text and speech."
)


def packed(tensor):
    values = tensor.detach().to(torch.float32).contiguous().numpy()
    return {"shape": list(values.shape), "f32": base64.b64encode(values.tobytes()).decode()}


class SplitMix:
    def __init__(self, seed):
        self.state = seed

    def unit(self):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        mixed ^= mixed >> 31
        return (mixed >> 11) * 2.0**-53


def picked(scores, random):
    """A code of what is left of a distribution, likeliest first."""
    weights = torch.softmax(scores.double(), -1)[0]
    order = sorted((code for code in range(len(weights)) if weights[code] > 0), key=lambda code: (-weights[code].item(), code))
    left = random.unit() * sum(weights[code].item() for code in order)
    for code in order:
        left -= weights[code].item()
        if left < 0:
            return code
    return order[-1]


def speak(model, case, draws):
    """The talker's logits at some steps, and its codes."""
    talker = model.talker
    past, logits = None, []
    ids = torch.tensor([[talker.codec_mask_token] * case["prompt"].shape[1] + [talker.codec_pad_token, talker.codec_bos_token]])
    reply = list(case["follow"].split(1, dim=1))
    inputs, positions = case["inputs"].clone(), case["positions"]
    codec = talker.get_input_embeddings()
    inputs[:, -1] += codec(torch.tensor([talker.codec_bos_token]))
    inputs[:, -2] += codec(torch.tensor([talker.codec_pad_token]))
    processors = [RepetitionPenaltyLogitsProcessor(1.05), SuppressTokensLogitsProcessor([talker.codec_bos_token, *case["ends"]])]
    if draws:
        processors += [TemperatureLogitsWarper(0.9), TopKLogitsWarper(40), TopPLogitsWarper(0.8)]
        random = SplitMix(SEED)
    last = positions[:, :, -1:]
    for step in range(STEPS):
        out = talker.model(inputs_embeds=talker.thinker_to_talker_proj(inputs), position_ids=positions, past_key_values=past, use_cache=True)
        past = out.past_key_values
        scores = talker.codec_head(out.last_hidden_state[:, -1]).float()
        if step in SHOWN:
            logits.append(scores[0])
        for processor in processors:
            scores = processor(ids, scores)
        code = picked(scores, random) if draws else scores[0].argmax().item()
        ids = torch.cat([ids, torch.tensor([[code]])], -1)
        inputs = codec(torch.tensor([[code]])) + reply[0]
        if len(reply) > 1:
            reply.pop(0)
        last = last + 1
        positions = last
    return torch.stack(logits), ids[0, -STEPS:].tolist()


def case(model, tokenizer, question, speaker, picture):
    thinker, talker = model.thinker, model.talker
    config = model.config.thinker_config
    content = question
    extra, image = {}, {}
    text = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"
    if picture is not None:
        folder = Path(sys.argv[1])
        image = Qwen2VLImageProcessor.from_pretrained(folder)(picture, return_tensors="pt")
        count = int(image["image_grid_thw"].prod()) // 4
        content = "<|vision_bos|>" + "<|IMAGE|>" * count + "<|vision_eos|>" + question
        extra = {"pixel_values": image["pixel_values"].float(), "image_grid_thw": image["image_grid_thw"]}
    ids = torch.tensor([tokenizer(text + content + "<|im_end|>\n<|im_start|>assistant\n")["input_ids"]])
    mask = torch.ones_like(ids)
    result = thinker.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=REPLY, do_sample=False, temperature=None, top_p=None, top_k=None, repetition_penalty=1.0,
        output_hidden_states=True, return_dict_in_generate=True, **extra)
    generated = result.sequences[:, ids.shape[1]:]
    hidden = [states[-1] for states in result.hidden_states]
    embeds = [states[0] for states in result.hidden_states]
    first = embeds[0].clone()
    for index in (config.image_token_index, config.audio_token_index, config.video_token_index):
        first[ids == index] = 0
    prompt = hidden[0] + first
    reply = torch.cat(hidden[1:], 1) + torch.cat(embeds[1:], 1)
    embed = thinker.get_input_embeddings()
    start = model.speaker_map[speaker]["bos_token"]
    follow = torch.cat([reply[:, 1:], embed(torch.tensor([[talker.text_eos_token]])), embed(torch.tensor([[talker.text_pad_token]]))], 1)
    inputs = torch.cat([prompt, embed(torch.tensor([[start]])), reply[:, :1]], 1)
    spoken = torch.cat([ids, torch.tensor([[start]]), generated[:, :1]], -1)
    positions, _ = talker.get_rope_index(spoken, image.get("image_grid_thw"), None, torch.ones_like(spoken), False, None, None)
    values = {
        "prompt": prompt, "follow": follow, "inputs": inputs, "positions": positions, "ends": [talker.codec_eos_token, talker.codec_pad_token],
    }
    logits, greedy = speak(model, values, draws=False)
    _, drawn = speak(model, values, draws=True)
    if picture is None:
        # The loop above is what transformers' own does.
        own = talker.generate(
            input_ids=torch.tensor([[talker.codec_mask_token] * ids.shape[1] + [talker.codec_pad_token, talker.codec_bos_token]]),
            input_text_ids=spoken, thinker_reply_part=follow, inputs_embeds=inputs.clone(), attention_mask=torch.ones_like(spoken),
            suppress_tokens=[talker.codec_bos_token, *values["ends"]], do_sample=False, repetition_penalty=1.05, max_new_tokens=STEPS,
            eos_token_id=[talker.vocab_size if hasattr(talker, "vocab_size") else 10**6])
        assert own[0, -STEPS:].tolist() == greedy, (own[0, -STEPS:].tolist(), greedy)
    return {
        "question": question, "speaker": speaker, "speaker_token": start, "ids": ids[0].tolist(), "reply_ids": generated[0].tolist(),
        "prompt": packed(prompt[0]), "reply": packed(reply[0]), "positions": positions[:, 0].tolist(), "steps": SHOWN, "logits": packed(logits),
        "greedy": greedy, "drawn": drawn,
    }, values


def wide(model, first, values, folder, target):
    """A talker of other widths, written with nothing but what it needs, and what it says of the first case's rows."""
    config = json.loads((folder / "config.json").read_text())
    own = config["talker_config"]
    own.update({"head_dim": 24, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 40})
    own["rope_scaling"]["mrope_section"] = [5, 4, 3]
    settings = Qwen2_5OmniTalkerConfig(**own)
    settings._attn_implementation = "eager"
    talker = Qwen2_5OmniTalkerForConditionalGeneration(settings).eval()
    generator = torch.Generator().manual_seed(7)
    for name, value in talker.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if value.dim() == 1:
            value.data = noise * 0.2 + (1 if "norm" in name and name.endswith("weight") else 0)
        else:
            value.data = noise * (1 if "embed_tokens" in name else 1.5 / value.shape[1] ** 0.5)
        value.data = value.data.to(torch.bfloat16).to(torch.float32)
    target.mkdir(exist_ok=True)
    (target / "config.json").write_text(json.dumps({key: config[key] for key in ("architectures", "enable_audio_output", "talker_config")} | {
        "thinker_config": {"text_config": {"hidden_size": config["thinker_config"]["text_config"]["hidden_size"]}}}, indent=1) + "\n")
    save_file(
        {f"talker.{name}": value.to(torch.bfloat16).contiguous() for name, value in talker.state_dict().items() if "inv_freq" not in name},
        target / "model.safetensors", metadata={"format": "pt"})
    whole, model.talker = model.talker, talker
    positions = values["positions"].clone()
    positions[1] += torch.arange(positions.shape[-1]) // 3
    positions[2] += torch.arange(positions.shape[-1]) % 5
    positions[:, :, -2:] = positions[:, :, :-2].max() + torch.tensor([1, 2])
    values = values | {"positions": positions}
    logits, greedy = speak(model, values, draws=False)
    _, drawn = speak(model, values, draws=True)
    model.talker = whole
    return first | {"question": "wide", "positions": positions[:, 0].tolist(), "logits": packed(logits), "greedy": greedy, "drawn": drawn}


@torch.no_grad()
def main(folder, target, wide_folder):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Qwen2_5OmniForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    gradient = np.add.outer(np.arange(56), 2 * np.arange(84))[..., None] * np.array([1, 2, 3]) % 256
    picture = Image.fromarray(gradient.astype(np.uint8))
    first, values = case(model, tokenizer, "Say hello.", "Chelsie", None)
    cases = [first, case(model, tokenizer, "What is this?", "Ethan", picture)[0], wide(model, first, values, folder, wide_folder)]
    target.write_text(json.dumps({"seed": SEED, "system": SYSTEM, "cases": cases}) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
