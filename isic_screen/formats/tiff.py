"""TIFF files, and BigTIFF files, whose offsets have 8 bytes."""

import struct

from PIL import Image, TiffImagePlugin, TiffTags

from isic_screen.errors import PhotoError
from isic_screen.formats.exif import ORIENTATION, Entries, Layout, upright
from isic_screen.formats.photo_file import SAVE_AS_JPEG, DeepGrey, PhotoFile, damaged, unpack

# What it takes to decode a TIFF: sizes, layout, strips and tiles, colours, compression, JPEG tables, ICC profile.
_TAGS = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 334, 338, 339}
    | {347, *range(512, 522), 529, 530, 531, 532, 34675}
)
_REDUCED_COPY = 1  # bit 0 of NewSubfileType: a thumbnail of another page
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def read_tiff(data: bytes) -> PhotoFile:
    """Puts a new directory with only the tags that decoding needs behind the file, and points the header at it."""
    layout = Layout("<" if data[:2] == b"II" else ">", big=b"+" in data[2:4])
    first = 8 if layout.big else 4  # where the offset of the first directory stands
    entries, following = layout.directory(data, unpack(layout.offset, data, first))
    if data[8:10] == b"CR" or 50706 in entries or layout.value(entries, 254) & _REDUCED_COPY:
        raise PhotoError(f"is a camera raw file, not a finished photo. {SAVE_AS_JPEG}")
    for _ in range(16):
        if not following:
            break
        page, following = layout.directory(data, following)
        if not layout.value(page, 254) & _REDUCED_COPY:
            raise PhotoError("is a TIFF of several pages. Save the page you mean as JPEG and try again.")
    kept = {tag: entry for tag, entry in entries.items() if tag in _TAGS}
    _check_values(kept, layout, len(data))
    number = struct.pack(layout.order + ("Q" if layout.big else "H"), len(kept))
    directory = number + b"".join(kept[tag][2] for tag in sorted(kept)) + bytes(layout.size)
    padding = bytes(-len(data) % layout.size)  # a directory starts on an even byte
    header = data[:first] + struct.pack(layout.offset, len(data) + len(padding))
    return PhotoFile(
        TiffImagePlugin.TiffImageFile,
        header + data[len(header) :] + padding + directory,
        upright(layout.value(entries, ORIENTATION, 1)),
        cost=_cost(kept, layout),
        most_pixels=Image.MAX_IMAGE_PIXELS,  # the TIFF decoder warns above it, even when not called by Image.open
        deep_grey=DeepGrey(layout.value(kept, 258, 16), white_is_zero=layout.value(kept, 262, 1) == 0),
    )


def _check_values(kept: Entries, layout: Layout, length: int) -> None:
    total = 0
    for tag, (kind, count, raw) in kept.items():
        size = _TYPE_SIZES.get(kind, length) * count
        total += size
        offset = unpack(layout.offset, raw, 4 + layout.size) if size > layout.size else 0
        # Types 1, 2 and 7 are byte strings, of any length. Of other values too many make Pillow warn.
        single = TiffTags.lookup(tag).length == 1 and kind not in (1, 2, 7)
        if offset + size > length or total > length or (single and count != 1):
            raise damaged()


def _cost(kept: Entries, layout: Layout) -> float:
    """One strip or tile, which may be the whole image, is decoded beside it: 4 to 8 bytes a pixel."""
    width, rows, samples = layout.value(kept, 256), layout.value(kept, 257), layout.value(kept, 277, 1)
    if 322 in kept:
        part = layout.value(kept, 322) * layout.value(kept, 323)
    else:
        part = width * min(layout.value(kept, 278, rows), rows)
    return 4 + max(4, 2 * samples) * part / (max(1, width) * max(1, rows))
