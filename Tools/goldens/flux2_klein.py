"""Writes Tests/Fixtures/flux2-klein/{small,other}: a tiny random FLUX.2-klein checkpoint and what diffusers computes with it.

    nice -n 10 python Tools/goldens/flux2_klein.py Tests/Fixtures/flux2-klein

Reference: torch 2.13.0+cpu, diffusers 0.42.1, transformers 5.23.0, one thread. Everything is f32.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import Flux2KleinInpaintPipeline, Flux2KleinPipeline
from diffusers.pipelines.flux2.image_processor import Flux2ImageProcessor
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from PIL import Image
from safetensors.torch import save_file

import flux2_klein_checkpoint as checkpoint
from recording import Recorder, generator

torch.set_num_threads(1)
PROMPT = "a red fox over the hill, 1889"
NEGATIVE = "blurry"
LIMIT = 512


def ids(pipe, text):
    """A prompt in the chat's form, as the pipeline cuts it off; without padding."""
    chat = pipe.tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True,
                                              enable_thinking=False)
    return pipe.tokenizer(chat, truncation=True, max_length=LIMIT)["input_ids"]


def tokens(pipe):
    texts = [PROMPT, NEGATIVE, " ", "", "日本の山と川 🦊", "<|im_start|>user\nhi<|im_end|>"]
    return {"texts": texts, "ids": [ids(pipe, text) for text in texts], "long": ids(pipe, "fox " * 900),
            "padding": pipe.tokenizer.pad_token_id}


def text(pipe, record):
    """States of three layers side by side, of 512 tokens: the prompt's, and those of the padding, which sees the prompt."""
    with torch.no_grad():
        record.keep("text.hidden", pipe.encode_prompt(PROMPT)[0][0])
        # A prompt that fills all places.
        record.keep("text.long.last", pipe.encode_prompt("fox " * 900)[0][0, -3:])


def modules(pipe, record, spec):
    """Rotary angles, a block of each kind, the transformer, beside two pictures of other sizes."""
    transformer = pipe.transformer
    stream = generator(3)
    channels, width = spec["transformer"]["in_channels"], spec["transformer"]["joint_attention_dim"]
    # Rows and columns of the picture, then of the references.
    shapes = [(3, 5), (2, 4), (4, 1)]
    parts = [torch.randn((1, channels, rows, columns), generator=stream) for rows, columns in shapes]
    states = torch.randn((1, 11, width), generator=stream)
    places = torch.cat([pipe._prepare_latent_ids(parts[0]), pipe._prepare_image_ids(parts[1:])], dim=1)
    text_places = pipe._prepare_text_ids(states)
    latents = torch.cat([pipe._pack_latents(part) for part in parts], dim=1)
    kept = {}

    def keep(name):
        def run(_, __, inputs, outputs):
            if name in kept:
                return
            kept[name] = True
            for key in ["hidden_states", "encoder_hidden_states", "temb_mod_img", "temb_mod_txt", "temb_mod"]:
                if inputs.get(key) is not None:
                    record.keep(f"{name}.{key}", inputs[key][0])
            for place, output in enumerate(outputs if isinstance(outputs, tuple) else [outputs]):
                record.keep(f"{name}.out.{place}", output[0])
        return run

    hooks = [transformer.transformer_blocks[0].register_forward_hook(keep("double"), with_kwargs=True),
             transformer.single_transformer_blocks[0].register_forward_hook(keep("single"), with_kwargs=True)]
    with torch.no_grad():
        for name, ids in [("picture", places), ("text", text_places)]:
            cos, sin = transformer.pos_embed(ids[0])
            # Each angle stands twice.
            record.keep(f"rope.{name}.cos", cos[:, ::2])
            record.keep(f"rope.{name}.sin", sin[:, ::2])
        record.keep("transformer.latents", latents[0])
        record.keep("transformer.states", states[0])
        output = transformer(latents, states, torch.tensor([0.3]), places, text_places, return_dict=False)[0]
        # The references' own places are cut away.
        record.keep("transformer.out", output[0, :15])
        alone = transformer(latents[:, :15], states, torch.tensor([0.7]), places[:, :15], text_places, return_dict=False)[0]
        record.keep("transformer.alone", alone[0])
    for hook in hooks:
        hook.remove()


