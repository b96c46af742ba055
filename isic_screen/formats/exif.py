"""Exif blocks, which are looked at for the orientation alone, and the directories that they share with TIFF."""

import struct
from dataclasses import dataclass

from isic_screen.formats.photo_file import damaged, unpack

Entries = dict[int, tuple[int, int, bytes]]
"""{tag: (type, count, its 12 or 20 bytes)}"""

ORIENTATION = 274
_MOST_ENTRIES = 65_535  # what a directory of a TIFF can hold; one of a BigTIFF could claim 18 million million million
_WHOLE_NUMBERS = {3: "H", 4: "I", 16: "Q"}  # SHORT, LONG and LONG8


@dataclass(frozen=True)
class Layout:
    """How numbers are stored in a TIFF: ``order`` is "<" or ">"; in a BigTIFF, counts and offsets have 8 bytes."""

    order: str
    big: bool = False

    @property
    def offset(self) -> str:
        """The format of a count and of an offset, for `struct`."""
        return self.order + ("Q" if self.big else "I")

    @property
    def size(self) -> int:
        """The bytes of an offset, and of values that stand in their entry itself."""
        return 8 if self.big else 4

    def directory(self, data: bytes, offset: int) -> tuple[Entries, int]:
        """The entries of a directory, and the offset of the next one (0: none)."""
        entries: Entries = {}
        count = unpack(self.order + ("Q" if self.big else "H"), data, offset)
        if count > _MOST_ENTRIES:
            raise damaged()
        first, length = offset + (8 if self.big else 2), 4 + 2 * self.size
        for start in range(first, first + length * count, length):
            tag, kind = struct.unpack_from(self.order + "HH", data, start)
            entries[tag] = kind, unpack(self.offset, data, start + 4), data[start : start + length]
        return entries, unpack(self.offset, data, first + length * count)

    def value(self, entries: Entries, tag: int, default: int = 0) -> int:
        """The value of a tag that is one whole number held in the entry itself, else the default."""
        kind, count, raw = entries.get(tag, (0, 0, b""))
        if kind not in _WHOLE_NUMBERS or count != 1:
            return default
        return unpack(self.order + _WHOLE_NUMBERS[kind], raw, 4 + self.size)


def orientation_in(exif: bytes) -> int:
    """Exif orientation, 1 to 8; 1 when the block is missing or broken, which says nothing about the picture."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    layout = Layout(order)
    try:
        entries, _ = layout.directory(exif + bytes(4), unpack(layout.offset, exif, 4))
        return upright(layout.value(entries, ORIENTATION, 1))
    except struct.error:
        return 1


def upright(orientation: int) -> int:
    """An orientation of 1 to 8 as it is, and 1 for any other."""
    return orientation if 1 <= orientation <= 8 else 1
