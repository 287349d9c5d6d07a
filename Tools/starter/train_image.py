"""Trains the text encoder and the transformer of omni-emoji together, on cached latents, by flow matching.

    python train_image.py --steps 20000 --cooldown 0.25

x_sigma = (1 - sigma) x0 + sigma noise; the network is given t = 1 - sigma and learns x0 - noise, which ZImagePipeline
negates before the scheduler's Euler step. Resumes from STATE/image.pt by itself.
"""

import argparse
import random
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file

import common
import data
import model
import train_vae
from muon import Muon

BLANK = ""


def vae(folder=None):
    """The autoencoder whose latents are learned, the size of the pictures it takes, its training step. Without checkpoints of our own
    (another machine), the published one in `folder`: it takes 256 pixels and finds the same latents."""
    state = common.load(common.STATE / "vae-base.pt")
    if state is None:
        return AutoencoderKL.from_pretrained(folder, subfolder="vae").float().requires_grad_(False).eval(), 256, -1
    v = train_vae.make(tuple(state["channels"]))
    v.load_state_dict(state["average"])
    return v.requires_grad_(False).eval(), 128, state["step"]


class Cache:
    """Latents of composed pictures, each with the seed that drew it (a caption is drawn anew at every use).

    It starts with `count` of them, kept on disk, and takes in a few new ones at every step of the training. Each process
    has its own. `scale` holds the scalars that make latents mean 0 and deviation 1, fixed by the first cache of an
    autoencoder (`version` is its training step): later ones and the export use the same."""

    def __init__(self, encoder, version, px, count, tier, first_seed, rank):
        self.encoder, self.px, self.tier = encoder, px, tier
        self.next_seed = first_seed + rank * 100_000_000
        path = common.STATE / f"latents-v{version}-t{tier}-s{self.next_seed}-{count}.pt"
        state, start = common.load(path), time.time()
        if state is None:
            self.latents, self.seeds = [], []
            while len(self.seeds) < count:
                self.grow(8)
                if len(self.seeds) % 400 == 0 and rank == 0:
                    print(f"latents {len(self.seeds)}/{count} {time.time() - start:.0f} s", flush=True)
            common.save(path, {"latents": torch.stack(self.latents), "seeds": self.seeds})
        else:
            self.latents, self.seeds = list(state["latents"]), state["seeds"]
            self.next_seed = self.seeds[-1] + 1
        scale = common.STATE / "latents-scale.pt"
        if rank == 0 and (common.load(scale) or {}).get("version") != version:
            f = torch.stack(self.latents).float()
            common.save(scale, {"shift": float(f.mean()), "scale": float(1 / f.std()), "version": version})
        common.meet()
        self.scale = common.load(scale)

    @torch.no_grad()
    def grow(self, count):
        seeds = list(range(self.next_seed, self.next_seed + count))
        self.next_seed += count
        x = np.stack([data.draw(data.sample(random.Random(s), random.Random(0), self.tier), self.px) for s in seeds])
        x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous() * 2 - 1
        with torch.autocast("cpu", dtype=torch.bfloat16):
            self.latents += list(self.encoder(x)[:, :16].bfloat16())
        self.seeds += seeds

    def pick(self, rng, count):
        rows = [rng.randrange(len(self.seeds)) for _ in range(count)]
        x = torch.stack([self.latents[r] for r in rows]).float()
        return (x - self.scale["shift"]) * self.scale["scale"], [self.seeds[r] for r in rows]


def groups(drawer):
    """Hidden matrices for Muon; the rest for AdamW. The last text layer and the last norm are never used: left alone."""
    hidden, rest = [], []
    unused = (f"text.layers.{model.TEXT_LAYERS - 1}.", "text.norm.")
    for name, p in drawer.named_parameters():
        if name.startswith(unused) or name.endswith("x_pad_token"):
            p.requires_grad_(False)
        elif p.ndim == 2 and any(w in name for w in ("attention.to_", "feed_forward", "self_attn", "mlp.")) and "t_embedder" not in name:
            hidden.append(p)
        else:
            rest.append(p)
    return hidden, rest


def sigmas(n, shift):
    u = (torch.arange(n) + torch.rand(n)) / n  # stratified
    return shift * u / (1 + (shift - 1) * u)


