"""Looks at an exported omni-emoji, through diffusers' own ZImagePipeline or through a running server.

    python evaluate.py WHERE sheet OUT.png      48 prompts, none of them a training caption
    python evaluate.py WHERE score [--count N]  nearest-neighbour score over held-out wordings
    python evaluate.py WHERE draw OUT.png "a prompt" …
    python evaluate.py FOLDER compare --server http://localhost:8091   the same seeds in both: PSNR of each picture
WHERE: the folder, or the server's address.

The score: each picture is described by histograms of gradient directions and by coarse colours, features that training
never saw, and compared with what each of all emoji would look like on the same background. Right is a rank of 1 to 5.
"""

import argparse
import base64
import io
import json
import random
import urllib.request

import numpy as np
from PIL import Image

import data
import train_vae

SHEET = [
    # seed's own
    "a cup of coffee on a wooden desk", "the sun sets over the mountains", "a sticker of a cat", "a sticker of a rocket",
    # on a colour
    "a red apple and a light blue background", "a banana placed over a purple backdrop", "a pizza and a green background",
    "a green wall behind a birthday cake", "a strawberry placed over a pink backdrop", "a blue wall behind a taxi",
    "a cactus and a yellow background", "a robot, everything behind it is orange", "a panda and a teal background",
    "a lion placed over a green backdrop", "a penguin and a blue background", "an owl placed over a gray backdrop",
    "an octopus and a yellow background", "a butterfly placed over a white backdrop", "a black wall behind a ghost",
    "a guitar and a red background", "a camera placed over a pink backdrop", "a key, everything behind it is purple",
    "a crown and a black background", "an umbrella placed over a light blue backdrop",
    # unseen wordings of the subject alone
    "please paint a sunflower for me", "i would like to see a frog", "a clean icon of a house", "a poster with a unicorn",
    "one single doughnut", "a sticker of an alarm clock", "a clean icon of a light bulb", "i would like to see a tiger",
    # in a place
    "please paint a snowman in the snow", "a sticker of a sailboat on the sea", "i would like to see a car in the desert",
    "a clean icon of a balloon in the sky", "please paint a cactus in the desert", "a poster with a rocket at night",
    "please paint a teapot on a table", "i would like to see a dog on the grass", "a poster with a palm tree on a beach",
    "a clean icon of a star in the night sky",
    # two, and sizes
    "a sticker of a cat and a dog", "please paint an apple and a banana on a blue background",
    "i would like to see a fox next to a rabbit face", "a tiny mushroom and a green background",
    "a huge pumpkin placed over a black backdrop", "a clean icon of a key and a heart",
]


class Diffusers:
    """Pictures by ZImagePipeline on the exported folder."""

    def __init__(self, folder, args):
        import torch
        from diffusers import ZImagePipeline

        torch.set_num_threads(args.threads)
        self.torch, self.args = torch, args
        self.pipe = ZImagePipeline.from_pretrained(folder, dtype=torch.float32)
        self.pipe.set_progress_bar_config(disable=True)

    def draw(self, prompts, seed=42):
        a, out = self.args, []
        for i in range(0, len(prompts), 16):
            part = prompts[i : i + 16]
            generators = [self.torch.Generator().manual_seed(seed + i + j) for j in range(len(part))]
            out += self.pipe(
                prompt=list(part), height=a.size, width=a.size, num_inference_steps=a.steps, guidance_scale=a.guidance, generator=generators).images
        return out


class Server:
    """Pictures by POST /v1/images/generations."""

    def __init__(self, address, args):
        self.address, self.args = address.rstrip("/"), args

    def draw(self, prompts, seed=42):
        a, out = self.args, []
        for i, prompt in enumerate(prompts):
            body = {"model": "omni-emoji", "prompt": prompt, "size": f"{a.size}x{a.size}", "seed": seed + i, "num_inference_steps": a.steps,
                    "guidance_scale": a.guidance}
            request = urllib.request.Request(
                self.address + "/v1/images/generations", json.dumps(body).encode(), {"Content-Type": "application/json"})
            with urllib.request.urlopen(request) as reply:
                out.append(Image.open(io.BytesIO(base64.b64decode(json.load(reply)["data"][0]["b64_json"]))).convert("RGB"))
        return out


