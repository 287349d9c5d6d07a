"""The same measurements with diffusers on the CPU, bf16.

    python Benchmarks/video/transformer/diffusers_benchmark.py FOLDER --side 256 --frames 17 --steps 3
"""

import argparse
import json
import resource
import time

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from transformers import UMT5EncoderModel


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("--side", type=int, default=256)
    arguments.add_argument("--frames", type=int, default=17)
    arguments.add_argument("--steps", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    kinds = {"transformer": WanTransformer3DModel, "text_encoder": UMT5EncoderModel, "vae": AutoencoderKLWan}
    parts = {name: kind.from_pretrained(f"{options.folder}/{name}", torch_dtype=torch.bfloat16) for name, kind in kinds.items()}
    for part in parts.values():
        for parameter in part.parameters():
            parameter.data.view(-1)[::2048].float().sum()
    pipe = WanPipeline(tokenizer=None, scheduler=UniPCMultistepScheduler.from_pretrained(f"{options.folder}/scheduler"), **parts)
    pipe.set_progress_bar_config(disable=True)
    # A prompt of twenty tokens, as the pipeline pads it.
    embeds = torch.zeros((1, 512, parts["transformer"].config.text_dim), dtype=torch.bfloat16)
    embeds[:, :20] = torch.randn((20, embeds.shape[2]), generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    marks = []

    def mark(pipe, index, timestep, values):
        marks.append((time.perf_counter(), time.process_time()))
        return values

    with torch.no_grad():
        start = (time.perf_counter(), time.process_time())
        pipe(prompt_embeds=embeds, height=options.side, width=options.side, num_frames=options.frames, num_inference_steps=options.steps, guidance_scale=1.0,
             generator=torch.Generator().manual_seed(1), callback_on_step_end=mark, output_type="latent")
    spans = sorted((after[0] - before[0], after[1] - before[1]) for before, after in zip([start] + marks, marks))
    print(json.dumps({"engine": "diffusers", "side": options.side, "frames": options.frames, "step_s": spans[len(spans) // 2][0],
                      "step_cpu_s": spans[len(spans) // 2][1], "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
