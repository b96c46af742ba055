"""What a photo file says of itself, read from its bytes before any pixel is decoded.

:func:`read_photo_file` tells the kind of file by its first bytes (never by its name), refuses what is not a still
photo, and rewrites the file without what is not needed to decode it. That drops the metadata (GPS!), and it keeps
hostile metadata away from Pillow, which would hold every tag of a TIFF or Exif directory in memory however many of
them point at the same bytes: 1 MB of tags can ask for 50 GB.
"""

import logging
import struct
import zlib
from dataclasses import dataclass, field

from PIL import Image, TiffTags

from isic_screen.errors import PhotoError
from isic_screen.foreign_files import SAVE_AS_JPEG, describe

MAX_PROFILE_BYTES = 1_000_000  # Pillow refuses larger compressed profiles; a display profile has 0.5 to 600 kB
MAX_SCANS = 64  # a progressive JPEG has about 10 scans; thousands of empty ones would decode for hours

PROFILE_IGNORED = "A photo's colour profile is ignored, as it is damaged, too large or for other colours."
_log = logging.getLogger(__name__)

GET_IT_AGAIN = "Copy or download it again from the camera or archive."


@dataclass(frozen=True)
class DeepGrey:
    """How grey values of more than 8 bits are stored, where Pillow hands them over as they are."""

    bits: int = 16
    white_is_zero: bool = False


@dataclass(frozen=True)
class PhotoFile:
    """A still photo in one of five formats, ready to be decoded.

    ``data`` is the file without its metadata. ``orientation`` is the Exif one, 1 to 8. ``size`` is (width, height)
    where it has to be known before the decoder is made, else None. ``cost`` is the memory in bytes that decoding takes
    for each pixel of the file at most, beside the picture of the final size. ``most_pixels`` is a limit of the
    decoder's own.
    """

    format: str
    data: bytes
    orientation: int = 1
    size: tuple[int, int] | None = None
    cost: float = 4
    most_pixels: int | None = None
    deep_grey: DeepGrey = field(default_factory=DeepGrey)


def read_photo_file(data: bytes) -> PhotoFile:
    """The photo file in ``data``. Raises PhotoError with a sentence that lacks its subject, the file's name."""
    if not data:
        raise PhotoError(f"is empty (0 bytes). {GET_IT_AGAIN}")
    if not data.strip(b"\0"):
        raise PhotoError(f"holds nothing but zero bytes: it was not copied completely. {GET_IT_AGAIN}")
    for signature, reader in _READERS.items():
        if data.startswith(signature) and (signature != b"RIFF" or data[8:12] == b"WEBP"):
            try:
                return reader(data)
            except (struct.error, IndexError, ValueError):  # a length or offset in the file points outside of it
                raise _damaged() from None
    raise PhotoError(describe(data))


def _damaged() -> PhotoError:
    return PhotoError(f"is damaged or cut short. {GET_IT_AGAIN}")


def _animated(kind: str) -> PhotoError:
    return PhotoError(f"is an animated {kind}, not one photo. Save the frame you mean as JPEG and try again.")


# ---------------------------------------------------------------------------------------------------------- formats


def _read_jpeg(data: bytes) -> PhotoFile:
    """Keeps the segments that decoding needs, drops Exif, XMP, comments, thumbnails and all images but the first."""
    kept, exif, frame, at = [data[:2]], b"", b"", 2
    while True:
        if data[at] != 0xFF:
            raise _damaged()
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0xD9:
            raise _damaged()  # the end before any picture
        if marker == 0xDA:
            break
        end = at + 2 + _unpack(">H", data, at + 2)
        segment = data[at:end]
        at = end
        if marker == 0xE1 and segment[4:10] == b"Exif\0\0":
            exif = exif or segment[10:]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header
            frame = segment
        is_profile = marker == 0xE2 and segment[4:16] == b"ICC_PROFILE\0"
        # JFIF (APP0) and Adobe (APP14) tell how colours are stored; the other APPn and comments are metadata.
        if is_profile or marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(segment)
    # Counted as bytes: inside compressed data FF is always stuffed, so FF DA is a scan header, rarely a thumbnail's.
    scans = data.count(b"\xff\xda", at)
    if scans > MAX_SCANS:
        raise PhotoError(f"has {scans} JPEG scans, which no camera writes. {SAVE_AS_JPEG}")
    if frame[1] < 0xC8 and 8 * (len(data) - at) < _mcus(frame):
        raise _damaged()  # Huffman codes spend a bit at least on each unit; libjpeg would fill the rest with grey
    # With more than one scan libjpeg holds all coefficients of the image, 2 bytes each, whatever size is asked for.
    cost = 2 * frame[9] if scans > 1 or frame[1] not in (0xC0, 0xC1) else 0
    return PhotoFile("JPEG", b"".join(kept) + data[at:], _orientation(exif), cost=cost)


