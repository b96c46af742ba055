"""Bytes of broken, hostile and odd files, made on the spot, for the tests of photo decoding."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """A small picture with structure in every channel, no two corners alike."""
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.stack([255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 128 + 60 * np.sin(x / 5)], axis=-1)
    return Image.fromarray(ramp.astype(np.uint8))


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def jpeg(**options: object) -> bytes:
    return saved(picture(), "JPEG", **{"quality": 95, **options})


def jpeg_with(marker: int, body: bytes, base: bytes | None = None) -> bytes:
    """A JPEG with one more segment, right after the start."""
    base = base or jpeg()
    return base[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + base[2:]


def jpeg_sized(width: int, height: int, progressive: bool = False) -> bytes:
    """A small JPEG whose header claims another size."""
    data = bytearray(jpeg(progressive=progressive))
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def exif(orientation: int, count: int = 1, kind: int = 3) -> bytes:
    """An Exif block (TIFF, big-endian) that holds an orientation."""
    entry = struct.pack(">HHIHH", 274, kind, count, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG from its unfiltered rows; ``more`` are whole chunks that come before the picture data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + data + chunk(b"IEND", b"")


def png_with(name: bytes, body: bytes) -> bytes:
    """The picture as PNG with one more chunk behind the header."""
    data = saved(picture(), "PNG")
    return data[:33] + chunk(name, body) + data[33:]


def tiff(entries: list[tuple[int, int, int, int]], body: bytes = b"", following: int = 0) -> bytes:
    """A little-endian TIFF: header, ``body`` from byte 8, directory. Entries are (tag, type, count, value)."""
    body += bytes(len(body) % 2)
    directory = struct.pack("<H", len(entries))
    for tag, kind, count, value in sorted(entries):
        directory += struct.pack("<HHII", tag, kind, count, value)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory + struct.pack("<I", following)


def grey_tiff(pixels: np.ndarray, bits: int, photometric: int = 1, **tags: int) -> bytes:
    """An uncompressed grey TIFF of 8 or 16 bits."""
    height, width = pixels.shape
    body = pixels.astype("<u2" if bits == 16 else "u1").tobytes()
    entries = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height}
    entries |= {279: len(body)} | {int(tag[1:]): value for tag, value in tags.items()}
    return tiff([(tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in entries.items()], body)


def webp_sized(width: int, height: int) -> bytes:
    """A lossless WebP header of a size, with nothing behind it."""
    body = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(16)
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body + b"\0"


def bmp_sized(width: int, height: int, compression: int = 0) -> bytes:
    data = bytearray(saved(picture(), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    data[30:34] = struct.pack("<I", compression)
    return bytes(data)


def matrix_profile(red: tuple[float, float], green: tuple[float, float], blue: tuple[float, float]) -> bytes:
    """An ICC v2 display profile with these primaries (CIE xy), D50 white and gamma 1.8."""
    primaries = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in (red, green, blue)]).T
    white = np.array([0.9642, 1.0, 0.8249])
    columns = primaries * np.linalg.solve(primaries, white)
    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, round(1.8 * 256), 0)
    bodies = {b"wtpt": _xyz(white), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    bodies |= {name: _xyz(columns[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    bodies[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78 + 1)
    bodies[b"cprt"] = b"text" + bytes(4) + b"none\0\0\0\0"
    table, data, at = b"", b"", 128 + 4 + 12 * len(bodies)
    for name, body in bodies.items():
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", at + len(data), len(body))
        data += body
    header = struct.pack(">I4sI4s4s4s", at + len(data), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(white)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(bodies)) + table + data


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))
