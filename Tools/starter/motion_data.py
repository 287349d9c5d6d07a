"""The clips and captions that omni-emoji-motion learns from: one subject, one motion, on a flat ground or in a scene.

As in data.py, a caption says everything: what it leaves unsaid has one answer, and `rng` decides the picture, `words` the caption.
"""

import math
import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

import data

FRAMES, LONG, FPS = 9, 17, 8
START = 112  # size of the subject on a side of 256

# Motions: name, wordings ("{s}" is the subject with its article, "{n}" without), and where the subject is at part t in 0…1
# of the clip: (centre x, centre y, size, angle in degrees, counter-clockwise). From frame to frame of a short clip they move by 16, which
# at 128 pixels is one latent: the same subject at another place is the same latents moved.
MOTIONS = {
    "up": (["{s} moving up", "{s} going up", "{s} rising", "{s} soaring", "{s} taking off", "{s} lifting off", "{s} rises", "{s} that rises", "a rising {n}",
            "{s} {v} up", "{s} {v} upwards", "{s} {v} upward", "{s} {v} to the top", "{s} {v} up into the air", "{s} {v} from the bottom to the top"],
           lambda t: (128, 192 - 128 * t, START, 0)),
    "down": (["{s} moving down", "{s} going down", "{s} falling", "{s} sinking", "{s} dropping", "{s} descending", "{s} falls", "{s} falls down",
              "{s} falling down", "{s} sinks", "a falling {n}",
              "{s} that falls", "{s} {v} down", "{s} {v} downwards", "{s} {v} downward", "{s} {v} to the bottom", "{s} {v} from the top to the bottom"],
             lambda t: (128, 64 + 128 * t, START, 0)),
    "left": (["{s} moving left", "{s} {v} left", "{s} {v} to the left", "{s} {v} towards the left", "{s} {v} leftwards", "{s} {v} from right to left",
              "{s} {v} to the left side"],
             lambda t: (192 - 128 * t, 128, START, 0)),
    "right": (["{s} moving right", "{s} {v} right", "{s} {v} to the right", "{s} {v} towards the right", "{s} {v} rightwards", "{s} {v} from left to right",
               "{s} {v} to the right side"],
              lambda t: (64 + 128 * t, 128, START, 0)),
    "growing": (["{s} growing", "{s} getting bigger", "{s} coming closer", "{s} becoming bigger", "{s} getting larger", "{s} becoming larger", "{s} gets bigger",
                 "{s} that gets bigger", "{s} that gets larger", "{s} growing larger", "{s} grows bigger", "a growing {n}", "{s} coming nearer",
                 "{s} zooming in", "{s} grows", "{s} grows larger", "{s} that becomes bigger", "{s} growing bigger and bigger"],
                lambda t: (128, 128, 64 + 128 * t, 0)),
    "shrinking": (["{s} shrinking", "{s} getting smaller", "{s} going away", "{s} becoming smaller", "{s} gets smaller", "{s} that gets smaller",
                   "{s} growing smaller",
                   "{s} shrinks down", "a shrinking {n}", "{s} moving away", "{s} moving into the distance", "{s} becoming tiny", "{s} zooming out",
                   "{s} shrinks", "{s} that becomes smaller", "{s} shrinking more and more"],
                  lambda t: (128, 128, 192 - 128 * t, 0)),
    "turning": (["{s} turning", "{s} rotating", "{s} spinning", "a spinning {n}", "a rotating {n}", "a turning {n}", "{s} turning around", "{s} spinning around",
                 "{s} rotates", "{s} turns", "{s} turns around", "{s} that turns", "{s} that rotates", "{s} spins around", "{s} spins",
                 "{s} spinning in place", "{s} turning in a circle"],
                lambda t: (128, 128, 144, -360 * t * 8 / 9)),
    "bouncing": (["{s} bouncing", "{s} jumping", "{s} bouncing up and down", "a bouncing {n}", "a jumping {n}", "{s} jumping up and down", "{s} hopping",
                  "{s} jumps", "{s} that jumps", "{s} bounces", "{s} jumps up and down", "{s} bounces up and down", "{s} hops", "{s} {v} up and down"],
                 lambda t: (128, 192 - 16 * round(8 * abs(math.sin(2 * math.pi * t))), START, 0)),
    "still": (["{s} standing still", "{s} not moving", "{s}", "{s} that does not move", "a still {n}", "{s} stays still",
               "{s} at rest"], lambda t: (128, 128, 144, 0)),
}
# How something goes where it goes ("{v}").
VERBS = ["moving", "going", "flying", "floating", "drifting", "sliding", "gliding", "heading", "moves", "goes", "flies", "floats", "that moves", "that goes",
         "that flies", "which moves", "slides", "racing", "rushing", "rolling", "walking", "running", "sailing", "driving", "swimming", "speeding", "shooting",
         "hovering", "wandering", "runs", "walks", "drives", "sails", "rolls", "swims", "races", "rushes", "that rolls", "that walks", "that runs", "that sails"]