def vae(pipe, record, spec):
    with torch.no_grad():
        scale, channels = pipe.vae_scale_factor, spec["vae"]["latent_channels"]
        image = torch.rand((1, 3, 6 * scale, 10 * scale), generator=generator(5)) * 2 - 1
        record.keep("vae.image", image)
        record.keep("vae.encoded", pipe._encode_vae_image(image, None))
        latents = torch.randn((1, channels * 4, 3, 5), generator=generator(6))
        record.keep("vae.latents", latents)

        def decode(latents):
            deviation = torch.sqrt(pipe.vae.bn.running_var.view(1, -1, 1, 1) + pipe.vae.config.batch_norm_eps)
            latents = latents * deviation + pipe.vae.bn.running_mean.view(1, -1, 1, 1)
            return pipe.vae.decode(pipe._unpatchify_latents(latents), return_dict=False)[0]

        record.keep("vae.decoded", decode(latents))
        pipe.vae.enable_tiling()
        assert pipe.vae.tile_latent_min_size == 8
        wide = torch.randn((1, channels * 4, 7, 9), generator=generator(8))
        record.keep("vae.tiled.latents", wide)
        record.keep("vae.tiled.decoded", decode(wide))
        image = torch.rand((1, 3, 12 * scale, 18 * scale), generator=generator(9)) * 2 - 1
        record.keep("vae.tiled.image", image)
        record.keep("vae.tiled.encoded", pipe._encode_vae_image(image, None))
        pipe.vae.disable_tiling()


def schedules(pipe, record):
    for steps, length in [(1, 64), (4, 60), (4, 4096), (9, 1024), (50, 4096), (50, 4300), (4, 4301)]:
        pipe.scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=compute_empirical_mu(length, steps))
        record.keep(f"sigmas.{steps}.{length}", pipe.scheduler.sigmas)
        record.keep(f"timesteps.{steps}.{length}", pipe.scheduler.timesteps)


def picture(record, name, width, height, seed):
    """A picture of whole bytes, as files hold it, kept as `[1, 3, height, width]`."""
    small = np.random.default_rng(seed).integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    record.keep(name, torch.from_numpy(np.asarray(image).astype(np.float32) / 255).permute(2, 0, 1)[None])
    return image


