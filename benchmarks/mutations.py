"""Ways to spoil a file: its bytes, the chunks of a picture, the lines of a text, the values of a JSON tree."""

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Where lengths, counts and offsets go wrong."""
MOST_REPEATED = 64_000_000
"""Bytes of a chunk repeated: two thousand large ones take more memory to make than the program may take to read."""
NASTY_TEXTS = (
    "", " ", "\0", "\ufeff", "\x1b[2J", "\u202e", "nan", "-inf", "1e999", "9" * 5000, "0x10", "-1", "1,5", "=1+1", '"',
    "'", "\\", "a" * 200_000, "../../etc/passwd", "C:\\x.jpg", "%s{0}", "\r", "\n", "\u2028", "é" * 300, "𓂀", "<i>",
)  # fmt: skip
_DEEP = "[" * 100_000
NASTY_JSON = (
    "null", "true", "-1", "0", "0.5", "1e308", "-1e308", "NaN", "Infinity", "2147483648", "9223372036854775808",
    "1" + "0" * 30, "9" * 5000, '""', '"x"', '"\\u001b[2J"', '"\\ud800"', "[]", "{}", "[[]]", "[1, 2]", "[NaN]", _DEEP,
)  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- bytes


def flip_bits(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 40))):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut_short(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def drop_block(data: bytes, random: Random) -> bytes:
    start, end = _block(data, random)
    return data[:start] + data[end:]


def repeat_block(data: bytes, random: Random) -> bytes:
    start, end = _block(data, random)
    return data[:end] + data[start:end] * random.choice((1, 1, 3, 50)) + data[end:]


def overwrite_block(data: bytes, random: Random) -> bytes:
    start, end = _block(data, random)
    filling = random.choice((bytes(end - start), b"\xff" * (end - start), random.randbytes(end - start)))
    return data[:start] + filling + data[end:]


def insert_bytes(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.randbytes(random.choice((1, 2, 3, 4, 100))) + data[at:]


def change_number(data: bytes, random: Random) -> bytes:
    """A number at the edge of its type, of 1, 2 or 4 bytes in either order: most lengths are such."""
    layout, size = random.choice((("B", 1), ("<H", 2), (">H", 2), ("<I", 4), (">I", 4)))
    if len(data) < size:
        return data
    # The head of a file holds most of them.
    at = random.randrange(len(data) - size + 1) if random.random() < 0.5 else random.randrange(min(len(data), 64))
    at = min(at, len(data) - size)
    number = random.choice(_EDGES) & (1 << 8 * size) - 1
    return data[:at] + struct.pack(layout, number) + data[at + size :]


def add_mark(data: bytes, random: Random) -> bytes:
    """A byte order mark, zero bytes or what is not UTF-8 before, behind or inside."""
    mark = random.choice(
        (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0", bytes(100), b"\xc3", b"\xed\xa0\x80", b"\xf5")
    )
    at = random.choice((0, len(data), random.randrange(len(data) + 1)))
    return data[:at] + mark + data[at:]


def splice(data: bytes, other: bytes, random: Random) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


BYTES: tuple[Mutation, ...] = (
    flip_bits, cut_short, drop_block, repeat_block, overwrite_block, insert_bytes, change_number, add_mark,
)  # fmt: skip


def _block(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 2, 4, 16, 200, 2000)))


# -------------------------------------------------------------------------------------------------- chunks of pictures


def mix_png_chunks(data: bytes, random: Random) -> bytes:
    """A PNG with a chunk repeated, dropped, moved or with other content, and checksums that are right."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return data
    chosen = random.randrange(len(chunks))
    name, body = chunks[chosen]
    way = random.randrange(5)
    if way == 0:
        room = MOST_REPEATED // (len(body) + 12)
        chunks[chosen:chosen] = [chunks[chosen]] * min(random.choice((1, 5, 2000)), max(1, room))
    elif way == 1:
        del chunks[chosen]
    elif way == 2:
        chunks.insert(random.randrange(len(chunks)), chunks.pop(chosen))
    else:
        chunks[chosen] = name, random.choice(BYTES)(body, random)
    return data[:8] + b"".join(_png_chunk(name, body) for name, body in chunks)


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def mix_jpeg_segments(data: bytes, random: Random) -> bytes:
    """A JPEG with a segment repeated, dropped, moved or with other content of the right length."""
    segments, at = [], 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda" and at + 4 <= len(data):
        (length,) = struct.unpack_from(">H", data, at + 2)
        segments.append(data[at : at + 2 + length])
        at += 2 + length
    if not segments:
        return data
    chosen = random.randrange(len(segments))
    way = random.randrange(5)
    if way == 0:
        segments[chosen:chosen] = [segments[chosen]] * random.choice((1, 5, 500))
    elif way == 1:
        del segments[chosen]
    elif way == 2:
        segments.insert(random.randrange(len(segments)), segments.pop(chosen))
    else:
        body = random.choice(BYTES)(segments[chosen][4:], random)[:65_533]
        segments[chosen] = segments[chosen][:2] + struct.pack(">H", len(body) + 2) + body
    return data[:2] + b"".join(segments) + data[at:]


