"""Writes Tests/Fixtures/wan: tiny random Wan checkpoints and what diffusers computes with them.

    nice -n 10 python Tools/goldens/wan.py Tests/Fixtures/wan

Reference: torch 2.13.0+cpu, diffusers 0.42.1, transformers 5.23.0, sentencepiece 0.2.3, one thread. Everything is f32.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanImageToVideoPipeline, WanPipeline
from safetensors.torch import save_file

import wan_checkpoint
from recording import Recorder, generator

torch.set_num_threads(1)
PROMPT = "A red fox runs over the hill, it's 1889"
NEGATIVE = "blurred details, 过曝"
TEXTS = [
    PROMPT, NEGATIVE, "", " ", "▁", "it's the fox, they've RUN'LL!", "drei  große\tÄpfel\n\n über", "A\u0308pfel e\u0301 \ufb01n ﾊﾝｶｸ ｶﾞ",
    "日本の山と川 🦊👩‍👩‍👧 ㌔", "1234567 3.14 ①②½", "   leading and trailing   ", "a\r\n\r\nb \u00a0\u2003c\u200bd", "snake_case --flag==1 ($5)",
    "hi <extra_id_0> there<extra_id_1>", "</s> in <pad>between", "ﷺ x\u0000y Ｆｕｌｌ，ｗｉｄｔｈ", "каша и क्षेत्र",
]


def tokens(pipe):
    return {
        "texts": TEXTS,
        "ids": [pipe.tokenizer(text)["input_ids"] for text in TEXTS],
        "long": pipe.tokenizer("fox hill " * 400, truncation=True, max_length=512)["input_ids"],
    }


def modules(pipe, record, spec):
    """Text encoder, rotary angles, a block and its parts, the transformer; with one time, and with one for each token."""
    seen = {}
    with torch.no_grad():
        if "clip" in spec:
            image = shown(picture(spec["size"]))
            record.keep("clip.pixels", pipe.image_processor(images=image, return_tensors="pt")["pixel_values"])
            seen = dict(encoder_hidden_states_image=pipe.encode_image(image, "cpu"))
            record.keep("clip.states", seen["encoder_hidden_states_image"])
        embeds, negative = pipe.encode_prompt(PROMPT, negative_prompt=NEGATIVE, max_sequence_length=512, device="cpu")
        count = len(pipe.tokenizer(PROMPT)["input_ids"])
        assert embeds[0, count:].abs().max() == 0
        record.keep("text.states", embeds[0, :count])
        record.keep("text.negative", negative[0, :len(pipe.tokenizer(NEGATIVE)["input_ids"])])
        transformer = pipe.transformer
        block = transformer.blocks[1]
        hooks = [record.hook(block, "block"), record.hook(block.attn1, "attn1"), record.hook(block.attn2, "attn2"), record.hook(block.ffn, "ffn")]
        latents = torch.randn((1, spec["transformer"]["in_channels"], 3, 4, 6), generator=generator(3))
        record.keep("transformer.latents", latents)
        record.keep("transformer.out", transformer(latents, torch.tensor([737]), embeds, return_dict=False, **seen)[0])
        for hook in hooks:
            hook.remove()
        times = torch.tensor([[0.0] * 6 + [641.0] * 12])
        record.keep("transformer.times.out", transformer(latents, times, embeds, return_dict=False, **seen)[0])
        temb, projection, text, _ = transformer.condition_embedder(torch.tensor([737]), embeds, None)
        record.keep("time", temb)
        record.keep("time.projection", projection)
        record.keep("text.embedded", text[0, :count + 1])
        cos, sin = transformer.rope(latents)
        record.keep("rope.cos", cos[0, :, 0, 0::2])
        record.keep("rope.sin", sin[0, :, 0, 1::2])


def videos(pipe, record, runs, size):
    """`steps` are the latents after each step, `[n, channels, frames, height, width]`; `frames` are `[frames, height, width, 3]`."""
    width, height, frames = size
    for name, arguments in runs.items():
        steps = []

        def step(_, index, timestep, values):
            steps.append(values["latents"][0].clone())
            return values

        run = arguments.pop("pipe", pipe)
        run.set_progress_bar_config(disable=True)
        count = arguments.pop("frames", frames)
        video = run(prompt=PROMPT, height=height, width=width, num_frames=count, callback_on_step_end=step, output_type="np", **arguments).frames
        record.keep(f"{name}.steps", torch.stack(steps))
        record.keep(f"{name}.frames", torch.from_numpy(video[0]))


def picture(size):
    """Of eight bits, so that it is the same however it is handed on."""
    width, height, _ = size
    return torch.randint(0, 256, (1, 3, height, width), generator=generator(12)).float() / 255


def shown(pixels):
    return Image.fromarray((pixels[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))


def all_videos(name, pipe, record, spec):
    size = spec["size"]
    if name == "t2v":
        parts = {**pipe.components, "scheduler": FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0)}
        euler = WanPipeline(**parts, boundary_ratio=None, expand_timesteps=False)
        videos(pipe, record, {
            "text": dict(num_inference_steps=4, guidance_scale=4.0, negative_prompt=NEGATIVE, generator=generator(42)),
            "plain": dict(frames=5, num_inference_steps=3, guidance_scale=1.0, generator=generator(43)),
            "euler": dict(frames=5, pipe=euler, num_inference_steps=3, guidance_scale=2.0, generator=generator(44)),
        }, size)
        return
    record.keep("picture", picture(size))
    if name == "ti2v":
        start = WanImageToVideoPipeline(**pipe.components, boundary_ratio=None, expand_timesteps=True)
        videos(pipe, record, {
            "text": dict(num_inference_steps=3, guidance_scale=5.0, negative_prompt=NEGATIVE, generator=generator(45)),
            "picture": dict(pipe=start, image=picture(size), num_inference_steps=3, guidance_scale=3.0, generator=generator(46)),
        }, size)
    elif name == "i2v":
        videos(pipe, record, {
            "picture": dict(image=shown(picture(size)), num_inference_steps=3, guidance_scale=4.0, negative_prompt=NEGATIVE, generator=generator(48)),
        }, size)
    else:
        videos(pipe, record, {
            "picture": dict(image=picture(size), num_inference_steps=5, guidance_scale=3.5, guidance_scale_2=2.0, negative_prompt=NEGATIVE,
                            generator=generator(47)),
        }, size)


ADAPTED = {
    "blocks.0.attn1.to_q": "blocks.0.self_attn.q", "blocks.1.attn2.to_v": "blocks.1.cross_attn.v", "blocks.1.attn1.to_out.0": "blocks.1.self_attn.o",
    "blocks.0.ffn.net.0.proj": "blocks.0.ffn.0", "blocks.1.ffn.net.2": "blocks.1.ffn.2",
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
}


def adapter(pipe, record, root, size):
    """A low-rank adapter under diffusers' names and under Wan's own, and a video with it. Merged here, since that is the same sum."""
    stream, rank, scale = generator(21), 4, 0.8
    plain, own = {}, {}
    weights = pipe.transformer.state_dict()
    with torch.no_grad():
        for name, original in ADAPTED.items():
            weight = weights[name + ".weight"]
            down = torch.randn((rank, weight.shape[1]), generator=stream) * weight.shape[1] ** -0.5
            up = torch.randn((weight.shape[0], rank), generator=stream) * 0.5
            plain[f"transformer.{name}.lora_A.weight"], plain[f"transformer.{name}.lora_B.weight"] = down, up
            key = "diffusion_model." + original
            own[f"{key}.lora_down.weight"], own[f"{key}.lora_up.weight"], own[f"{key}.alpha"] = down, up * 2, torch.tensor(rank / 2)
            weight += scale * up @ down
    save_file(plain, root / "adapter.safetensors")
    save_file(own, root / "adapter-own.safetensors")
    videos(pipe, record, {"adapter": dict(frames=5, num_inference_steps=2, guidance_scale=1.0, generator=generator(50))}, size)


SCHEDULERS = {
    "unipc": UniPCMultistepScheduler(flow_shift=3.0, **wan_checkpoint.UNIPC),
    "unipc.third": UniPCMultistepScheduler(flow_shift=5.0, solver_order=3, **wan_checkpoint.UNIPC),
    "unipc.uncorrected": UniPCMultistepScheduler(flow_shift=8.0, disable_corrector=[0, 2], **wan_checkpoint.UNIPC),
    "unipc.minimum": UniPCMultistepScheduler(flow_shift=1.0, solver_type="bh1", final_sigmas_type="sigma_min", **wan_checkpoint.UNIPC),
    "euler": FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0),
    "euler.plain": FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000),
}


def schedulers(root):
    """Noise levels, and latents after every step for given velocities."""
    record = Recorder()
    folder = root / "schedulers"
    for name, scheduler in SCHEDULERS.items():
        scheduler.save_pretrained(folder)
        (folder / "scheduler_config.json").rename(folder / f"{name}.json")
        for steps in [1, 2, 7, 50]:
            scheduler.set_timesteps(steps)
            record.keep(f"{name}.{steps}.sigmas", scheduler.sigmas)
            record.keep(f"{name}.{steps}.timesteps", scheduler.timesteps)
            latents = torch.randn((1, 2, 9), generator=generator(steps))
            velocities = torch.randn((steps, 1, 2, 9), generator=generator(100 + steps))
            record.keep(f"{name}.{steps}.latents", latents)
            record.keep(f"{name}.{steps}.velocities", velocities)
            after = []
            scheduler.set_begin_index(0)
            for index, time in enumerate(scheduler.timesteps):
                latents = scheduler.step(velocities[index], time, latents, return_dict=False)[0]
                after.append(latents)
            record.keep(f"{name}.{steps}.after", torch.stack(after))
    save_file(record.tensors, root / "schedulers.goldens.safetensors")


def main(root):
    root.mkdir(parents=True, exist_ok=True)
    schedulers(root)
    for name, spec in [("t2v", wan_checkpoint.T2V), ("ti2v", wan_checkpoint.TI2V), ("a14b", wan_checkpoint.A14B), ("i2v", wan_checkpoint.I2V)]:
        pipe = wan_checkpoint.pipeline(spec)
        wan_checkpoint.save(pipe, spec, root / name)
        record = Recorder()
        modules(pipe, record, spec)
        all_videos(name, pipe, record, spec)
        if name == "t2v":
            adapter(pipe, record, root, spec["size"])
        save_file(record.tensors, root / f"{name}.goldens.safetensors")
        (root / f"{name}.tokens.json").write_text(json.dumps(tokens(pipe), ensure_ascii=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
