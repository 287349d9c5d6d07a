"""The pictures and captions that omni-emoji learns from.

Subjects are the bitmaps of Noto Color Emoji (OFL), their names come from subjects.tsv and from CLDR (en.xml). A sample is
one or two subjects on a background, laid out on a small set of fixed places, and a caption that tells all of it. What a
caption leaves unsaid has one fixed answer (a white background, the middle, the common size), so that a caption has one
picture and few denoising steps are enough.

Everything is drawn from two `random.Random` that the caller seeds, one for the picture and one for the words: the same
seeds, the same pictures and captions; the same first seed alone, the same picture in other words.
"""

import random
import unicodedata
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from backgrounds import SCENES, background

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
CLDR = "/usr/share/unicode/cldr/common/annotations/en.xml"
HERE = Path(__file__).resolve().parent

# MARK: colours ------------------------------------------------------------------------------------------------------

COLOURS = {
    "white": (255, 255, 255), "black": (22, 22, 26), "red": (222, 52, 46), "orange": (250, 150, 40),
    "yellow": (252, 220, 70), "green": (70, 170, 80), "blue": (45, 100, 220), "light blue": (150, 210, 250),
    "purple": (130, 70, 185), "pink": (250, 170, 200), "brown": (130, 85, 55), "gray": (150, 152, 158),
    "teal": (30, 150, 150),
}
COLOUR_WORDS = {"light blue": ["light blue", "sky blue", "pale blue"], "gray": ["gray", "grey"], "purple": ["purple", "violet"]}

# MARK: subjects -----------------------------------------------------------------------------------------------------


@dataclass
class Subject:
    emoji: str
    tier: int
    names: list  # phrases without article; the first is the plain one
    bare: list  # per name: True when it takes no article
    keywords: list = field(default_factory=list)

    def phrase(self, rng, article=True):
        i = 0 if rng.random() < 0.6 else rng.randrange(len(self.names))
        return self.with_article(i, rng, article)

    def with_article(self, i, rng=None, article=True):
        name = self.names[i]
        if self.bare[i] or not article:
            return name
        if rng is not None and rng.random() < 0.12:
            return "the " + name
        return ("an " if name[0] in "aeiou" and not name.startswith(("uni", "one", "eu")) else "a ") + name


def cldr():
    names, keywords = {}, {}
    for a in ElementTree.parse(CLDR).getroot().iter("annotation"):
        if a.get("type") == "tts":
            names[a.get("cp")] = a.text
        else:
            keywords[a.get("cp")] = [k.strip() for k in a.text.split("|")]
    return names, keywords


@lru_cache(None)
def subjects(tier=1):
    """The subjects up to `tier`, in file order. Names of CLDR join the hand-written ones."""
    names, keywords = cldr()
    result, taken = [], set()
    for line in (HERE / "subjects.tsv").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        emoji, t, phrases = line.split("\t")
        if int(t) > tier:
            continue
        phrases = phrases.split("|")
        key = emoji.replace("\ufe0f", "")
        listed = [p.lstrip("~") for p in phrases]
        bare = [p.startswith("~") for p in phrases]
        cp_name = names.get(key, "").lower()
        if cp_name and cp_name not in listed and cp_name.isascii():
            listed.append(cp_name)
            bare.append(bare[0])
        kept = [i for i, n in enumerate(listed) if n not in taken]  # a name belongs to the first subject that has it
        if not kept:
            continue
        listed, bare = [listed[i] for i in kept], [bare[i] for i in kept]
        words = [k.lower() for k in keywords.get(key, []) if k.isascii() and k.lower() not in listed]
        result.append(Subject(emoji, int(t), listed, bare, words))
        taken.update(listed)
    return tuple(result)


@lru_cache(None)
def _font():
    return ImageFont.truetype(FONT, 109)