def noise_words(ids, lengths, rng, vocabulary):
    """Sometimes a word that means nothing to the picture is put in, so that unknown wordings do no harm."""
    for i in range(len(ids)):
        if rng.random() < 0.12 and lengths[i] + 2 <= ids.shape[1] and lengths[i] > 10:
            count, n = rng.randint(1, 2), int(lengths[i])
            at = rng.randint(3, n - 5)
            row = ids[i].tolist()
            ids[i] = torch.tensor((row[:at] + [rng.randrange(256, vocabulary) for _ in range(count)] + row[at:])[: ids.shape[1]])
            lengths[i] += count


@torch.no_grad()
def draw(drawer, captions, prompts, scale, steps=8, shift=3.0, guidance=0.0, seed=42):
    """What ZImagePipeline does, through the fast way. Returns latents ready for the VAE's decoder."""
    ids, lengths = captions.batch(prompts)
    blank, blank_lengths = captions.batch([BLANK] * len(prompts), ids.shape[1])
    x = torch.stack([torch.randn(16, 16, 16, generator=torch.Generator().manual_seed(seed + i)) for i in range(len(prompts))])
    s = torch.linspace(1, 1 / steps, steps)
    s = torch.cat((shift * s / (1 + (shift - 1) * s), torch.zeros(1)))
    for i in range(steps):
        t = (1 - s[i]).expand(len(x))
        v = drawer.velocity(x, t, ids, lengths).float()
        if guidance > 0:
            w = drawer.velocity(x, t, blank, blank_lengths).float()
            v = v + guidance * (v - w)
        x = x - (s[i + 1] - s[i]) * v
    return x / scale["scale"] + scale["shift"]


PROBES = [
    "a cup of coffee on a table", "a sunset over mountains", "a cat on a blue background", "a rocket in the night sky",
    "a cat and a rocket on a yellow background", "a red apple", "a small dog on a green background", "a house in the snow",
    "a sailboat on the sea", "a pizza on a purple background", "a picture of a butterfly", "a robot on an orange background",
    "a big strawberry", "a balloon in the sky", "a penguin in the snow", "an owl and a key on a pink background",
]


