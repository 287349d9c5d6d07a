"""Makes Tests/OmniMediaTests/Fixtures: small pictures and sounds that other programs wrote.

    python -m pip install pillow numpy    # and the ffmpeg program
    python Tools/media/make_fixtures.py Tests/OmniMediaTests/Fixtures
"""
import subprocess
import sys
from pathlib import Path

import numpy
from PIL import Image

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)

# A picture with one colour per quarter, so that every turn and mirror shows, in a shape that is no square.
quarters = numpy.zeros((16, 24, 3), numpy.uint8)
quarters[:8, :12] = (250, 20, 20)
quarters[:8, 12:] = (20, 250, 20)
quarters[8:, :12] = (20, 20, 250)
quarters[8:, 12:] = (240, 240, 20)
picture = Image.fromarray(quarters)
picture.save(folder / "quarters.png")
picture.save(folder / "quarters.jpg", quality=95, subsampling=0)
picture.save(folder / "quarters.webp", lossless=True)
picture.save(folder / "quarters-lossy.webp", quality=90)
picture.save(folder / "quarters-animated.webp", save_all=True, append_images=[picture.transpose(Image.Transpose.ROTATE_180)], duration=100, lossless=True)
picture.save(folder / "quarters.bmp")
picture.convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "quarters.gif")

# Stored so that the orientation tag turns it back into `quarters`.
stored = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
          5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270}
for orientation, turn in stored.items():
    exif = Image.Exif()
    exif[0x0112] = orientation
    kind = {6: "png", 8: "webp"}.get(orientation, "jpg")
    options = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}, "png": {}}[kind]
    picture.transpose(turn).save(folder / f"orientation-{orientation}.{kind}", exif=exif, **options)

# Resizing: noise and a soft alpha, and what Pillow makes of them.
random = numpy.random.default_rng(7)
noise = Image.fromarray(random.integers(0, 256, (37, 53, 4), dtype=numpy.uint8), "RGBA")
noise.save(folder / "noise-rgba.png")
noise.convert("RGB").save(folder / "noise.png")
for name, filter in (("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC), ("lanczos", Image.Resampling.LANCZOS)):
    noise.convert("RGB").resize((20, 61), filter).save(folder / f"noise-{name}-20x61.png")
# Rows first, then columns, as Pillow always did up to release 12; later ones choose the order by size.
rows = noise.convert("RGBa").resize((80, 37), Image.Resampling.LANCZOS)
rows.resize((80, 18), Image.Resampling.LANCZOS).convert("RGBA").save(folder / "noise-rgba-lanczos-80x18.png")

# One second of a 440 Hz tone, in containers that we read and do not write.
tone = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "sine=frequency=440:duration=1:sample_rate=48000", "-map_metadata", "-1", "-fflags", "+bitexact"]
for name, options in {"tone.webm": ["-c:a", "libopus", "-b:a", "24k"], "tone.m4a": ["-c:a", "aac", "-b:a", "32k"],
                      "tone.ogg": ["-c:a", "libvorbis", "-ac", "2", "-q:a", "0"]}.items():
    subprocess.run(tone + options + [str(folder / name)], check=True)
