"""The same measurements with diffusers on the CPU, bf16.

    nice -n 0 python Benchmarks/image/diffusers_benchmark.py FOLDER --side 256 --steps 3
"""

import argparse
import json
import resource
import time

import torch
from diffusers import ZImagePipeline


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("--side", type=int, default=256)
    arguments.add_argument("--steps", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    start = time.perf_counter()
    pipe = ZImagePipeline.from_pretrained(options.folder, torch_dtype=torch.bfloat16)
    # Mapped weights are not loaded yet: touch every page, as the other side has them in memory.
    for component in (pipe.transformer, pipe.text_encoder, pipe.vae):
        for parameter in component.parameters():
            parameter.data.view(-1)[::2048].float().sum()
    load = time.perf_counter() - start
    pipe.set_progress_bar_config(disable=True)
    prompt = "a red fox runs over the green hill while the sun is setting behind the mountains"
    with torch.no_grad():
        start, processor = time.perf_counter(), time.process_time()
        embeds, _ = pipe.encode_prompt(prompt, do_classifier_free_guidance=False, device="cpu")
        text, text_cpu = time.perf_counter() - start, time.process_time() - processor
        marks = []

        def mark(pipe, index, timestep, values):
            marks.append(time.perf_counter())
            return values

        start, processor = time.perf_counter(), time.process_time()
        latents = pipe(prompt_embeds=embeds, height=options.side, width=options.side, num_inference_steps=options.steps, guidance_scale=0.0,
                       generator=torch.Generator().manual_seed(1), callback_on_step_end=mark, output_type="latent").images
        steps_cpu = (time.process_time() - processor) / options.steps
        steps = sorted(after - before for before, after in zip([start] + marks, marks))
        start, processor = time.perf_counter(), time.process_time()
        pipe.vae.decode(latents.to(torch.bfloat16) / pipe.vae.config.scaling_factor + pipe.vae.config.shift_factor)
        decode, decode_cpu = time.perf_counter() - start, time.process_time() - processor
    print(json.dumps({"engine": "diffusers", "side": options.side, "load_s": load, "text_s": text, "step_s": steps[len(steps) // 2],
                      "decode_s": decode, "text_cpu_s": text_cpu, "step_cpu_s": steps_cpu, "decode_cpu_s": decode_cpu, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