def pictures(pipe, record):
    """The pipelines; `steps` are the packed latents after each step, `[n, patches, channels of a patch]`."""
    scale = pipe.vae_scale_factor * 2
    common = dict(prompt=PROMPT, height=3 * scale, width=5 * scale)
    record.picture("text", pipe, num_inference_steps=4, guidance_scale=4.0, generator=generator(42), **common)
    record.picture("text.plain", pipe, num_inference_steps=3, guidance_scale=1.0, generator=generator(43), **common)
    record.picture("text.two", pipe, num_inference_steps=2, num_images_per_prompt=2, guidance_scale=2.5, generator=generator(44), **common)
    # Of sizes that are no multiples, and smaller and larger than what is drawn; no reference may have a side under 64 pixels.
    references = [picture(record, f"reference.{place}", width, height, place) for place, (width, height) in enumerate([(64, 83), (101, 67), (70, 64)])]
    record.picture("edit.one", pipe, image=references[0], num_inference_steps=4, guidance_scale=3.0, generator=generator(45), **common)
    record.picture("edit.three", pipe, image=references, num_inference_steps=3, guidance_scale=4.0, generator=generator(46), **common)
    # The first picture says the size.
    record.picture("edit.own", pipe, prompt=PROMPT, image=references[:2], num_inference_steps=2, guidance_scale=1.0, num_images_per_prompt=2,
                   generator=generator(47))

    width, height = 6 * scale, 5 * scale
    source = picture(record, "source", width, height, 7)
    mask = np.zeros((height, width), dtype=np.uint8)
    # Its edge cuts through patches: their shares are between 0 and 1.
    mask[height // 4 + scale // 2:, width // 3 + scale // 2:] = 255
    record.keep("mask", torch.from_numpy(mask.astype(np.float32) / 255)[None, None])
    paint = Flux2KleinInpaintPipeline(**pipe.components, is_distilled=pipe.config.is_distilled)
    paint.set_progress_bar_config(disable=True)

    def inpaint(name, mask, steps, strength, seed, scale=4.0, **fields):
        record.picture(name, paint, prompt=PROMPT, image=source, mask_image=Image.fromarray(mask), num_inference_steps=steps,
                       strength=strength, guidance_scale=scale, generator=generator(seed), **fields)

    inpaint("inpaint", mask, 4, 1.0, 48)
    inpaint("inpaint.partial", mask, 5, 0.7, 49, scale=1.0)
    inpaint("inpaint.reference", mask, 3, 1.0, 50, image_reference=references[1])
    # All of it drawn: a picture that is left in part.
    inpaint("image", np.full_like(mask, 255), 5, 0.6, 51)


def sizes():
    """What becomes of references: the size of a file, the size after resizing, the size after cropping to multiples of 16."""
    table = []
    for width, height in [(64, 64), (1024, 1024), (1025, 1024), (2000, 1000), (1337, 2011), (512, 3000), (4000, 500), (97, 71), (1023, 1031)]:
        image = Flux2ImageProcessor._resize_if_exceeds_area(Image.new("RGB", (width, height)))
        table.append([[width, height], list(image.size), [side // 16 * 16 for side in image.size]])
    return table


#: The publisher's names of modules, and diffusers': of three matrices side by side, of a part of a block, of a fused one.
OWN = {"double_blocks.0.img_attn.qkv": ["transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.to_k", "transformer_blocks.0.attn.to_v"],
       "double_blocks.1.txt_attn.qkv": ["transformer_blocks.1.attn.add_q_proj", "transformer_blocks.1.attn.add_k_proj",
                                        "transformer_blocks.1.attn.add_v_proj"],
       "double_blocks.1.txt_mlp.2": ["transformer_blocks.1.ff_context.linear_out"],
       "double_blocks.0.img_attn.proj": ["transformer_blocks.0.attn.to_out.0"],
       "single_blocks.1.linear1": ["single_transformer_blocks.1.attn.to_qkv_mlp_proj"],
       "single_blocks.0.linear2": ["single_transformer_blocks.0.attn.to_out"],
       "single_stream_modulation.lin": ["single_stream_modulation.linear"]}
ADAPTED = ["transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.add_k_proj", "transformer_blocks.0.ff.linear_in",
           "transformer_blocks.0.ff_context.linear_out", "single_transformer_blocks.1.attn.to_qkv_mlp_proj",
           "single_transformer_blocks.0.attn.to_out", "double_stream_modulation_img.linear"]


def adapter(pipe, record, root):
    """Low-rank adapters in PEFT's and the publisher's naming, and pictures with them. Merged here, since that is the same sum."""
    stream, rank, scale = generator(21), 4, 0.8
    plain, own = {}, {}
    weights = pipe.transformer.state_dict()
    before = {name: weight.clone() for name, weight in weights.items()}
    size = pipe.vae_scale_factor * 2
    common = dict(prompt=PROMPT, height=3 * size, width=5 * size, num_inference_steps=4, output_type="np")
    with torch.no_grad():
        for name in ADAPTED:
            weight = weights[name + ".weight"]
            down = torch.randn((rank, weight.shape[1]), generator=stream) * weight.shape[1] ** -0.5
            up = torch.randn((weight.shape[0], rank), generator=stream)
            plain[f"transformer.{name}.lora_A.weight"], plain[f"transformer.{name}.lora_B.weight"] = down, up
            weight += scale * (up @ down)
        save_file(plain, root / "adapter.safetensors")
        record.keep("adapter.image", torch.from_numpy(pipe(generator=generator(52), **common).images))
        pipe.transformer.load_state_dict(before)
        for name, modules in OWN.items():
            parts = [weights[module + ".weight"] for module in modules]
            down = torch.randn((rank, parts[0].shape[1]), generator=stream) * parts[0].shape[1] ** -0.5
            up = torch.randn((sum(len(part) for part in parts), rank), generator=stream)
            own[f"diffusion_model.{name}.lora_down.weight"], own[f"diffusion_model.{name}.lora_up.weight"] = down, up * 2
            own[f"diffusion_model.{name}.alpha"] = torch.tensor(rank / 2)
            for part, rows in zip(parts, up.chunk(len(parts))):
                part += scale * (rows @ down)
        save_file(own, root / "adapter-own.safetensors")
        record.keep("adapter-own.image", torch.from_numpy(pipe(generator=generator(53), **common).images))


def main(root):
    root.mkdir(parents=True, exist_ok=True)
    for name, spec in [("small", checkpoint.SMALL), ("other", checkpoint.OTHER)]:
        checkpoint.save(checkpoint.pipeline(spec), spec, root / name)
        pipe = Flux2KleinPipeline.from_pretrained(root / name, torch_dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        record = Recorder()
        text(pipe, record)
        modules(pipe, record, spec)
        vae(pipe, record, spec)
        schedules(pipe, record)
        pictures(pipe, record)
        described = tokens(pipe) | {"sizes": sizes()}
        (root / f"{name}.json").write_text(json.dumps(described, ensure_ascii=False))
        if name == "small":
            adapter(pipe, record, root)
        save_file(record.tensors, root / f"{name}.goldens.safetensors")
        if spec["published"]:
            checkpoint.publish(root / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
