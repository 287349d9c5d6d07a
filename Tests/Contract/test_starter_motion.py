"""The starter video model, served with nothing said but its name: what moves goes where it is told."""
import subprocess

import pytest

from harness import ROOT
from videos import create

pytestmark = pytest.mark.skipif(not (ROOT / "Models/omni-emoji-motion").exists(), reason="Models/omni-emoji-motion is not in this checkout")
SIDE = 128


def generated(server, prompt, **fields):
    """The clip as frames of RGB bytes."""
    reply = create(server, prompt, path="/v1/videos/sync", **{"seed": 42} | fields)
    assert reply.status == 200, reply
    command = ["ffmpeg", "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, input=reply.body, capture_output=True, check=True).stdout
    size = 3 * SIDE * SIDE
    assert len(raw) % size == 0
    return [raw[at:at + size] for at in range(0, len(raw), size)]


def found(frame, ground):
    """Where the subject is and how much of the picture it covers: (x, y, area) in parts of the side."""
    places = [at // 3 for at in range(0, len(frame), 3) if max(abs(frame[at + c] - ground[c]) for c in range(3)) > 70]
    assert places, "there is nothing but ground"
    n = len(places)
    return sum(p % SIDE for p in places) / n / SIDE, sum(p // SIDE for p in places) / n / SIDE, n / SIDE / SIDE


@pytest.mark.parametrize("prompt,ground,as_told", [
    ("a rocket climbs up on a purple background", (130, 70, 185), lambda a, b: a[1] - b[1] > 0.25 and abs(a[0] - b[0]) < 0.12),
    ("a car travels to the left on a yellow background", (252, 220, 70), lambda a, b: a[0] - b[0] > 0.25 and abs(a[1] - b[1]) < 0.12),
    ("a sailboat travels to the right on a pink background", (250, 170, 200), lambda a, b: b[0] - a[0] > 0.25 and abs(a[1] - b[1]) < 0.12),
    ("a balloon that shrinks", (255, 255, 255), lambda a, b: a[2] > 2 * b[2]),
])
def test_what_moves_goes_where_it_is_told(starters, prompt, ground, as_told):
    frames = generated(starters, prompt)
    assert len(frames) == 9
    first, last = found(frames[0], ground), found(frames[-1], ground)
    assert as_told(first, last), (prompt, first, last)


def test_longer_clips_go_on(starters):
    frames = generated(starters, "a rocket climbs up on a purple background", num_frames=17)
    heights = [found(frame, (130, 70, 185))[1] for frame in frames]
    assert len(frames) == 17 and heights[0] > heights[8] + 0.08 > heights[16] + 0.16, heights
