"""Writes Tests/Fixtures/qwen-image/{small,other}: a tiny random Qwen-Image checkpoint and what diffusers computes with it.

    nice -n 10 python Tools/goldens/qwen_image.py Tests/Fixtures/qwen-image

Reference: torch 2.13.0+cpu, diffusers 0.42.1, transformers 5.23.0, one thread. Everything is f32.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import QwenImageImg2ImgPipeline, QwenImageInpaintPipeline, QwenImagePipeline
from diffusers.pipelines.qwenimage.pipeline_qwenimage import calculate_shift
from safetensors.torch import save_file

import qwen_image_checkpoint as checkpoint
from recording import Recorder, generator

torch.set_num_threads(1)
PROMPT = "a red fox over the hill, 1889"
NEGATIVE = "blurry"


def tokens(pipe):
    texts = [PROMPT, NEGATIVE, " ", "", "日本の山と川 🦊", "<|im_start|>user\nhi<|im_end|>"]
    prompts = [pipe.prompt_template_encode.format(text) for text in texts]
    start = pipe.tokenizer(prompts[0].split(PROMPT)[0])["input_ids"]
    assert len(start) == pipe.prompt_template_encode_start_idx, f"{len(start)} tokens stand before the prompt"
    limit = pipe.tokenizer_max_length + pipe.prompt_template_encode_start_idx
    long = pipe.tokenizer(pipe.prompt_template_encode.format("fox " * 900), max_length=limit, truncation=True)["input_ids"]
    return {"texts": texts, "ids": [pipe.tokenizer(prompt)["input_ids"] for prompt in prompts], "long": long}


def modules(pipe, record, spec):
    """The text encoder's layers, rotary angles, a block, the transformer."""
    with torch.no_grad():
        ids = pipe.tokenizer(pipe.prompt_template_encode.format(PROMPT), return_tensors="pt")
        states = pipe.text_encoder(**ids, output_hidden_states=True).hidden_states
        for layer, values in enumerate(states):
            record.keep(f"text.layer.{layer}", values[0])
        # Padding that no token looks at, though its own places count on.
        padded = {"input_ids": torch.cat([ids["input_ids"], torch.full((1, 5), 3)], 1), "attention_mask": torch.tensor([[1] * ids["input_ids"].shape[1] + [0] * 5])}
        record.keep("text.padded", pipe.text_encoder(**padded, output_hidden_states=True).hidden_states[-1][0])
        # Places that differ along the three axes, as a picture's tokens have them.
        count = torch.arange(ids["input_ids"].shape[1])
        places = torch.stack([count, count // 3, 2 + count % 5])[:, None]
        record.keep("text.axes", pipe.text_encoder(**ids, position_ids=places, output_hidden_states=True).hidden_states[-1][0])
        embeds, mask = pipe.encode_prompt(PROMPT, device="cpu")
        assert mask is None
        record.keep("text.hidden", embeds[0])
        record.keep("text.negative", pipe.encode_prompt(NEGATIVE, device="cpu")[0][0])
        transformer = pipe.transformer
        # An odd number of rows and columns is not centred evenly.
        frame, rows, columns = 1, 3, 5
        for name, table in zip(["picture", "text"], transformer.pos_embed([[(frame, rows, columns)]], max_txt_seq_len=embeds.shape[1], device="cpu")):
            record.keep(f"rope.{name}.cos", table.real)
            record.keep(f"rope.{name}.sin", table.imag)
        block = transformer.transformer_blocks[0]

        def keep(_, __, inputs, outputs):
            record.keep("block.picture.in", inputs["hidden_states"][0])
            record.keep("block.text.in", inputs["encoder_hidden_states"][0])
            record.keep("block.time", inputs["temb"])
            record.keep("block.text.out", outputs[0][0])
            record.keep("block.picture.out", outputs[1][0])

        hook = block.register_forward_hook(keep, with_kwargs=True)
        latents = torch.randn((1, rows * columns, spec["transformer"]["in_channels"]), generator=generator(3))
        record.keep("transformer.latents", latents[0])
        output = transformer(latents, embeds, None, torch.tensor([0.3]), [[(frame, rows, columns)]], return_dict=False)[0]
        record.keep("transformer.out", output[0])
        hook.remove()


def vae(pipe, record, spec):
    """Pictures are videos of one frame."""
    with torch.no_grad():
        scale = pipe.vae_scale_factor
        image = torch.rand((1, 3, 1, 6 * scale, 10 * scale), generator=generator(5)) * 2 - 1
        record.keep("vae.image", image[:, :, 0])
        record.keep("vae.moments", pipe.vae.encode(image).latent_dist.parameters[:, :, 0])
        latents = torch.randn((1, spec["vae"]["z_dim"], 1, 6, 10), generator=generator(6))
        record.keep("vae.latents", latents[:, :, 0])
        record.keep("vae.decoded", pipe.vae.decode(latents, return_dict=False)[0][:, :, 0])
        pipe.vae.enable_tiling(8 * scale, 8 * scale, 6 * scale, 6 * scale)
        wide = torch.randn((1, spec["vae"]["z_dim"], 1, 12, 17), generator=generator(8))
        record.keep("vae.tiled.latents", wide[:, :, 0])
        record.keep("vae.tiled.decoded", pipe.vae.decode(wide, return_dict=False)[0][:, :, 0])
        image = torch.rand((1, 3, 1, 12 * scale, 17 * scale), generator=generator(9)) * 2 - 1
        record.keep("vae.tiled.image", image[:, :, 0])
        record.keep("vae.tiled.moments", pipe.vae.encode(image).latent_dist.parameters[:, :, 0])
        pipe.vae.disable_tiling()


def pictures(pipe, record):
    """The three pipelines; `steps` are the packed latents after each step, `[n, patches, channels of a patch]`."""
    scale = pipe.vae_scale_factor * 2
    height, width = 3 * scale, 5 * scale
    common = dict(prompt=PROMPT, height=height, width=width)
    record.picture("text", pipe, num_inference_steps=4, generator=generator(42), **common)
    record.picture("text.cfg", pipe, num_inference_steps=4, true_cfg_scale=3.5, negative_prompt=NEGATIVE, generator=generator(43), **common)
    record.picture("text.default", pipe, num_inference_steps=3, negative_prompt=" ", generator=generator(44), **common)
    record.picture("text.one", pipe, num_inference_steps=2, true_cfg_scale=1.0, negative_prompt=NEGATIVE, generator=generator(45), **common)
    record.picture("text.two", pipe, num_inference_steps=2, num_images_per_prompt=2, generator=generator(46), **common)

    source, mask = record.source(height, width)
    parts = pipe.components
    edit = QwenImageImg2ImgPipeline(**parts)
    record.picture("image", edit, image=source, strength=0.6, num_inference_steps=5, generator=generator(47), **common)
    record.picture("image.cfg", edit, image=source, strength=0.85, num_inference_steps=4, true_cfg_scale=2.0, negative_prompt=NEGATIVE,
        generator=generator(48), **common)
    paint = QwenImageInpaintPipeline(**parts)
    record.picture("inpaint", paint, image=source, mask_image=mask, strength=1.0, num_inference_steps=4, generator=generator(49), **common)
    record.picture("inpaint.partial", paint, image=source, mask_image=mask, strength=0.7, num_inference_steps=5, generator=generator(50), **common)


ADAPTED = ["transformer_blocks.0.attn.to_q", "transformer_blocks.1.attn.add_k_proj", "transformer_blocks.1.img_mlp.net.2",
           "transformer_blocks.0.txt_mod.1", "transformer_blocks.1.attn.to_out.0"]


def adapter(pipe, record, root):
    """A low-rank adapter named as Lightning's are, and a picture with it. Merged here, since that is the same sum."""
    stream, rank, scale = generator(21), 4, 0.8
    plain = {}
    weights = pipe.transformer.state_dict()
    with torch.no_grad():
        for name in ADAPTED:
            weight = weights[name + ".weight"]
            down = torch.randn((rank, weight.shape[1]), generator=stream) * weight.shape[1] ** -0.5
            up = torch.randn((weight.shape[0], rank), generator=stream) * 2
            plain[f"{name}.lora_down.weight"], plain[f"{name}.lora_up.weight"] = down, up * 2
            plain[f"{name}.alpha"] = torch.tensor(rank / 2)
            weight += scale * (up @ down)
        save_file(plain, root / "adapter.safetensors")
        size = pipe.vae_scale_factor * 2
        image = pipe(prompt=PROMPT, height=3 * size, width=5 * size, num_inference_steps=4, generator=generator(51), output_type="np").images
        record.keep("adapter.image", torch.from_numpy(image))


def main(root):
    root.mkdir(parents=True, exist_ok=True)
    for name, spec in [("small", checkpoint.SMALL), ("other", checkpoint.OTHER)]:
        checkpoint.save(checkpoint.pipeline(spec), spec, root / name)
        pipe = QwenImagePipeline.from_pretrained(root / name, torch_dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        record = Recorder()
        modules(pipe, record, spec)
        vae(pipe, record, spec)
        record.schedules(pipe.scheduler, calculate_shift, lambda steps: np.linspace(1.0, 1 / steps, steps))
        pictures(pipe, record)
        (root / f"{name}.tokens.json").write_text(json.dumps(tokens(pipe), ensure_ascii=False))
        if name == "small":
            adapter(pipe, record, root)
        save_file(record.tensors, root / f"{name}.goldens.safetensors")
        if spec["published"]:
            checkpoint.publish(root / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
