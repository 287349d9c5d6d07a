"""Pictures for tests, with nothing but the standard library: PNG in and out, tensors of the goldens, and a way to compare."""
import json
import math
import struct
import zlib


def png(width, height, colour=(40, 120, 200), alpha=None):
    """A PNG file of one colour; `alpha(x, y)` adds transparency."""
    channels = 3 if alpha is None else 4
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows += bytes(colour) if alpha is None else bytes(colour) + bytes([alpha(x, y)])

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")


def chunks(data):
    """Names and contents of a PNG file's chunks."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:16]
    place = 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        yield kind, data[place + 8:place + 8 + length]
        place += 12 + length


def decode(data):
    """Width, height and the RGB bytes of an 8-bit PNG file without interlacing."""
    width = height = 0
    packed = b""
    for kind, content in chunks(data):
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", content)
            assert (depth, colour, interlace) == (8, 2, 0)
        elif kind == b"IDAT":
            packed += content
    raw, stride, above, out = zlib.decompress(packed), width * 3, bytes(width * 3), bytearray()
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left, up, corner = line[i - 3] if i >= 3 else 0, above[i], above[i - 3] if i >= 3 else 0
            guess = left + up - corner
            paeth = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            line[i] = (line[i] + [0, left, up, (left + up) // 2, paeth][kind]) & 255
        out += line
        above = bytes(line)
    return width, height, bytes(out)


def texts(data):
    """The texts stored in a PNG file."""
    return {c.split(b"\0", 1)[0].decode(): c.split(b"\0", 1)[1].decode() for k, c in chunks(data) if k == b"tEXt"}


def tensor(path, name):
    """Shape and values of a golden tensor."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + size])[name]
    start, end = entry["data_offsets"]
    return entry["shape"], struct.unpack(f"<{(end - start) // 4}f", data[8 + size + start:8 + size + end])


def golden(path, name):
    """Width, height and the RGB bytes of the first picture of a tensor `[n, height, width, 3]` with values in 0…1."""
    (_, height, width, channels), values = tensor(path, name)
    assert channels == 3
    return width, height, bytes(round(max(0, min(1, value)) * 255) for value in values[:width * height * 3])


def psnr(a, b):
    """Peak signal to noise of two pictures' bytes, decibels."""
    assert len(a) == len(b) > 0
    error = sum((x - y) ** 2 for x, y in zip(a, b)) / len(a)
    return math.inf if error == 0 else 10 * math.log10(255 * 255 / error)