def _mcus(frame: bytes) -> int:
    """How many minimum coded units a JPEG with this frame header has (ITU-T T.81, A.2 and B.2.2)."""
    height, width = struct.unpack_from(">HH", frame, 5)
    sampling = frame[11::3]
    across, down = 8 * max(s >> 4 for s in sampling), 8 * max(s & 15 for s in sampling)
    if not across or not down:
        raise _damaged()
    return int(-(-width // across) * -(-height // down))


def _read_png(data: bytes) -> PhotoFile:
    kept, exif, at, header = [data[:8]], b"", 8, b""
    while True:
        if at >= len(data):
            raise _damaged()  # no IEND: cut short
        length, name = _unpack(">I", data, at), data[at + 4 : at + 8]
        chunk, body = data[at : at + 12 + length], data[at + 8 : at + 8 + length]
        if len(chunk) < 12 + length:
            raise _damaged()
        at += 12 + length
        if name == b"IHDR":
            header = body
        if name == b"acTL" and _unpack(">I", body, 0) > 1:
            raise _animated("PNG")
        if name == b"eXIf":
            exif = body
        if name == b"tRNS" and header[8:9] == b"\x10":
            raise PhotoError(f"marks one colour of a 16-bit PNG as transparent. {SAVE_AS_JPEG}")
        if name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT") or (name == b"iCCP" and _profile_fits(body)):
            kept.append(chunk)
        elif name == b"iCCP":
            _log.warning(PROFILE_IGNORED)
        if name == b"IEND":
            kept.append(chunk)
            break
    return PhotoFile("PNG", b"".join(kept), _orientation(exif))


def _profile_fits(body: bytes) -> bool:
    """Whether a compressed profile is whole and small; a broken or giant one is left out, as browsers do."""
    try:
        profile = zlib.decompressobj().decompress(body[body.index(b"\0") + 2 :], MAX_PROFILE_BYTES)
    except (zlib.error, ValueError):
        return False
    return len(profile) < MAX_PROFILE_BYTES


def _read_webp(data: bytes) -> PhotoFile:
    at, exif, size = 12, b"", None
    while at + 8 <= len(data):
        name, length = data[at : at + 4], _unpack("<I", data, at + 4)
        body = data[at + 8 : at + 8 + min(length, 1 << 16)]  # headers and Exif are all that is looked at
        if at + 8 + length > len(data):
            raise _damaged()
        if name in (b"ANIM", b"ANMF"):
            raise _animated("WebP")
        if name == b"EXIF":
            exif = body.removeprefix(b"Exif\0\0")
        if name == b"VP8X":
            size = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        elif name == b"VP8 " and size is None:
            size = _unpack("<H", body, 6) & 0x3FFF, _unpack("<H", body, 8) & 0x3FFF
        elif name == b"VP8L" and size is None:
            bits = _unpack("<I", body, 1)
            size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        at += 8 + length + length % 2
    if size is None:
        raise _damaged()
    # libwebp keeps two canvases beside the frame, and Pillow copies that twice: 4 bytes a pixel each.
    return PhotoFile("WEBP", data, _orientation(exif), size, cost=16)


def _read_bmp(data: bytes) -> PhotoFile:
    if _unpack("<I", data, 14) >= 40 and _unpack("<I", data, 30) in (1, 2):
        # Pillow decodes these in Python, a byte at a time.
        raise PhotoError(
            "is a run-length compressed BMP, which is not read here. Save it as PNG or JPEG and try again."
        )
    return PhotoFile("BMP", data)


# What it takes to decode a TIFF: sizes, layout, strips and tiles, colours, compression, JPEG tables, ICC profile.
_TIFF_TAGS = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 334, 338, 339}
    | {347, *range(512, 522), 529, 530, 531, 532, 34675}
)
_REDUCED_COPY = 1  # bit 0 of NewSubfileType: a thumbnail of another page
_Entries = dict[int, tuple[int, int, bytes]]


