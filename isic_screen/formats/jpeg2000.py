"""JPEG 2000 files: JP2 and JPX, and the bare codestream that lies in them."""

import struct
from functools import partial
from io import BytesIO

from PIL import Image, Jpeg2KImagePlugin

from isic_screen.errors import PhotoError
from isic_screen.formats.iso_media import boxes
from isic_screen.formats.photo_file import SAVE_AS_JPEG, PhotoFile, damaged, unpack

_SOC, _SIZ = b"\xff\x4f", 0xFF51
_SOT, _SOD, _EOC = 0xFF90, 0xFF93, 0xFFD9
_COD, _COC = 0xFF52, 0xFF53
_MOST_PARTS = 20_000  # of tiles; the decoder holds 10 kB for each tile
_MOST_TILES = 5_000
_MOST_MARKERS = 1_000
_LEAST_BLOCK = 8  # exponents of a code block's sides, summed: 16 x 16. Each block and each precinct takes memory.
_MOST_PRECINCTS = 200_000


def read_jpeg2000(data: bytes) -> PhotoFile:
    """Keeps what tells the colours, and the codestream; bounds what its headers ask for."""
    if data[:2] == _SOC:
        start, end, profile = 0, len(data), None
    else:
        start, end, profile = _codestream(data)
        data = data[:end]
    size, cost = _read_headers(data, start, end)
    return PhotoFile(partial(_open, profile=profile), data, size=size, cost=cost)


def _codestream(data: bytes) -> tuple[int, int, bytes | None]:
    """(start, end) of the codestream, and the ICC profile beside it (ISO/IEC 15444-1, annex I)."""
    if data[20:24] == b"mjp2":
        raise PhotoError("is a video, not a photo. Save the frame you mean as JPEG and try again.")
    found: dict[bytes, tuple[int, int]] = {}
    for kind, start, end in boxes(data, 0, len(data)):
        found.setdefault(kind, (start, end))
    if not {b"jp2h", b"jp2c"} <= found.keys():
        raise damaged()
    profile = None
    for kind, start, end in boxes(data, *found[b"jp2h"]):
        if kind == b"colr" and data[start] in (2, 3):
            profile = data[start + 3 : end]
    return *found[b"jp2c"], profile


def _read_headers(data: bytes, start: int, end: int) -> tuple[tuple[int, int], float]:
    """The size and the cost of a pixel; raises PhotoError where the coding asks for more than a photo needs."""
    if data[start : start + 2] != _SOC or unpack(">H", data, start + 2) != _SIZ:
        raise damaged()
    right, lower, left, top, wide, high, across, down = struct.unpack_from(">8I", data, start + 8)
    components = unpack(">H", data, start + 40)
    width, height = right - left, lower - top
    if width < 1 or height < 1 or not wide or not high or not 1 <= components <= 5:
        raise damaged()
    tiles = -(-(right - across) // wide) * -(-(lower - down) // high)
    if not 0 < tiles <= _MOST_TILES:
        raise _refused()
    tile = min(wide, width), min(high, height)
    at = _check_markers(data, start + 2, tile, tiles * components)
    for _ in range(_MOST_PARTS):
        if at + 2 > end or unpack(">H", data, at) != _SOT:
            break
        _check_markers(data, at + 12, tile, tiles * components)
        length = unpack(">I", data, at + 6)
        if length < 14:  # 0: up to the end
            break
        at += length
        if at > end:
            raise damaged()
    else:
        raise _refused()
    # Of one tile, which may be the whole picture, the decoder holds every colour of a pixel in 4 bytes and more.
    return (width, height), 6 + 5 * components * tile[0] * tile[1] / (width * height)


def _check_markers(data: bytes, at: int, tile: tuple[int, int], copies: int) -> int:
    """Look at the segments up to a tile or its data, and return the offset of these."""
    for _ in range(_MOST_MARKERS):
        marker = unpack(">H", data, at)
        if marker in (_SOT, _SOD, _EOC):
            return at
        length = unpack(">H", data, at + 2)
        if marker in (_COD, _COC):
            # COD: style, order, layers (2), mix, then as COC has it behind the component's number and its style.
            style, rest = (0, 5) if marker == _COD else (1, 2)
            own = data[at + 4 : at + 2 + length]
            _check_coding(own[rest:], bool(own[style] & 1), tile, copies)
        at += 2 + length
    raise _refused()


def _check_coding(own: bytes, has_precincts: bool, tile: tuple[int, int], copies: int) -> None:
    levels = own[0]
    if levels > 32 or own[1] + own[2] + 4 < _LEAST_BLOCK:
        raise _refused()
    precincts = 0
    for level in range(levels + 1):
        wide, high = (own[5 + level] & 15, own[5 + level] >> 4) if has_precincts else (15, 15)
        scale = levels - level
        precincts += -(-tile[0] // (1 << scale + wide)) * -(-tile[1] // (1 << scale + high))
    if precincts * copies > _MOST_PRECINCTS:
        raise _refused()


def _refused() -> PhotoError:
    return PhotoError(f"is a JPEG 2000 file in too many small parts. {SAVE_AS_JPEG}")


def _open(file: BytesIO, profile: bytes | None) -> Image.Image:
    image = Jpeg2KImagePlugin.Jpeg2KImageFile(file)
    image.info = {"icc_profile": profile} if profile else {}
    return image
