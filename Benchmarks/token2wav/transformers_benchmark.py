"""The same measurements with transformers on the CPU.

    python Benchmarks/token2wav/transformers_benchmark.py FOLDER --codes 100 --threads 2 [--steps 10] [--guidance 0.5] [--type bfloat16]

Euler is not there: a solver of ours calls its model as often.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import Qwen2_5OmniToken2WavConfig, Qwen2_5OmniToken2WavModel


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--codes", type=int, default=100)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--solver", choices=["rk4", "euler"], default="rk4")
    arguments.add_argument("--steps", type=int, default=10)
    arguments.add_argument("--guidance", type=float, default=0.5)
    arguments.add_argument("--type", choices=["float32", "bfloat16"], default="float32")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    start = time.perf_counter()
    parts = json.loads((options.folder / "config.json").read_text())["token2wav_config"]
    kind = getattr(torch, options.type)
    with torch.device("meta"):
        model = Qwen2_5OmniToken2WavModel(Qwen2_5OmniToken2WavConfig(**parts))
    with safe_open(options.folder / "model.safetensors", "pt") as file:
        state = {name.removeprefix("token2wav."): file.get_tensor(name).to(kind) for name in file.keys()}
    model.load_state_dict(state, strict=False, assign=True)
    # What is in no file is computed anew.
    from transformers.models.qwen2_5_omni import modeling_qwen2_5_omni as source
    for name, buffer in model.named_buffers():
        if buffer.is_meta and name.endswith("filter"):
            owner = model.get_submodule(name.rsplit(".", 1)[0])
            owner.register_buffer("filter", source.kaiser_sinc_filter1d(0.25, 0.3, 12).to(kind), persistent=False)
    model.eval()
    for parameter in model.parameters():
        parameter.data.view(-1)[::512].float().sum()
    loaded = time.perf_counter() - start
    voice = torch.load(options.folder / "spk_dict.pt", weights_only=True)["Chelsie"]
    codes = torch.tensor([[place * 7919 % 8000 for place in range(options.codes)]])
    dit, vocoder = model.code2wav_dit_model, model.code2wav_bigvgan_model
    condition, sample = voice["cond"].to(kind), voice["ref_mel"].to(kind)
    with torch.no_grad():
        dit.sample(condition, sample, codes[:, :12], num_steps=2, guidance_scale=0.5)
        start = time.perf_counter()
        if options.solver == "rk4":
            mel = dit.sample(condition, sample, codes, num_steps=options.steps, guidance_scale=options.guidance)
            evaluations = 4 * (options.steps - 1)
        else:
            evaluations, x = options.steps, torch.randn([1, 2 * options.codes, 80]).to(kind)
            spread = condition.unsqueeze(1).repeat(1, 2 * options.codes, 1)
            for step in range(options.steps):
                velocity = dit(hidden_states=x, condition_vector=sample, speaker_embedding=spread, quantized_code=codes,
                               time_step=torch.tensor(step / options.steps, dtype=kind), apply_cfg=options.guidance > 0)
                x = x + velocity[:1] / options.steps
            mel = x.permute(0, 2, 1)
        middle = time.perf_counter()
        vocoder(mel)
        end = time.perf_counter()
    sound = options.codes / 50
    print(json.dumps({"engine": "transformers", "threads": options.threads, "type": options.type, "solver": options.solver, "steps": options.steps,
                      "guidance": options.guidance, "sound_s": sound, "load_s": loaded, "dit_s_per_s": (middle - start) / sound,
                      "dit_s_per_evaluation": (middle - start) / evaluations, "vocoder_s_per_s": (end - middle) / sound,
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
