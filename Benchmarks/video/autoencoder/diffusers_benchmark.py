"""The same measurements with diffusers on the CPU.

    python Benchmarks/video/diffusers_benchmark.py FOLDER --width 256 --height 256 --latents 3 [--type float32] [--encode]
"""

import argparse
import json
import resource
import time

import torch
from diffusers import AutoencoderKLWan


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("--width", type=int, default=256)
    arguments.add_argument("--height", type=int, default=256)
    arguments.add_argument("--latents", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument("--type", choices=["float32", "bfloat16"], default="float32")
    arguments.add_argument("--encode", action="store_true")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    kind = getattr(torch, options.type)
    model = AutoencoderKLWan.from_pretrained(options.folder, torch_dtype=kind).eval()
    # Mapped weights are not loaded yet: touch every page, as the other side has them in memory.
    for parameter in model.parameters():
        parameter.data.view(-1)[::512].float().sum()
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    scale = model.config.scale_factor_spatial
    with torch.no_grad():
        stream = torch.Generator().manual_seed(1)
        if options.encode:
            source = (torch.rand((1, 3, 1 + 4 * (options.latents - 1), options.height, options.width), generator=stream) * 2 - 1).to(kind)
        else:
            source = torch.randn((1, model.config.z_dim, options.latents, options.height // scale, options.width // scale), generator=stream).to(kind)
        start, processor = time.perf_counter(), time.process_time()
        if options.encode:
            model.encode(source)
        else:
            model.decode(source)
        wall, cpu = time.perf_counter() - start, time.process_time() - processor
    print(json.dumps({"engine": "diffusers", "type": options.type, "work": "encode" if options.encode else "decode", "width": options.width, "height": options.height,
                      "frames": 1 + 4 * (options.latents - 1), "wall_s": wall, "cpu_s": cpu, "loaded_bytes": loaded,
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
