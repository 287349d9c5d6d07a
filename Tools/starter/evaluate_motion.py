"""Looks at omni-emoji-motion through a running server: twelve videos, none of whose prompts is a training caption.

    python evaluate_motion.py http://localhost:8091 OUT.png [--frames 9]

OUT.png has a video in each row; OUT.webp is a video itself, all twelve side by side. For each video the script says where the subject goes (what differs from the ground), whether that
is what was asked, and the rank of the right subject among all that move, by the features of evaluate.py. Needs ffmpeg.
"""

import argparse
import json
import subprocess
import tempfile
import urllib.request
import uuid

import numpy as np
from PIL import Image

import data
import motion_data
from evaluate import describe

# The prompt, the subject, its motion, its ground: a colour's name or a scene's.
PROMPTS = [
    ("a rocket climbs up on a purple background", "🚀", "up", "purple"),
    ("a car travels to the left on a yellow background", "🚗", "left", "yellow"),
    ("a sailboat travels to the right on a pink background", "⛵", "right", "pink"),
    ("an apple drops down, the background is light blue", "🍎", "down", "light blue"),
    ("a star that spins on a black background", "⭐", "turning", "black"),
    ("a soccer ball that bounces on a green background", "⚽", "bouncing", "green"),
    ("a cat that grows on a light blue background", "🐈", "growing", "light blue"),
    ("a balloon that shrinks", "🎈", "shrinking", "white"),
    ("a fish travels to the left on a light blue background", "🐟", "left", "light blue"),
    ("a helicopter climbs up in the sky", "🚁", "up", "sky"),
    ("a ghost travels to the right at night", "👻", "right", "night"),
    ("a penguin drops down on a pink background", "🐧", "down", "pink"),
]


def generated(server, prompt, frames, seed):
    """The video's pictures, [frames, px, px, 3] in 0…1."""
    mark = uuid.uuid4().hex
    fields = {"model": "omni-emoji-motion", "prompt": prompt, "num_frames": str(frames), "seed": str(seed)}
    body = "".join(f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()) + f"--{mark}--\r\n"
    request = urllib.request.Request(
        server.rstrip("/") + "/v1/videos/sync", body.encode(), {"Content-Type": f"multipart/form-data; boundary={mark}"})
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file, urllib.request.urlopen(request) as reply:
        file.write(reply.read())
        file.flush()
        shape = json.loads(subprocess.check_output(
            ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "json", file.name]))["streams"][0]
        raw = subprocess.check_output(["ffmpeg", "-v", "error", "-i", file.name, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
    return np.frombuffer(raw, np.uint8).reshape(-1, shape["height"], shape["width"], 3).astype(np.float32) / 255


def ground(name):
    """The background of that name, as data.py describes one."""
    return ("scene", name) if name in data.SCENES else ("flat", data.COLOURS[name])


def tracked(frames, under):
    """Of each frame the subject's centre and the share of the picture that it covers: [frames, (x, y, area)] in parts of the side."""
    rows = []
    for frame in frames:
        mask = np.clip((np.abs(frame - under).max(-1) - 0.12) / 0.15, 0, 1)
        y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]] / mask.shape[0]
        total = mask.sum() + 1e-6
        rows.append(((mask * x).sum() / total, (mask * y).sum() / total, mask.mean()))
    return np.array(rows)


def angle(a, b):
    """By how many degrees `b` is `a` turned, clockwise, best in steps of 15."""
    side = Image.fromarray((a * 255).astype(np.uint8))
    errors = [np.abs(np.asarray(side.rotate(-d, Image.BICUBIC), np.float32) / 255 - b).mean() for d in range(0, 360, 15)]
    return 15 * int(np.argmin(errors))


def as_told(motion, frames, rows):
    x, y, area = rows.T
    steady = abs(x[-1] - x[0]) < 0.12 and abs(y[-1] - y[0]) < 0.12
    if motion == "turning":
        turns = [angle(frames[i], frames[i + 1]) for i in range(len(frames) - 1)]
        return steady and sum(15 <= t <= 105 for t in turns) >= 0.6 * len(turns)
    if motion == "bouncing":
        return y.max() - y.min() > 0.2 and np.count_nonzero(np.diff(np.sign(np.diff(y)[np.abs(np.diff(y)) > 0.02]))) >= 2
    return {
        "up": y[0] - y[-1] > 0.25 and abs(x[-1] - x[0]) < 0.12, "down": y[-1] - y[0] > 0.25 and abs(x[-1] - x[0]) < 0.12,
        "left": x[0] - x[-1] > 0.25 and abs(y[-1] - y[0]) < 0.12, "right": x[-1] - x[0] > 0.25 and abs(y[-1] - y[0]) < 0.12,
        "growing": steady and area[-1] > 2 * area[0], "shrinking": steady and area[0] > 2 * area[-1],
    }[motion]


def rank(frame, row, emoji, name):
    """Among all subjects that move, at the place and size that was found: 1 is the most alike."""
    px = frame.shape[0]
    alike = {}
    for subject in motion_data.movers():
        covered = data.bitmap(subject.emoji)[..., 3].mean()
        size = 256 * float(np.sqrt(row[2] / covered))
        sample = data.Sample("", ground(name), [(subject.emoji, 256 * row[0], 256 * row[1], size)], subject.emoji, "")
        alike[subject.emoji.replace("\ufe0f", "")] = float(describe(data.draw(sample, px)) @ describe(frame))
    return 1 + sum(v > alike[emoji] for v in alike.values())


def main():
    a = argparse.ArgumentParser()
    a.add_argument("server")
    a.add_argument("out")
    a.add_argument("--frames", type=int, default=motion_data.FRAMES)
    a.add_argument("--seed", type=int, default=42)
    args = a.parse_args()
    videos, moved, known = [], 0, 0
    for i, (prompt, emoji, motion, name) in enumerate(PROMPTS):
        frames = generated(args.server, prompt, args.frames, args.seed + i)
        rows = tracked(frames, data.background(frames.shape[1], ground(name)))
        told, place = as_told(motion, frames, rows), rank(frames[0], rows[0], emoji, name)
        moved, known = moved + bool(told), known + (place <= 3)
        print(f"{'moves' if told else 'FAILS'} rank {place:2}  {prompt}: " + " ".join(f"({x:.2f} {y:.2f} {s:.2f})" for x, y, s in rows[:: max(1, len(rows) // 4)]))
        videos.append(frames)
    print(f"{moved} of {len(PROMPTS)} move as told, in {known} the right subject is among the first three of {len(motion_data.movers())}")
    (playing if args.out.endswith(".webp") else strips)(videos, args.out)


def strips(videos, path):
    """A video in each row."""
    sheet = np.concatenate([np.concatenate(list(video), 1) for video in videos])
    Image.fromarray((sheet * 255 + 0.5).astype(np.uint8)).save(path)


def playing(videos, path, columns=4):
    """All videos at once, again and again; the last picture stands for a second."""
    grid = np.concatenate([np.concatenate(videos[at : at + columns], 2) for at in range(0, len(videos), columns)], 1)
    pictures = [Image.fromarray((frame * 255 + 0.5).astype(np.uint8)) for frame in grid]
    times = [1000 // motion_data.FPS] * (len(pictures) - 1) + [1000]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=times, loop=0, quality=88, method=6)


if __name__ == "__main__":
    main()