def _read_tiff(data: bytes) -> PhotoFile:
    """Puts a new directory with only the tags that decoding needs behind the file, and points the header at it."""
    if data[2:4] in (b"+\0", b"\0+"):
        raise PhotoError(f"is a BigTIFF, which is not read here. {SAVE_AS_JPEG}")
    order = "<" if data[:2] == b"II" else ">"
    entries, following = _directory(data, order, _unpack(order + "I", data, 4))
    if data[8:10] == b"CR" or 50706 in entries or _value(entries, 254, order) & _REDUCED_COPY:
        raise PhotoError(f"is a camera raw file, not a finished photo. {SAVE_AS_JPEG}")
    for _ in range(16):
        if not following:
            break
        page, following = _directory(data, order, following)
        if not _value(page, 254, order) & _REDUCED_COPY:
            raise PhotoError("is a TIFF of several pages. Save the page you mean as JPEG and try again.")
    kept = {tag: entry for tag, entry in entries.items() if tag in _TIFF_TAGS}
    total = 0
    for tag, (kind, count, raw) in kept.items():
        size = _TYPE_SIZES.get(kind, len(data)) * count
        total += size
        offset = _unpack(order + "I", raw, 8) if size > 4 else 0
        # Types 1, 2 and 7 are byte strings, of any length. Of other values too many make Pillow warn.
        single = TiffTags.lookup(tag).length == 1 and kind not in (1, 2, 7)
        if offset + size > len(data) or total > len(data) or (single and count != 1):
            raise _damaged()
    directory = struct.pack(order + "H", len(kept)) + b"".join(kept[tag][2] for tag in sorted(kept)) + bytes(4)
    padding = bytes(len(data) % 2)  # a directory starts on an even byte
    header = data[:4] + struct.pack(order + "I", len(data) + len(padding))
    samples, rows = _value(kept, 277, order, 1), _value(kept, 257, order)
    strip = max(1, _value(kept, 256, order)) * max(1, rows)
    if 322 in kept:
        part = _value(kept, 322, order) * _value(kept, 323, order)
    else:
        part = _value(kept, 256, order) * min(_value(kept, 278, order, rows), rows)
    deep_grey = DeepGrey(_value(kept, 258, order, 16), white_is_zero=_value(kept, 262, order, 1) == 0)
    return PhotoFile(
        "TIFF",
        header + data[8:] + padding + directory,
        _upright(_value(entries, 274, order, 1)),
        # One strip or tile, which may be the whole image, is decoded beside it: 4 to 8 bytes a pixel.
        cost=4 + max(4, 2 * samples) * part / strip,
        most_pixels=Image.MAX_IMAGE_PIXELS,  # the TIFF decoder warns above it, even when not called by Image.open
        deep_grey=deep_grey,
    )


_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


def _directory(data: bytes, order: str, offset: int) -> tuple[_Entries, int]:
    """The entries {tag: (type, count, its 12 bytes)} of a TIFF directory, and the offset of the next one (0: none)."""
    entries: _Entries = {}
    count = _unpack(order + "H", data, offset)
    for start in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(order + "HHI", data, start)
        entries[tag] = kind, values, data[start : start + 12]
    return entries, _unpack(order + "I", data, offset + 2 + 12 * count)


def _value(entries: _Entries, tag: int, order: str, default: int = 0) -> int:
    """The first value of a tag that is a SHORT or LONG held in the entry itself, else the default."""
    kind, count, raw = entries.get(tag, (0, 0, b""))
    return _unpack(order + {3: "H", 4: "I"}[kind], raw, 8) if kind in (3, 4) and count == 1 else default


def _orientation(exif: bytes) -> int:
    """Exif orientation, 1 to 8; 1 when the block is missing or broken, which says nothing about the picture."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        entries, _ = _directory(exif + bytes(4), order, _unpack(order + "I", exif, 4))
        return _upright(_value(entries, 274, order, 1))
    except struct.error:
        return 1


def _upright(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


def _unpack(layout: str, data: bytes, offset: int) -> int:
    return int(struct.unpack_from(layout, data, offset)[0])


_READERS = {
    b"\xff\xd8\xff": _read_jpeg,
    b"\x89PNG\r\n\x1a\n": _read_png,
    b"RIFF": _read_webp,
    b"II*\0": _read_tiff,
    b"MM\0*": _read_tiff,
    b"II+\0": _read_tiff,
    b"MM\0+": _read_tiff,
    b"BM": _read_bmp,
}