@lru_cache(None)
def bitmap(emoji):
    """The emoji as a square RGBA picture, 136 pixels wide, premultiplied alpha, float 0…1."""
    canvas = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).text((20, 20), emoji, font=_font(), embedded_color=True)
    box = canvas.getbbox()
    if box is None:
        raise ValueError(f"no bitmap for {emoji}")
    mark = canvas.crop(box)
    side = 136
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(mark, ((side - mark.width) // 2, (side - mark.height) // 2))
    a = np.asarray(square, dtype=np.float32) / 255
    a[..., :3] *= a[..., 3:]
    return a


@lru_cache(4096)
def sized(emoji, size):
    """The emoji scaled to `size` pixels, premultiplied."""
    a = bitmap(emoji)
    planes = [np.asarray(Image.fromarray(a[..., c]).resize((size, size), Image.LANCZOS)) for c in range(4)]
    return np.clip(np.stack(planes, -1), 0, 1)


# MARK: layouts ------------------------------------------------------------------------------------------------------
# Places and sizes are few, and places differ by whole patches of the transformer (32 on a side of 256): the same subject at
# another place is the same latents moved, so what is learned at one place holds at the others.

SIDE = 256
MIDDLE, BIG, SLOT = 176, 224, 112
PLACES = {
    "left": (64, 128), "right": (192, 128), "top": (128, 64), "bottom": (128, 192),
}


@dataclass
class Sample:
    caption: str
    background: tuple
    marks: list  # (emoji, centre x, centre y, size) on a side of 256
    subject: str  # emoji of the main subject, "" for a scene alone
    layout: str


def draw(sample, px=256):
    """The picture, float32 [px, px, 3] in 0…1."""
    picture = background(px, sample.background).copy()
    k = px / SIDE
    for emoji, x, y, size in sample.marks:
        s = round(size * k)
        mark = sized(emoji, s)
        x0, y0 = round(x * k - s / 2), round(y * k - s / 2)
        ax, ay, bx, by = max(0, x0), max(0, y0), min(px, x0 + s), min(px, y0 + s)
        m = mark[ay - y0 : by - y0, ax - x0 : bx - x0]
        picture[ay:by, ax:bx] = picture[ay:by, ax:bx] * (1 - m[..., 3:]) + m[..., :3]
    return np.clip(picture, 0, 1)


# MARK: captions -----------------------------------------------------------------------------------------------------
# {s}: the subject with its article; {n}: without; {b}: colour of the background.

PLAIN = [
    "{s}", "{s}", "{s}", "{n}", "a picture of {s}", "an image of {s}", "a drawing of {s}", "an emoji of {s}", "{n} emoji",
    "a photo of {s}", "a cartoon {n}", "an illustration of {s}", "draw {s}", "show me {s}", "a nice {n}", "a painting of {s}",
    "a picture with {s}", "a card with {s} on it", "an image showing {s}", "a picture that has {s} in it", "please draw {s}",
    "can you paint {s}", "i want {s}", "an icon with {s}", "a logo with {s}", "just {s}", "a single {n}",
]
COLOURED = [
    "{p} on a {b} background", "{p} on a {b} background", "{p}, {b} background", "{p} with a {b} background",
    "{p} in front of a {b} background", "{p} on {b}", "{b} background, {p}", "{p} against a {b} backdrop", "{p} on a plain {b} background",
    "{p} over a {b} background", "a {b} background behind {p}", "{p} and behind it a {b} background", "{p}, the background is {b}",
    "{p} and the background is {b}", "{p} with {b} behind it", "{p} in front of a {b} wall", "{b} behind {p}",
    "{p} and everything around it {b}", "{p} placed on a {b} background", "{p} and nothing but {b} behind it",
    "{p} and a plain {b} ground", "a {b} picture with {p}", "a wall in {b} and {p}",
]
GRADIENT = [
    "{p} on a gradient from {b} to {c}", "{p} on a {b} and {c} gradient", "{p} on a background fading from {b} to {c}",
    "{p}, gradient background from {b} to {c}",
]
PAIR = [
    "{s} and {t}", "{s} and {t}", "{s} next to {t}", "{s} with {t}", "{s} beside {t}", "{s} on the left and {t} on the right",
]

# The wordings below are held out: training never uses them. evaluate.py asks with them.
HELD_OUT_PLAIN = [
    "a small painting that shows {s}", "please paint {s} for me", "i would like to see {s}", "a sticker of {s}", "one single {n}",
    "a clean icon of {s}", "a poster with {s}",
]
HELD_OUT_COLOURED = [
    "{p} placed over a {b} backdrop", "a {b} wall behind {p}", "{p}, everything behind it is {b}", "{p} and a {b} background",
]


def _colour_word(rng, name):
    return rng.choice(COLOUR_WORDS.get(name, [name]))


def _shade(rng, colour):
    """The colour, moved a little: the word does not fix the last bit."""
    return tuple(int(min(255, max(0, c + rng.choice((-8, 0, 8))))) for c in colour)


def _finish(rng, caption):
    r = rng.random()
    if r < 0.12:
        caption = caption[0].upper() + caption[1:]
    if rng.random() < 0.08:
        caption += "."
    return caption.replace("a orange", "an orange").replace("A orange", "An orange")


def _pick_background(rng, colours):
    name = rng.choice(colours)
    return name, ("flat", COLOURS[name] if name == "white" else _shade(rng, COLOURS[name]))


def _lead(words):
    """The phrase without its article."""
    first, _, rest = words.partition(" ")
    return rest if first in ("a", "an", "the") and rest else words


def sample(rng, words=None, tier=1, plain=PLAIN, coloured=COLOURED):
    """One random sample: `rng` decides the picture, `words` (another generator) how the caption says it."""
    words = words or rng
    everything = subjects(tier)
    s, t = rng.choice(everything), rng.choice(everything)
    kind = rng.random()
    white = ("flat", (255, 255, 255))
    name = s.phrase(words)

    def phrase():
        return words.choice(plain).replace("{s}", name).replace("{n}", _lead(name))

    def on_colour(text, share=1.0):
        """A background of one colour, or (1 - share) the white one that a caption need not name."""
        colour = rng.choice(list(COLOURS))
        shade = _shade(rng, COLOURS[colour])
        if rng.random() >= share:
            return text, white
        text = words.choice(coloured).replace("{p}", text).replace("{b}", _colour_word(words, colour))
        return text, white if colour == "white" else ("flat", shade)

    def done(text, background, marks, layout, subject=s.emoji):
        return Sample(_finish(words, text), background, marks, subject, layout)

    if kind < 0.10:  # the subject alone
        text = phrase()
        if s.keywords and words.random() < 0.15:
            text += ": " + ", ".join(words.sample(s.keywords, min(len(s.keywords), words.randint(1, 3))))
        return done(text, white, [(s.emoji, 128, 128, MIDDLE)], "middle")
    if kind < 0.40:  # on one colour
        text, background = on_colour(phrase())
        return done(text, background, [(s.emoji, 128, 128, MIDDLE)], "middle")
    if kind < 0.43:  # on a gradient
        a, b = rng.sample(list(COLOURS), 2)
        background = ("gradient", _shade(rng, COLOURS[a]), _shade(rng, COLOURS[b]), "v")
        text = words.choice(GRADIENT).replace("{p}", phrase())
        text = text.replace("{b}", _colour_word(words, a)).replace("{c}", _colour_word(words, b))
        return done(text, background, [(s.emoji, 128, 128, MIDDLE)], "middle")
    if kind < 0.64:  # in a scene
        scene = rng.choice(list(SCENES))
        _, after, alone, _ = SCENES[scene]
        if rng.random() < (0.35 if scene == "sunset" else 0.06):
            text = words.choice(alone)
            if words.random() < 0.3:
                text = words.choice(["a picture of ", "an image of ", "a painting of ", "a photo of "]) + text
            return done(text, ("scene", scene), [], "scene", "")
        return done(phrase() + " " + words.choice(after), ("scene", scene), [(s.emoji, 128, 128, MIDDLE)], "middle")
    if kind < 0.76:  # big or small
        big = rng.random() < 0.5
        text = words.choice(["big", "large", "huge"] if big else ["small", "little", "tiny"]) + " " + _lead(name)
        text, background = on_colour(text if _lead(name) == name else "a " + text, 0.7)
        return done(text, background, [(s.emoji, 128, 128, BIG if big else SLOT)], "big" if big else "small")
    if kind < 0.82:  # at one side
        place = rng.choice(list(PLACES))
        where = {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom"}[place]
        text, background = on_colour(name + " " + where, 0.7)
        return done(text, background, [(s.emoji, *PLACES[place], SLOT)], place)
    text = words.choice(PAIR).replace("{s}", name).replace("{t}", t.phrase(words))  # two subjects
    if rng.random() < 0.25:
        scene = rng.choice(list(SCENES))
        background = ("scene", scene)
        text += " " + words.choice(SCENES[scene][1])
    else:
        text, background = on_colour(text, 0.73)
    return done(text, background, [(s.emoji, *PLACES["left"], SLOT), (t.emoji, *PLACES["right"], SLOT)], "pair")


if __name__ == "__main__":  # a look at the data: python data.py OUT.png
    import sys

    rng = random.Random(1)
    samples = [sample(rng) for _ in range(48)]
    sheet = Image.new("RGB", (8 * 128, 6 * 128))
    for i, s in enumerate(samples):
        sheet.paste(Image.fromarray((draw(s, 128) * 255 + 0.5).astype(np.uint8)), (i % 8 * 128, i // 8 * 128))
        print(i, s.caption)
    sheet.save(sys.argv[1])
    print(len(subjects(1)), "subjects")
