"""DICOM files of one photo: whatever was photographed or captured, in colour or grey.

The elements are walked here, and none but those that tell the pixels is looked at: so no name, date or number of a
patient is ever held, shown or logged, and neither nested sequences nor deflated ones can take more than they have.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from isic_screen.errors import PhotoError
from isic_screen.formats.dicom_pixels import Pixels, encapsulated, native
from isic_screen.formats.photo_file import PhotoFile, damaged, unpack

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_DATA, _ICC_PROFILE = 0x7FE00010, 0x00282000
_SWAPPED = -1  # no tag of DICOM's: that the bytes of the pixels stand in words of two, the second one first
_UNDEFINED = 0xFFFFFFFF
_TRANSFER_SYNTAX, _SOP_CLASS_OF_FILE, _SOP_CLASS = 0x00020010, 0x00020002, 0x00080016
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_IMPLICIT, _DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_PLAIN = ("", _IMPLICIT, "1.2.840.10008.1.2.1", _DEFLATED, _BIG_ENDIAN)
_MOST_ELEMENTS = 300_000  # nested ones among them
_MOST_INFLATED = 200_000_000  # bytes
_PALETTES = tuple((0x00281100 + colour, 0x00281200 + colour) for colour in (1, 2, 3))  # descriptor and values
_NUMBERS = {
    "samples": 0x00280002, "planar": 0x00280006, "rows": 0x00280010, "columns": 0x00280011, "allocated": 0x00280100,
    "stored": 0x00280101, "signed": 0x00280103,
}  # fmt: skip
_FRAMES, _PHOTOMETRIC = 0x00280008, 0x00280004
_WANTED = frozenset(
    {_TRANSFER_SYNTAX, _SOP_CLASS_OF_FILE, _SOP_CLASS, _PIXEL_DATA, _ICC_PROFILE, _FRAMES, _PHOTOMETRIC}
    | {*_NUMBERS.values(), *(tag for pair in _PALETTES for tag in pair)}
)


def read_dicom(data: bytes) -> PhotoFile:
    """The one photo in the file, as the decoder of its own kind is to read it."""
    at = 132 if data[128:132] == b"DICM" else 0
    meta, at = _elements(data, at, _Layout("<", explicit=True), group=2)
    syntax = _text(meta, _TRANSFER_SYNTAX)
    if syntax == _DEFLATED:
        unpacked = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data, at = unpacked.decompress(data[at:], _MOST_INFLATED), 0
        except zlib.error:
            raise damaged() from None
        if not unpacked.eof:  # cut short, or a bomb
            raise damaged()
    layout = _Layout.of(syntax, data[at : at + 6])
    found, _ = _elements(data, at, layout)
    _check_kind(_text(found, _SOP_CLASS) or _text(meta, _SOP_CLASS_OF_FILE), found)
    pixels, content = _pixels(found, layout.order), found[_PIXEL_DATA]
    if _SWAPPED in found and pixels.allocated == 8:
        content = np.frombuffer(content, ">u2").astype("<u2").tobytes()
    return native(pixels, content) if syntax in _PLAIN else encapsulated(pixels, _frame(content), syntax)


@dataclass(frozen=True)
class _Layout:
    """How elements are stored: the order of bytes, and whether each tells the type of its value."""

    order: str
    explicit: bool

    @staticmethod
    def of(syntax: str, first: bytes) -> "_Layout":
        """What a transfer syntax says, or, where the file names none, what its first element looks like."""
        if syntax:
            return _Layout(">" if syntax == _BIG_ENDIAN else "<", syntax != _IMPLICIT)
        return _Layout(">" if first[:1] == b"\0" else "<", _is_type(first[4:6]))


def _is_type(value: bytes) -> bool:
    return value.isalpha() and value.isupper()


def _elements(data: bytes, at: int, layout: _Layout, group: int | None = None) -> tuple[dict[int, bytes], int]:
    """The wanted elements of the outermost level, as {tag: value}, and where reading ended: behind a ``group``."""
    found: dict[int, bytes] = {}
    depth = 0
    number, short = layout.order + "I", layout.order + "H"
    for _ in range(_MOST_ELEMENTS):
        if at + 8 > len(data):
            return found, at
        tag = unpack(short, data, at) << 16 | unpack(short, data, at + 2)
        if group is not None and tag >> 16 != group:
            return found, at
        kind, length, start = data[at + 4 : at + 6], unpack(number, data, at + 4), at + 8
        if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):
            depth -= tag == _SEQUENCE_END and depth > 0
            at = start + (length if tag == _ITEM and length != _UNDEFINED else 0)
            continue
        # Within a sequence of unknown type the elements tell no types either.
        if layout.explicit and _is_type(kind):
            is_long = kind in _LONG
            length, start = unpack(number if is_long else short, data, at + (8 if is_long else 6)), at + 8 + 4 * is_long
        if length == _UNDEFINED and (tag != _PIXEL_DATA or depth):
            depth, at = depth + 1, start  # a sequence: what is in it is passed over one by one
            continue
        at = len(data) if length == _UNDEFINED else start + length
        if at > len(data):
            raise damaged()
        if not depth and tag in _WANTED:
            found[tag] = data[start:at]
            if tag == _PIXEL_DATA and layout.order == ">" and kind == b"OW":
                found[_SWAPPED] = b"\1"
    raise damaged()


def _check_kind(sop_class: str, found: Mapping[int, bytes]) -> None:
    if sop_class == "1.2.840.10008.1.3.10":
        raise PhotoError("is a DICOMDIR, the list of a disc, not a photo. Choose the photos beside it.")
    if sop_class.startswith(("1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.104.")):
        raise PhotoError("is a report in a DICOM file, not a photo. Choose a photo.")
    if _PIXEL_DATA not in found:
        raise PhotoError("is a DICOM file without a photo in it. Choose a photo.")
    frames = _text(found, _FRAMES)
    if int(frames or 1) != 1:
        raise PhotoError(f"is a DICOM file of {int(frames)} frames. Save the frame you mean as JPEG and try again.")


def _text(found: Mapping[int, bytes], tag: int) -> str:
    return found.get(tag, b"").rstrip(b" \0").strip().decode("ascii", "replace")


def _pixels(found: Mapping[int, bytes], order: str) -> Pixels:
    numbers = {name: unpack(order + "H", found[tag], 0) if found.get(tag) else 0 for name, tag in _NUMBERS.items()}
    palette = None
    if all(tag in found for pair in _PALETTES for tag in pair):
        palette = tuple(
            (struct.unpack_from(order + "3H", found[descriptor]), found[values]) for descriptor, values in _PALETTES
        )
    photometric = _text(found, _PHOTOMETRIC)
    return Pixels(**numbers, order=order, photometric=photometric, palette=palette, profile=found.get(_ICC_PROFILE))


def _frame(content: bytes) -> bytes:
    """The one frame of encapsulated pixels: all fragments but the first, which is a table of offsets (PS3.5, A.4)."""
    fragments: list[bytes] = []
    at = 0
    while at + 8 <= len(content):
        tag, length = unpack("<H", content, at) << 16 | unpack("<H", content, at + 2), unpack("<I", content, at + 4)
        if tag != _ITEM or at + 8 + length > len(content):
            break
        fragments.append(content[at + 8 : at + 8 + length])
        at += 8 + length
    return b"".join(fragments[1:])
