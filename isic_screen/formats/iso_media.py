"""The container of HEIC and AVIF photos (ISO/IEC 14496-12 and 23008-12), as far as it bounds what decoding takes."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from isic_screen.formats.photo_file import damaged, unpack

_MOST_BOXES = 10_000  # beside each other; a photo of 200 megapixels in small tiles has 1,000
_MOST_TABLE_BYTES = 4_000_000  # a phone's photo has 5 kB of tables
_MOST_EXTENTS = 100_000


@dataclass
class Item:
    """One item of a file: a coded picture, one that is put together of others, or metadata."""

    kind: bytes = b""
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    extents: list[tuple[int, int]] = field(default_factory=list)
    """(start, end) in the file, or in the `idat` box of its own."""
    in_idat: bool = False
    parts: list[int] = field(default_factory=list)
    """The items that a picture is put together of."""
    described: list[int] = field(default_factory=list)
    """The pictures whose transparency, depth or brightness this one is."""

    def first(self, kind: bytes) -> bytes | None:
        return next((body for name, body in self.properties if name == kind), None)

    @property
    def size(self) -> tuple[int, int]:
        """What it claims to measure, before it is turned."""
        claimed = self.first(b"ispe")
        if claimed is None:
            raise damaged()
        width, height = struct.unpack_from(">II", claimed, 4)
        return width, height


@dataclass(frozen=True)
class Media:
    """The items of a file, the one to be shown, and the length of the file without what follows its last picture."""

    items: dict[int, Item]
    primary: int
    length: int
    idat: bytes

    def content(self, data: bytes, item: Item) -> bytes:
        source = self.idat if item.in_idat else data
        return b"".join(source[start:end] for start, end in item.extents)


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of its body, its end) of the boxes that stand beside each other; ends at what is no box."""
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        length, kind, body = unpack(">I", data, start), data[start + 4 : start + 8], start + 8
        if length == 1:
            length, body = unpack(">Q", data, body), body + 8
        stop = end if length == 0 else start + length
        if stop < body or stop > end:
            return
        yield kind, body, stop
        start = stop
    raise damaged()


def read_media(data: bytes) -> Media | None:
    """The items of a file; None for one that has no still picture, as a video. Raises PhotoError for a damaged one."""
    top = list(boxes(data, 0, len(data)))
    meta = next(((start, end) for kind, start, end in top if kind == b"meta"), None)
    if meta is None:
        return None
    tables = {kind: data[start:end] for kind, start, end in boxes(data, meta[0] + 4, meta[1])}
    if any(len(table) > _MOST_TABLE_BYTES for kind, table in tables.items() if kind != b"idat"):
        raise damaged()
    if not {b"pitm", b"iinf", b"iloc", b"iprp"} <= tables.keys():
        return None
    items = _items(tables[b"iinf"])
    _locate(items, tables[b"iloc"], len(data))
    _assign_properties(items, tables[b"iprp"])
    _refer(items, tables.get(b"iref", bytes(4)))
    primary = unpack(">I" if tables[b"pitm"][0] else ">H", tables[b"pitm"], 4)
    if primary not in items:
        raise damaged()
    needed = max([meta[1], *(end for item in items.values() if not item.in_idat for _, end in item.extents)])
    length = next((end for _, _, end in top if end >= needed), len(data))
    return Media(items, primary, length, tables.get(b"idat", b""))


def _items(table: bytes) -> dict[int, Item]:
    items = {}
    for kind, start, _ in boxes(table, 6 if table[0] == 0 else 8, len(table)):
        if kind == b"infe" and table[start] >= 2:
            wide = table[start] > 2
            number = unpack(">I" if wide else ">H", table, start + 4)
            at = start + (10 if wide else 8)
            items[number] = Item(table[at : at + 4])
    return items


def _locate(items: dict[int, Item], table: bytes, length: int) -> None:
    version, sizes = table[0], unpack(">H", table, 4)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    at, extents = 6, 0

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(table):
            raise damaged()
        return int.from_bytes(table[at - size : at], "big")

    wide = 4 if version == 2 else 2
    for _ in range(number(wide)):
        item = items.get(number(wide), Item())
        item.in_idat = number(2) & 15 == 1 if version else False
        number(2)  # in which file, 0 for this one
        base = number(base_size)
        for _ in range(number(2)):
            extents += 1
            number(index_size)
            start, size = base + number(offset_size), number(length_size)
            if extents > _MOST_EXTENTS or (not item.in_idat and start + size > length):
                raise damaged()
            item.extents.append((start, start + size if size else length))


def _assign_properties(items: dict[int, Item], table: bytes) -> None:
    kept: list[tuple[bytes, bytes]] = []
    for kind, start, end in boxes(table, 0, len(table)):
        if kind == b"ipco":
            kept = [(name, table[first:last]) for name, first, last in boxes(table, start, end)]
    for kind, start, _ in boxes(table, 0, len(table)):
        if kind != b"ipma":
            continue
        wide_item, wide_index = table[start] > 0, table[start + 3] & 1
        at = start + 8
        for _ in range(unpack(">I", table, start + 4)):
            item = items.get(unpack(">I" if wide_item else ">H", table, at), Item())
            at += 4 if wide_item else 2
            count, at = table[at], at + 1
            for _ in range(count):
                index = unpack(">H", table, at) & 0x7FFF if wide_index else table[at] & 0x7F
                at += 2 if wide_index else 1
                if 0 < index <= len(kept):
                    item.properties.append(kept[index - 1])


def _refer(items: dict[int, Item], table: bytes) -> None:
    layout, width = (">I", 4) if table[0] else (">H", 2)
    for kind, start, _ in boxes(table, 4, len(table)):
        item = items.get(unpack(layout, table, start), Item())
        count = unpack(">H", table, start + width)
        first = start + width + 2
        named = [unpack(layout, table, first + width * place) for place in range(count)]
        if kind == b"dimg":
            item.parts += named
        elif kind == b"auxl":
            item.described += named
