"""What stands behind the subjects of omni-emoji: plain colours, gradients and scenes."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

# A background is (kind, parameters). Coordinates are parts of the side, so that every size draws the same picture.


def _rows(px):
    return (np.arange(px, dtype=np.float32) + 0.5) / px


def _flat(px, c):
    return np.broadcast_to(np.asarray(c, np.float32) / 255, (px, px, 3)).copy()


def _vertical(px, top, bottom):
    t = _rows(px)[:, None, None]
    top, bottom = np.asarray(top, np.float32) / 255, np.asarray(bottom, np.float32) / 255
    return np.broadcast_to(top * (1 - t) + bottom * t, (px, px, 3)).copy()


def _polygon(picture, points, colour):
    """Fills a polygon with smooth edges (drawn four times larger, then averaged)."""
    px = picture.shape[0]
    mask = Image.new("L", (px * 4, px * 4), 0)
    ImageDraw.Draw(mask).polygon([(x * px * 4, y * px * 4) for x, y in points], fill=255)
    m = np.asarray(mask.resize((px, px), Image.BOX), np.float32)[..., None] / 255
    picture[:] = picture * (1 - m) + np.asarray(colour, np.float32) / 255 * m


def _disc(picture, x, y, r, colour):
    px = picture.shape[0]
    yy, xx = np.mgrid[0:px, 0:px].astype(np.float32)
    d = np.sqrt((xx + 0.5 - x * px) ** 2 + (yy + 0.5 - y * px) ** 2)
    m = np.clip(r * px - d + 0.5, 0, 1)[..., None]
    picture[:] = picture * (1 - m) + np.asarray(colour, np.float32) / 255 * m


def _ground(px, sky_top, sky_bottom, ground, horizon):
    p = _vertical(px, sky_top, sky_bottom)
    return _with_ground(p, ground, horizon)


def _with_ground(p, ground, horizon):
    px = p.shape[0]
    m = np.clip((_rows(px) - horizon) * px + 0.5, 0, 1)[:, None, None]
    t = np.clip((_rows(px) - horizon) / (1 - horizon), 0, 1)[:, None, None]
    g = np.asarray(ground, np.float32) / 255
    p[:] = p * (1 - m) + (g * (1 - 0.18 * t)) * m
    return p


def _table(px):
    p = _with_ground(_vertical(px, (247, 236, 216), (240, 224, 198)), (168, 112, 68), 0.68)
    a = round(0.68 * px)
    p[a : a + max(1, px // 64)] = np.asarray((205, 152, 104), np.float32) / 255
    return p


def _mountains(p, far, near):
    _polygon(p, [(0, 0.72), (0.2, 0.46), (0.36, 0.66), (0.58, 0.38), (0.8, 0.64), (0.92, 0.54), (1, 0.62), (1, 1), (0, 1)], far)
    _polygon(p, [(0, 0.84), (0.3, 0.68), (0.52, 0.86), (0.78, 0.7), (1, 0.88), (1, 1), (0, 1)], near)
    return p


def _sunset(px):
    p = _vertical(px, (92, 62, 140), (255, 176, 74))
    _disc(p, 0.58, 0.42, 0.15, (255, 226, 120))
    return _mountains(p, (120, 66, 112), (66, 40, 84))


def _day_mountains(px):
    return _mountains(_vertical(px, (120, 190, 245), (214, 238, 252)), (118, 146, 176), (74, 128, 92))


def _night(px):
    p = _vertical(px, (12, 16, 52), (44, 52, 110))
    for x, y, r in [(0.1, 0.12, 0.012), (0.3, 0.05, 0.009), (0.52, 0.09, 0.012), (0.78, 0.07, 0.01), (0.92, 0.2, 0.013),
                    (0.06, 0.42, 0.01), (0.94, 0.5, 0.01), (0.05, 0.72, 0.012), (0.93, 0.8, 0.012), (0.2, 0.92, 0.01),
                    (0.5, 0.95, 0.01), (0.74, 0.93, 0.012)]:
        _disc(p, x, y, r, (255, 250, 214))
    return p


def _sky(px):
    p = _vertical(px, (104, 178, 244), (206, 232, 252))
    for x, y, s in [(0.16, 0.14, 1.0), (0.84, 0.24, 0.9), (0.12, 0.86, 0.9), (0.86, 0.88, 1.0)]:
        for dx, dy, r in [(-0.07, 0.015, 0.045), (0, 0, 0.065), (0.07, 0.015, 0.048)]:
            _disc(p, x + dx * s, y + dy * s, r * s, (250, 252, 255))
    return p


def _sea(px):
    p = _ground(px, (150, 208, 250), (226, 242, 252), (38, 120, 190), 0.62)
    return p


SCENES = {
    # name: (draw, phrases that follow the subject, phrases for the scene alone or in front, stands on the ground)
    "table": (_table, ["on a table", "on the table", "on a wooden table", "standing on a table", "on a desk", "on a brown desk", "on top of a table"], ["a table"], True),
    "grass": (lambda px: _ground(px, (140, 205, 250), (226, 243, 253), (104, 176, 72), 0.66),
              ["on the grass", "in a meadow", "on a green field", "on a lawn", "in the grass", "in a green meadow", "outside on the grass"], ["a meadow", "a green field"], True),
    "beach": (lambda px: _with_ground(_sea(px), (240, 214, 150), 0.74), ["on a beach", "on the beach", "on the sand", "at the beach", "at a sandy beach"],
              ["a beach", "a sandy beach"], True),
    "snow": (lambda px: _ground(px, (150, 180, 214), (214, 228, 242), (244, 248, 253), 0.66),
             ["in the snow", "on the snow", "in a snowy field", "in deep snow", "on a winter day"], ["snow", "a snowy field"], True),
    "sea": (_sea, ["on the sea", "on the water", "at sea", "on the ocean", "on blue water", "out on the sea"], ["the sea", "the ocean"], True),
    "desert": (lambda px: _ground(px, (250, 206, 130), (254, 236, 196), (216, 160, 88), 0.66), ["in the desert", "in a desert", "on desert sand"],
               ["a desert"], True),
    "night": (_night, ["at night", "in the night sky", "in a starry sky", "among the stars", "in space", "under the stars", "in the dark night", "by night"],
              ["the night sky", "a starry night"], False),
    "sky": (_sky, ["in the sky", "in a cloudy sky", "among clouds", "up in the sky", "in the blue sky"], ["the sky", "a cloudy sky"], False),
    "mountains": (_day_mountains, ["over mountains", "in the mountains", "in front of mountains", "with mountains behind it"], ["mountains", "a mountain landscape"], False),
    "sunset": (_sunset, ["at sunset", "at dusk", "in front of a sunset", "in the evening", "in the evening sun"],
               ["a sunset over mountains", "a sunset", "a sunset in the mountains", "the sun setting over mountains",
                "sunset over the mountains", "a mountain sunset", "a sunrise over mountains", "the evening sun over mountains",
                "a sunset above the mountains"], False),
}


@lru_cache(512)
def background(px, spec):
    kind = spec[0]
    if kind == "flat":
        return _flat(px, spec[1])
    if kind == "gradient":
        p = _vertical(px, spec[1], spec[2])
        return p if spec[3] == "v" else p.transpose(1, 0, 2).copy()
    return SCENES[spec[1]][0](px)