def probe(drawer, captions, v, scale, path, guidance=0.0):
    from PIL import Image

    drawer.eval()
    with torch.no_grad():
        y = v.decoder(draw(drawer, captions, PROBES, scale, guidance=guidance)).clamp(-1, 1)
    drawer.train()
    y = ((y + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    px = y.shape[1]
    sheet = Image.new("RGB", (8 * px, 2 * px))
    for i, p in enumerate(y):
        sheet.paste(Image.fromarray(p), (i % 8 * px, i // 8 * px))
    sheet.save(path)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--steps", type=int, default=20_000)
    a.add_argument("--cooldown", type=float, default=0.25, help="the last part of the steps, in which the rate falls to 0")
    a.add_argument("--batch", type=int, default=32, help="of each process")
    a.add_argument("--lr", type=float, default=0.02, help="of Muon")
    a.add_argument("--adam-lr", type=float, default=2e-3)
    a.add_argument("--shift", type=float, default=2.0, help="more than 1: more of the training at high noise")
    a.add_argument("--tier", type=int, default=1)
    a.add_argument("--cache", type=int, default=2400, help="pictures that each process begins with")
    a.add_argument("--fresh", type=int, default=2, help="pictures that each process adds at every step")
    a.add_argument("--cache-seed", type=int, default=10_000_000)
    a.add_argument("--ranks", type=int, default=2, help="processes of one thread each")
    a.add_argument("--compile", action="store_true")
    a.add_argument("--average", type=float, default=0.999)
    a.add_argument("--start", help="a published folder to begin with where there is no checkpoint")
    a.add_argument("--probe-every", type=int, default=600, help="seconds")
    args = a.parse_args()
    rank = common.setup(args.ranks)
    if rank == 0:
        if args.start and not (common.STATE / "tokenizer").exists():
            shutil.copytree(Path(args.start) / "tokenizer", common.STATE / "tokenizer")
        model.tokenizer_at(common.STATE / "tokenizer")
    common.meet()
    tokenizer = model.tokenizer_at(common.STATE / "tokenizer")
    captions = model.Captions(tokenizer)
    v, px, version = vae(args.start)
    if version < 0 and rank == 0:  # a published autoencoder brings its scalars
        common.save(common.STATE / "latents-scale.pt", {"shift": v.config.shift_factor, "scale": v.config.scaling_factor, "version": version})
    cached = Cache(v.encoder, version, px, args.cache, args.tier, args.cache_seed, rank)
    scale = cached.scale

    drawer = model.Drawer(len(tokenizer))
    model.initialise(drawer.text, drawer.transformer)
    if args.start:
        drawer.text.load_state_dict(load_file(Path(args.start) / "text_encoder" / "model.safetensors"))
        drawer.transformer.load_state_dict(load_file(Path(args.start) / "transformer" / "diffusion_pytorch_model.safetensors"))
    common.alike(drawer)
    hidden, rest = groups(drawer)
    muon = Muon(hidden, lr=args.lr)
    adam = torch.optim.AdamW(rest, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    average = common.Average(drawer.parameters(), args.average)
    state = common.load(common.STATE / "image.pt")
    step, clock = 0, common.Clock(state["seconds"] if state else 0.0)
    if state:
        drawer.load_state_dict(state["model"])
        muon.load_state_dict(state["muon"])
        adam.load_state_dict(state["adam"])
        average.restore(state["ema"])
        step = state["step"]
        cached.next_seed += step * args.fresh
    velocity = torch.compile(drawer.velocity, dynamic=False) if args.compile else drawer.velocity

    def checkpoint():
        common.save(common.STATE / "image.pt", {
            "model": drawer.state_dict(), "muon": muon.state_dict(), "adam": adam.state_dict(), "ema": average.state(),
            "step": step, "seconds": clock.seconds,
        })

    print(f"{sum(p.numel() for p in hidden) / 1e6:.2f} M by Muon, {sum(p.numel() for p in rest) / 1e6:.2f} M by AdamW, from step {step}", flush=True)
    running, thirds = None, None
    while step < args.steps:
        rng = random.Random(77_777 + step * args.ranks + rank)
        torch.manual_seed(step * args.ranks + rank)
        if args.fresh:
            cached.grow(args.fresh)
        x0, seeds = cached.pick(rng, args.batch)
        texts = []
        for seed in seeds:
            for _ in range(4):  # wordings that fit 32 tokens: one padded length for all batches
                text = data.sample(random.Random(seed), rng, args.tier).caption if rng.random() > 0.06 else BLANK
                if len(captions.ids(text)) <= 32:
                    break
            else:
                text = BLANK
            texts.append(text)
        ids, lengths = captions.batch(texts)
        noise_words(ids, lengths, rng, len(tokenizer))
        noise, s = torch.randn_like(x0), sigmas(args.batch, args.shift)
        x = x0 + s[:, None, None, None] * (noise - x0)
        late = max(0.0, (step - args.steps * (1 - args.cooldown)) / max(1.0, args.steps * args.cooldown))
        rate = min(1.0, (step + 1) / 100) * (1 - late)
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = args.lr * rate, args.adam_lr * rate
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = velocity(x, 1 - s, ids, lengths)
        per = ((out.float() - (x0 - noise)) ** 2).mean(dim=(1, 2, 3))
        loss = per.mean()
        muon.zero_grad(set_to_none=True)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        common.share(drawer.parameters())
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        muon.step()
        adam.step()
        if rank == 0:
            average.update()
        step += 1
        k = args.batch // 4
        now = torch.stack([per[i * k : (i + 1) * k].mean() for i in range(4)]).detach()
        running = now if running is None else running.lerp(now, 0.03)
        if step % 50 == 0 and rank == 0:
            print(f"step {step} loss {float(running.mean()):.4f} by quarter of u, low to high noise: "
                  + " ".join(f"{float(q):.3f}" for q in running) + f" {clock.seconds:.0f} s", flush=True)
        if rank == 0 and clock.due("save", 300):
            checkpoint()
        if rank == 0 and clock.due("probe", args.probe_every):
            average.swap()
            probe(drawer, captions, v, scale, common.STATE / "probe.png")
            average.swap()
    if rank == 0:
        checkpoint()
        average.swap()
        probe(drawer, captions, v, scale, common.STATE / "probe.png")
        print("done", flush=True)


if __name__ == "__main__":
    main()