def declare_size(data: bytes, random: Random) -> bytes:
    """A picture whose header claims another size, from nothing to more than any memory holds."""
    sides = (0, 1, 7, 4000, 10_900, 20_000, 65_535, 1 << 24, 0x7FFFFFFF, 0xFFFFFFFF)
    width, height = random.choice(sides), random.choice(sides)
    changed = bytearray(data)
    if data.startswith(b"\x89PNG") and len(data) > 33:
        changed[16:24] = struct.pack(">II", width, height)
        changed[29:33] = struct.pack(">I", zlib.crc32(changed[12:29]))
    elif data.startswith(b"BM") and len(data) > 26:
        changed[18:26] = struct.pack("<II", width, height)
    elif data.startswith(b"\xff\xd8"):
        at = max(data.find(marker) for marker in (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2"))
        if 0 < at < len(data) - 9:
            changed[at + 5 : at + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    elif data.startswith(b"RIFF") and data[12:16] in (b"VP8 ", b"VP8X", b"VP8L"):
        at = {b"VP8 ": 26, b"VP8X": 24, b"VP8L": 21}[data[12:16]]
        changed[at : at + 4] = struct.pack("<I", random.getrandbits(32))
    elif data[4:8] == b"ftyp" and 0 < (at := data.find(b"ispe")) < len(data) - 16:
        changed[at + 8 : at + 16] = struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF)
    elif 0 <= (at := data.find(b"\xff\x4f\xff\x51")) < len(data) - 48:  # of JPEG 2000, or its tiles'
        at += random.choice((8, 24))
        changed[at : at + 8] = struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF)
    elif data[128:132] == b"DICM":
        for tag, value in ((0x10, height), (0x11, width)):
            at = data.find(struct.pack("<HH2sH", 0x28, tag, b"US", 2))
            if 0 < at < len(data) - 10:
                changed[at + 8 : at + 10] = struct.pack("<H", value & 0xFFFF)
    elif data.startswith(b"II*\0"):
        for tag, value in ((256, width), (257, height), (278, height), (322, width), (323, height)):
            at = data.find(struct.pack("<H", tag), 8)
            if 0 < at < len(data) - 12 and random.random() < 0.7:
                changed[at + 2 : at + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(changed)


# -------------------------------------------------------------------------------------------------------------- texts


def mutate_lines(text: str, random: Random, mark: str, values: Sequence[str]) -> str:
    """A text of lines whose values stand behind or between `mark`: a line
    repeated, dropped, moved or left blank, or another value."""
    lines = text.split("\n")
    chosen = random.randrange(len(lines))
    way = random.randrange(7)
    if way == 6:
        lines.insert(chosen, "\r" if lines[0].endswith("\r") else "")
    elif way == 0:
        lines[chosen:chosen] = [lines[chosen]] * random.choice((1, 3, 300))
    elif way == 1:
        del lines[chosen]
    elif way == 2:
        lines.insert(random.randrange(len(lines)), lines.pop(chosen))
    else:
        cells = lines[chosen].split(mark)
        cells[random.randrange(len(cells)) if way < 5 else -1] = random.choice(values)
        lines[chosen] = mark.join(cells)
    return "\n".join(lines)


# --------------------------------------------------------------------------------------------------------- JSON trees


def mutate_json(text: str, random: Random) -> str:
    """JSON with a value replaced by one that does not belong there, or a name of an object lost, changed or added."""
    tree: Any = json.loads(text)
    places = list(_places(tree))
    if not places:
        return random.choice(NASTY_JSON)
    container, key = random.choice(places)
    way = random.randrange(8)
    if way == 0:
        del container[key]
    elif way == 1 and isinstance(container, dict):
        container[random.choice(NASTY_TEXTS)] = container.pop(key)
    else:
        container[key] = _STAND_IN
        return json.dumps(tree).replace(f'"{_STAND_IN}"', random.choice(NASTY_JSON))
    return json.dumps(tree)


_STAND_IN = "value to replace"


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value; of long lists the first ones, as the others are alike."""
    keys = list(tree) if isinstance(tree, dict) else list(range(min(3, len(tree)))) if isinstance(tree, list) else []
    return [place for key in keys for place in [(tree, key), *_places(tree[key])]]
