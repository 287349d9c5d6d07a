"""Writes Tests/Fixtures/zimage/{small,other}: a tiny random Z-Image checkpoint and what diffusers computes with it.

    nice -n 10 python Tools/goldens/zimage.py Tests/Fixtures/zimage

Reference: torch 2.13.0+cpu, diffusers 0.42.1, transformers 5.23.0, one thread. Everything is f32.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import ZImageImg2ImgPipeline, ZImageInpaintPipeline, ZImagePipeline
from diffusers.pipelines.z_image.pipeline_z_image import calculate_shift, get_default_z_image_sigmas
from safetensors.torch import save_file

import zimage_checkpoint as checkpoint
from recording import Recorder, generator

torch.set_num_threads(1)
PROMPT = "a red fox over the hill, 1889"
NEGATIVE = "blurry"
TEXTS = [
    PROMPT, NEGATIVE, "", " ", "it's the fox, they've RUN'LL!", "drei  große\tÄpfel\n\n über", "A\u0308pfel e\u0301",
    "日本の山と川 🦊👩‍👩‍👧", "1234567 3.14", "<|im_start|>user\nhi<|im_end|> <think>x</think>", "   leading and trailing   ",
    "a\r\n\r\nb \u00a0\u2003c", "snake_case --flag==1 ($5)",
]


def tokens(pipe):
    template = [pipe.tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False,
                                                   add_generation_prompt=True, enable_thinking=True) for text in TEXTS]
    return {
        "texts": TEXTS,
        "ids": [pipe.tokenizer(text)["input_ids"] for text in TEXTS],
        "prompts": template,
        "prompt_ids": [pipe.tokenizer(text, truncation=True, max_length=512)["input_ids"] for text in template],
        "long": pipe.tokenizer("fox " * 900, truncation=True, max_length=512)["input_ids"],
    }


def modules(pipe, record, spec):
    """Text encoder, RoPE, each kind of block, the transformer."""
    with torch.no_grad():
        embeds, negative = pipe.encode_prompt(PROMPT, do_classifier_free_guidance=True, negative_prompt=NEGATIVE, device="cpu")
        record.keep("text.hidden", embeds[0])
        record.keep("text.negative", negative[0])
        transformer = pipe.transformer
        hooks = [record.hook(transformer.noise_refiner[0], "noise_refiner"),
                 record.hook(transformer.context_refiner[0], "context_refiner"),
                 record.hook(transformer.layers[0], "layer"),
                 record.hook(transformer.t_embedder, "t_embedder")]
        latents = torch.randn((spec["transformer"]["in_channels"], 1, 6, 10), generator=generator(3))
        record.keep("transformer.latents", latents)
        record.keep("transformer.t", torch.tensor([0.3]))
        output = transformer([latents], torch.tensor([0.3]), [embeds[0]], return_dict=False)[0][0]
        record.keep("transformer.out", output)
        for hook in hooks:
            hook.remove()
        length = embeds[0].shape[0]
        padded = length + (-length) % 32
        _, positions, _, _, _ = transformer._pad_with_ids(torch.zeros(15, 1), (1, 3, 5), (padded + 1, 0, 0), "cpu")
        table = transformer.rope_embedder(positions)
        record.keep("rope.cos", table.real)
        record.keep("rope.sin", table.imag)
        record.keep("rope.positions", positions)


def vae(pipe, record, spec):
    with torch.no_grad():
        image = torch.rand((1, 3, 24, 40), generator=generator(5)) * 2 - 1
        record.keep("vae.image", image)
        record.keep("vae.moments", pipe.vae.encode(image).latent_dist.parameters)
        latents = torch.randn((1, spec["vae"]["latent_channels"], 6, 10), generator=generator(6))
        record.keep("vae.latents", latents)
        record.keep("vae.decoded", pipe.vae.decode(latents, return_dict=False)[0])
        large = torch.randn((1, spec["vae"]["latent_channels"], 20, 28), generator=generator(8))
        record.keep("vae.tiled.latents", large)
        pipe.vae.enable_tiling()
        record.keep("vae.tiled.decoded", pipe.vae.decode(large, return_dict=False)[0])
        wide = torch.rand((1, 3, 40, 72), generator=generator(9)) * 2 - 1
        record.keep("vae.tiled.image", wide)
        record.keep("vae.tiled.moments", pipe.vae.encode(wide).latent_dist.parameters)
        pipe.vae.disable_tiling()


def pictures(pipe, record):
    """The three pipelines; `steps` are the latents after each step, `[n, channels, height, width]`."""
    scale = pipe.vae_scale_factor * 2
    height, width = 6 * scale, 10 * scale
    common = dict(prompt=PROMPT, height=height, width=width)
    record.picture("text", pipe, num_inference_steps=4, guidance_scale=0.0, generator=generator(42), **common)
    record.picture("text.cfg", pipe, num_inference_steps=4, guidance_scale=3.5, negative_prompt=NEGATIVE, generator=generator(43), **common)
    record.picture("text.cfgnorm", pipe, num_inference_steps=5, guidance_scale=6.0, cfg_normalization=True, cfg_truncation=0.6,
        generator=generator(44), **common)
    record.picture("text.two", pipe, num_inference_steps=2, guidance_scale=0.0, num_images_per_prompt=2, generator=generator(45), **common)

    source, mask = record.source(height, width)
    edit = ZImageImg2ImgPipeline(**pipe.components)
    record.picture("image", edit, image=source, strength=0.6, num_inference_steps=5, guidance_scale=0.0, generator=generator(46), **common)
    record.picture("image.cfg", edit, image=source, strength=0.85, num_inference_steps=4, guidance_scale=2.0, generator=generator(47), **common)
    paint = ZImageInpaintPipeline(**pipe.components)
    record.picture("inpaint", paint, image=source, mask_image=mask, strength=1.0, num_inference_steps=4, guidance_scale=0.0,
        generator=generator(48), **common)
    record.picture("inpaint.partial", paint, image=source, mask_image=mask, strength=0.7, num_inference_steps=5, guidance_scale=0.0,
        generator=generator(49), **common)


ADAPTED = ["layers.0.attention.to_q", "layers.1.attention.to_out.0", "layers.1.feed_forward.w2", "context_refiner.0.attention.to_v",
           "noise_refiner.0.adaLN_modulation.0"]


def adapter(pipe, record, root):
    """A low-rank adapter in the two usual namings, and a picture with it. Merged here, since that is the same sum."""
    stream, rank, scale = generator(21), 4, 0.8
    plain, flat = {}, {}
    weights = pipe.transformer.state_dict()
    with torch.no_grad():
        for name in ADAPTED:
            weight = weights[name + ".weight"]
            down = torch.randn((rank, weight.shape[1]), generator=stream) * weight.shape[1] ** -0.5
            up = torch.randn((weight.shape[0], rank), generator=stream) * 0.5
            plain[f"transformer.{name}.lora_A.weight"], plain[f"transformer.{name}.lora_B.weight"] = down, up
            key = "lora_unet_" + name.replace(".", "_")
            flat[f"{key}.lora_down.weight"], flat[f"{key}.lora_up.weight"] = down, up * 2
            flat[f"{key}.alpha"] = torch.tensor(rank / 2)
            weight += scale * (up @ down)
        save_file(plain, root / "adapter.safetensors")
        save_file(flat, root / "adapter-flat.safetensors")
        size = pipe.vae_scale_factor * 2
        image = pipe(prompt=PROMPT, height=6 * size, width=10 * size, num_inference_steps=4, guidance_scale=0.0, generator=generator(50),
                     output_type="np").images
        record.keep("adapter.image", torch.from_numpy(image))


def noise():
    record = Recorder()
    for seed in [0, 42, 2**32 + 5, 2**53 - 1]:
        stream = generator(seed)
        for place, count in enumerate([5, 16, 37, 3, 128, 17]):
            record.keep(f"{seed}.{place}.{count}", torch.randn(count, generator=stream))
    return record.tensors


def main(root):
    root.mkdir(parents=True, exist_ok=True)
    save_file(noise(), root / "randn.safetensors")
    for name, spec in [("small", checkpoint.SMALL), ("other", checkpoint.OTHER)]:
        pipe = checkpoint.pipeline(spec)
        pipe.set_progress_bar_config(disable=True)
        checkpoint.save(pipe, root / name)
        pipe = ZImagePipeline.from_pretrained(root / name, torch_dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        record = Recorder()
        modules(pipe, record, spec)
        vae(pipe, record, spec)
        record.schedules(pipe.scheduler, calculate_shift, get_default_z_image_sigmas)
        pictures(pipe, record)
        if name == "small":
            adapter(pipe, record, root)
        save_file(record.tensors, root / f"{name}.goldens.safetensors")
        (root / f"{name}.tokens.json").write_text(json.dumps(tokens(pipe), ensure_ascii=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
