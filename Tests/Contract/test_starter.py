"""The starter image model, served with nothing said but its name: it draws what is asked for."""
import base64
import pathlib

import pytest

from harness import ROOT, Server
from pictures import decode, psnr

pytestmark = pytest.mark.skipif(not (ROOT / "Models/omni-emoji").exists(), reason="Models/omni-emoji is not in this checkout")


def drawn(server, prompt, **fields):
    """The picture as rows of RGB."""
    reply = server.post("/v1/images/generations", {"prompt": prompt, "seed": 42} | fields)
    assert reply.status == 200, reply
    width, height, rgb = decode(base64.b64decode(reply.json["data"][0]["b64_json"]))
    assert len(rgb) == width * height * 3
    return [[tuple(rgb[3 * (y * width + x):][:3]) for x in range(width)] for y in range(height)]


def mean(rows, x0, y0, x1, y1):
    """Mean colour of a part, given in 256ths of the picture."""
    k = len(rows) / 256
    part = [p for row in rows[round(y0 * k):round(y1 * k)] for p in row[round(x0 * k):round(x1 * k)]]
    return tuple(sum(p[c] for p in part) / len(part) for c in range(3))


def far(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


CORNERS = [(2, 2, 26, 26), (230, 2, 254, 26), (2, 230, 26, 254), (230, 230, 254, 254)]


@pytest.mark.parametrize("prompt,ground,subject", [
    ("a red apple", (255, 255, 255), lambda r, g, b: r > g + 80 and r > b + 80),
    ("a banana on a purple background", (130, 70, 185), lambda r, g, b: r > b + 50 and g > b + 30),
    ("a frog on a pink background", (250, 170, 200), lambda r, g, b: g > b + 60 and g > r - 20),
    ("a whale on a yellow background", (252, 220, 70), lambda r, g, b: b > r + 10),
])
def test_subject_and_background_are_what_was_asked(starters, prompt, ground, subject):
    picture = drawn(starters, prompt)
    assert len(picture) == len(picture[0]) == 256
    for corner in CORNERS:
        assert far(mean(picture, *corner), ground) < 36, (prompt, corner, mean(picture, *corner))
    # What in the middle is not ground: its share and its mean colour.
    middle = [p for row in picture[56:200] for p in row[56:200]]
    marked = [p for p in middle if far(p, ground) > 60]
    colour = [sum(p[c] for p in marked) / max(1, len(marked)) for c in range(3)]
    assert 0.15 < len(marked) / len(middle) < 0.95 and subject(*colour), (prompt, len(marked) / len(middle), colour)


def test_the_seeds_own_prompts(starters):
    """The two prompts of the first request anybody sends."""
    coffee = drawn(starters, "a cup of coffee on a table")
    wall, table, cup = mean(coffee, 2, 20, 40, 60), mean(coffee, 2, 200, 250, 250), mean(coffee, 112, 100, 144, 120)
    assert min(wall) > 180 and table[0] > table[2] + 40 and max(cup) < 190, (wall, table, cup)
    sunset = drawn(starters, "a sunset over mountains")
    sky, sun, rock = mean(sunset, 2, 2, 254, 20), mean(sunset, 140, 78, 156, 90), mean(sunset, 2, 240, 254, 254)
    assert sky[2] > sky[1] and sun[0] > 200 and sun[1] > 170 and max(rock) < 110, (sky, sun, rock)


def test_places_are_kept(starters):
    picture = drawn(starters, "an apple on the left")
    assert far(mean(picture, 40, 104, 88, 152), (255, 255, 255)) > 60
    assert far(mean(picture, 168, 40, 250, 216), (255, 255, 255)) < 20


def test_a_seed_is_a_picture(starters):
    prompt = "a rocket in the night sky"
    assert drawn(starters, prompt) == drawn(starters, prompt)
    assert drawn(starters, prompt) != drawn(starters, prompt, seed=43)


def rounds():
    """Whether this CPU multiplies pairs of bf16: others compute with f32 what is stored in bf16, and draw the same picture."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(pathlib.Path("/proc/cpuinfo").read_text().split()))


def test_bfloat16_draws_nearly_the_same(starters, tmp_path):
    prompt = "a cup of coffee on a table"
    with Server(tmp_path, "--dtype", "bfloat16", models=["omni-emoji"]) as rounding:
        exact, rounded = (bytes(c for row in drawn(s, prompt) for p in row for c in p) for s in (starters, rounding))
    assert (exact != rounded) == rounds()
    assert exact == rounded or psnr(exact, rounded) > 30