HELD_OUT = {
    "up": "{s} climbs up", "down": "{s} drops down", "left": "{s} travels to the left", "right": "{s} travels to the right",
    "growing": "{s} that grows", "shrinking": "{s} that shrinks", "turning": "{s} that spins", "bouncing": "{s} that bounces",
}
# What moves: few, so that they are learned well.
MOVERS = "🚀🚗🚁⛵🎈⚽🏠🤖👻⭐❤🍎🐈🐧🦋🐟"
GROUNDS = ["white", "light blue", "green", "pink", "yellow", "black", "gray", "purple"]
SCENES = ["night", "sky", "sunset", "mountains", "grass"]
ON = ["{p} on a {b} background", "{p}, {b} background", "{p} with a {b} background", "{p} on {b}", "{p} in front of a {b} background",
"{p} against a {b} background",
      "{p}, on a {b} background", "{p} and the background is {b}", "{p}, the backdrop is {b}", "on a {b} background, {p}", "{p}, background {b}"]


@dataclass
class Clip:
    caption: str
    background: tuple
    emoji: str
    motion: str


@lru_cache(None)
def movers():
    return tuple(s for s in data.subjects(1) if s.emoji.replace("\ufe0f", "") in MOVERS)


def sample(rng, words=None, everything=False):
    """One random clip, of a subject that moves, or of any of the three tiers (for the autoencoder and the tokenizer)."""
    words = words or rng
    s = rng.choice(data.subjects(3) if everything else movers())
    motion = rng.choice(list(MOTIONS))
    name = s.phrase(words)
    text = words.choice(MOTIONS[motion][0]).replace("{s}", name).replace("{n}", data._lead(name)).replace("{v}", words.choice(VERBS))
    r = rng.random()
    background = ("flat", (255, 255, 255))
    if r < 0.6:
        colour = rng.choice(GROUNDS)
        background = ("flat", data.COLOURS[colour])
        text = words.choice(ON).replace("{p}", text).replace("{b}", data._colour_word(words, colour))
    elif r < 0.85:
        scene = rng.choice(SCENES)
        background = ("scene", scene)
        text += " " + words.choice(data.SCENES[scene][1])
    return Clip(data._finish(words, text), background, s.emoji, motion)


def labels(clip):
    """Which subject, motion and ground: three numbers."""
    kind, what = clip.background
    ground = len(GROUNDS) + 1 + SCENES.index(what) if kind == "scene" else next(i for i, c in enumerate(GROUNDS) if data.COLOURS[c] == what)
    return [next(i for i, s in enumerate(movers()) if s.emoji == clip.emoji), list(MOTIONS).index(clip.motion), ground]


def _turned(emoji, size, angle):
    if angle % 360 == 0:
        return data.sized(emoji, size)
    mark = data.sized(emoji, size)
    planes = [np.asarray(Image.fromarray(mark[..., c]).rotate(angle, Image.BICUBIC)) for c in range(4)]
    return np.clip(np.stack(planes, -1), 0, 1)


def covered(clip, cells=16, frames=FRAMES):
    """Where the subject is: [frames, cells, cells], true for the parts of the picture that it may touch."""
    out, k = np.zeros((frames, cells, cells), bool), cells / data.SIDE
    for f in range(frames):
        x, y, size, _ = MOTIONS[clip.motion][1](f / (frames - 1))
        low = [max(0, math.floor((c - size / 2) * k)) for c in (x, y)]
        high = [min(cells, math.ceil((c + size / 2) * k)) for c in (x, y)]
        out[f, low[1] : high[1], low[0] : high[0]] = True
    return out


def draw(clip, px=128, frames=FRAMES, only=None):
    """The clip, float32 [frames, px, px, 3] in 0…1, or its frame `only` alone. Places are whole pixels: nothing shimmers."""
    ground, k, out = data.background(px, clip.background), px / data.SIDE, []
    where = MOTIONS[clip.motion][1]
    for f in range(frames) if only is None else [only]:
        x, y, size, angle = where(f / (frames - 1) if frames > 1 else 0.0)
        s = max(4, round(size * k))
        mark = _turned(clip.emoji, s, angle)
        x0, y0 = round(x * k - s / 2), round(y * k - s / 2)
        ax, ay, bx, by = max(0, x0), max(0, y0), min(px, x0 + s), min(px, y0 + s)
        frame = ground.copy()
        if ax < bx and ay < by:
            m = mark[ay - y0 : by - y0, ax - x0 : bx - x0]
            frame[ay:by, ax:bx] = frame[ay:by, ax:bx] * (1 - m[..., 3:]) + m[..., :3]
        out.append(np.clip(frame, 0, 1))
    return np.stack(out)


if __name__ == "__main__":  # python motion_data.py OUT.png: one clip a row
    import sys

    rng = random.Random(3)
    clips = [sample(rng) for _ in range(10)]
    sheet = Image.new("RGB", (FRAMES * 96, len(clips) * 96))
    for j, c in enumerate(clips):
        print(c.caption)
        for i, f in enumerate(draw(c, 96)):
            sheet.paste(Image.fromarray((f * 255 + 0.5).astype(np.uint8)), (i * 96, j * 96))
    sheet.save(sys.argv[1])