def compare(artist, other, prompts):
    """PSNR of each picture of the one to that of the other, dB."""
    worst = []
    for prompt, a, b in zip(prompts, artist.draw(prompts), other.draw(prompts)):
        error = np.mean((np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2)
        worst.append(10 * np.log10(255**2 / max(error, 1e-9)))
        print(f"{worst[-1]:6.1f} dB  {prompt}")
    print(f"worst {min(worst):.1f} dB, median {np.median(worst):.1f} dB")


def grid(images, columns=8):
    px = images[0].width
    sheet = Image.new("RGB", (columns * px, -(-len(images) // columns) * px))
    for i, image in enumerate(images):
        sheet.paste(image, (i % columns * px, i // columns * px))
    return sheet


def describe(picture):
    """Histograms of gradient directions in 16-pixel cells and mean colours in 16-pixel cells of a 128-pixel picture."""
    gray = picture @ np.asarray([0.3, 0.59, 0.11], np.float32)
    gy, gx = np.gradient(gray)
    size, angle = np.hypot(gx, gy), np.mod(np.arctan2(gy, gx), np.pi)
    bins = np.minimum((angle / np.pi * 8).astype(int), 7)
    cells = np.zeros((8, 8, 8), np.float32)
    yy, xx = np.mgrid[0:128, 0:128] // 16
    np.add.at(cells, (yy, xx, bins), size)
    cells = np.sqrt(cells)
    cells /= np.linalg.norm(cells) + 1e-6
    colour = picture.reshape(8, 16, 8, 16, 3).mean((1, 3))
    colour = colour - colour.mean((0, 1))
    colour /= np.linalg.norm(colour) + 1e-6
    return np.concatenate([cells.ravel(), colour.ravel()])


def score(artist, count, tier):
    rng = random.Random(2026)
    everyone = sorted(set(train_vae.every_emoji()) | {s.emoji for s in data.subjects(tier)})
    grounds = ["white", "light blue", "green", "pink"]
    tables = {}
    for g in grounds:
        rows = []
        for e in everyone:
            s = data.Sample("", ("flat", data.COLOURS[g]), [(e, 128, 128, data.MIDDLE)], e, "middle")
            rows.append(describe(data.draw(s, 128)))
        tables[g] = np.stack(rows)
    asked = []
    chosen = list(data.subjects(tier))
    rng.shuffle(chosen)
    for i in range(count):
        s = chosen[i % len(chosen)]
        name = s.with_article(rng.randrange(len(s.names)) if rng.random() < 0.3 else 0)
        g = rng.choice(grounds)
        if rng.random() < 0.5:
            g = "white"
            text = rng.choice(data.HELD_OUT_PLAIN).replace("{s}", name).replace("{n}", data._lead(name))
        else:
            text = rng.choice(data.HELD_OUT_COLOURED).replace("{p}", name).replace("{b}", g)
        asked.append((s.emoji, g, text))
    images = artist.draw([a[2] for a in asked])
    ranks = []
    for (emoji, g, text), image in zip(asked, images):
        x = np.asarray(image.resize((128, 128), Image.BOX), np.float32) / 255
        similar = tables[g] @ describe(x)
        rank = int((similar > similar[everyone.index(emoji)]).sum()) + 1
        ranks.append(rank)
        if rank > 5:
            print(f"  rank {rank:>4}  {text}")
    first, five = np.mean([r == 1 for r in ranks]), np.mean([r <= 5 for r in ranks])
    print(f"{count} held-out wordings among {len(everyone)} emoji: first {first:.1%}, in the first five {five:.1%}")
    return images


def main():
    a = argparse.ArgumentParser()
    a.add_argument("where")
    a.add_argument("what", choices=["sheet", "score", "draw", "compare"])
    a.add_argument("rest", nargs="*")
    a.add_argument("--steps", type=int, default=8)
    a.add_argument("--guidance", type=float, default=0.0)
    a.add_argument("--count", type=int, default=200)
    a.add_argument("--tier", type=int, default=2)
    a.add_argument("--size", type=int, default=256)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--server")
    args = a.parse_args()
    artist = (Server if args.where.startswith("http") else Diffusers)(args.where, args)
    if args.what == "score":
        images = score(artist, args.count, args.tier)
        if args.rest:
            grid(images[:48]).save(args.rest[0])
    elif args.what == "compare":
        compare(artist, Server(args.server, args), SHEET[:12])
    else:
        prompts = SHEET if args.what == "sheet" else args.rest[1:]
        grid(artist.draw(prompts), min(8, len(prompts))).save(args.rest[0])


if __name__ == "__main__":
    main()
