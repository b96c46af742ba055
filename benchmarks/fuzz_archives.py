"""ZIP files for the fuzzer, read as the page reads those that a visitor chooses."""

import struct
import warnings
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from random import Random

from benchmarks import mutations as ways
from benchmarks.fuzz_photos import Photos
from benchmarks.fuzz_targets import Files, Target
from isic_screen.errors import PhotoError

_ENTRY, _END, _LARGE_END = b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06"
# (offset from the signature, format) of what an entry of the directory, and the end of a file, say.
_OF_ENTRY = (
    (8, "<H"), (10, "<H"), (12, "<I"), (16, "<I"), (20, "<I"), (24, "<I"), (28, "<H"), (30, "<H"), (32, "<H"),
    (34, "<H"), (36, "<H"), (38, "<I"), (42, "<I"),
)  # fmt: skip
_OF_END = ((4, "<H"), (6, "<H"), (8, "<H"), (10, "<H"), (12, "<I"), (16, "<I"), (20, "<H"))
_OF_LARGE_END = ((4, "<Q"), (16, "<I"), (20, "<I"), (24, "<Q"), (32, "<Q"), (40, "<Q"), (48, "<Q"))
_NUMBERS = (0, 1, 8, 9, 12, 14, 93, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_NAMES = (
    "../../../etc/passwd", "/etc/passwd", "C:\\Windows\\x.jpg", "a\0b.jpg", "\x1b[2J.jpg", "\u202egpj.exe", "", ".",
    "..", "a/" * 200 + "b.jpg", "x" * 60000, "photo.zip", "__MACOSX/photo.jpg", "photo.jpg/", "\ud800.jpg",
)  # fmt: skip
_METHODS = (zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


class Archives(Target):
    def valid(self) -> list[Files]:
        photos = [files["photo"] for files in Photos().valid()][:3]
        saved = []
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            buffer = BytesIO()
            with zipfile.ZipFile(buffer, "w", method) as archive:
                for number, photo in enumerate(photos):
                    archive.writestr(_member(f"folder/photo-{number}.jpg"), photo, method)
                archive.writestr(_member("folder/IM000001"), photos[0], method)
                archive.writestr(_member("folder/photo-0.xmp"), b"beside it", method)
                archive.writestr(_with_unicode_path("folder/photo-3.jpg", "患者一.jpg"), photos[0], method)
                archive.writestr(_member("folder/"), b"")
                archive.writestr(_member("__MACOSX/._photo-0.jpg"), b"kept by a system", method)
                archive.comment = b"from a camera"
            saved += [buffer.getvalue(), _with_large_end(buffer.getvalue())]
        return [{"archive.zip": data} for data in saved]

    def spoil(self, files: Files, random: Random) -> Files:
        data, way = files["archive.zip"], random.random()
        if way < 0.5:
            data = _change_field(data, random)
        elif way < 0.6:
            data = _add_member(data, random)
        elif way < 0.68:
            data = _rename(data, random)
        elif way < 0.72:
            data = _repeat_entry(data, random)
        elif way < 0.75:
            data = data + random.choice(self.seeds)["archive.zip"]
        else:
            data = random.choice(ways.BYTES)(data, random)
        return {"archive.zip": data}

    def check(self, files: Files, folder: Path) -> None:
        from isic_screen.photo import open_photo
        from isic_screen.ui import batch

        path = folder / "archive.zip"
        path.write_bytes(files["archive.zip"])
        uploads = batch.Uploads([str(path)])
        assert 0 <= uploads.expected <= batch.MAX_PHOTOS
        faults = []
        for name, source in uploads:
            assert name.isprintable()
            assert ".." not in Path(name).parts
            assert not name.startswith("/")
            try:
                if isinstance(source, PhotoError):
                    raise source
                assert open_photo(source, name=name).mode == "RGB"
            except PhotoError as fault:
                faults.append(fault)
        assert [entry.name for entry in folder.iterdir()] == [path.name], "something was unpacked"
        if faults:
            # The longest message is the one most likely to hold what it should not.
            raise max(faults, key=lambda fault: len(str(fault)))


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))  # not the time of day, so that a case comes out the same again


def _with_unicode_path(name: str, told: str) -> zipfile.ZipInfo:
    """A member that gives its name in Unicode beside it (APPNOTE 4.6.9)."""
    member, body = _member(name), struct.pack("<BL", 1, zlib.crc32(name.encode())) + told.encode()
    member.extra = struct.pack("<HH", 0x7075, len(body)) + body
    return member


def _with_large_end(data: bytes) -> bytes:
    """The same archive with the end that more than 65,535 entries need (APPNOTE 4.3.14)."""
    at = data.rindex(_END)
    count, size, offset = struct.unpack_from("<HII", data, at + 10)
    large = struct.pack("<4sQHHIIQQQQ", _LARGE_END, 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    return data[:at] + large + locator + data[at : at + 8] + b"\xff" * 12 + data[at + 20 :]


def _rename(data: bytes, random: Random) -> bytes:
    """The bytes of a name replaced by as many that are letters somewhere, or nowhere."""
    name = b"folder/photo-%d" % random.randrange(4)
    letters = "患者左手症例黒子ほくろ환자사진Müller Rücken спина\0/\\.".encode(
        random.choice(("utf-8", "gb18030", "cp932", "cp949", "big5", "cp437", "cp866")), "ignore"
    )
    start = random.randrange(len(letters))
    shown = (letters[start:] + letters + random.randbytes(len(name)))[: len(name)]
    return data.replace(name, shown)


def _repeat_entry(data: bytes, random: Random) -> bytes:
    """An entry of the directory many times more, with or without a word of it at the end."""
    at, end = data.find(_ENTRY), data.rfind(_END)
    if not 0 <= at < end or end + 22 > len(data):
        return ways.flip_bits(data, random)
    entry = data[at : at + 46 + int.from_bytes(data[at + 28 : at + 30], "little")]
    times = random.choice((10, 6_000, 30_000, 70_000, 200_000))
    count, size = struct.unpack_from("<HI", data, end + 10)
    told = struct.pack("<HI", (count + random.choice((0, times))) & 0xFFFF, size + times * len(entry) & 0xFFFFFFFF)
    return data[:at] + entry * times + data[at : end + 10] + told + data[end + 16 :]


def _change_field(data: bytes, random: Random) -> bytes:
    """Another number in one field of the archive's directory."""
    signature, fields = random.choice(
        ((_ENTRY, _OF_ENTRY), (_ENTRY, _OF_ENTRY), (_END, _OF_END), (_LARGE_END, _OF_LARGE_END))
    )
    places = [place for place in range(len(data)) if data.startswith(signature, place)]
    if not places:
        return ways.flip_bits(data, random)
    offset, layout = random.choice(fields)
    start = random.choice(places) + offset
    number = random.choice((*_NUMBERS, 1 << 63, random.randrange(len(data) + 1), random.randrange(1 << 32)))
    field = struct.pack(layout, number % (1 << 8 * struct.calcsize(layout)))
    return data[:start] + field + data[start + len(field) :]


def _add_member(data: bytes, random: Random) -> bytes:
    """A member more: a name that leads elsewhere, a link, or much of the same byte."""
    buffer = BytesIO(data)
    member = _member(random.choice(_NAMES).encode("utf-8", "replace").decode().replace("\0", "0"))
    if random.random() < 0.2:
        member.external_attr = 0o120777 << 16
    content, method = bytes(random.choice((0, 1, 1000, 3_000_000))), random.choice(_METHODS)
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a") as archive:
            warnings.simplefilter("ignore")  # a name may come twice
            archive.writestr(member, content, method)
    # All that zipfile raises for a damaged directory; NotImplementedError is its word for a version it cannot read.
    except (zipfile.BadZipFile, struct.error, OSError, ValueError, NotImplementedError, UnicodeError):
        return ways.cut_short(data, random)  # spoilt before, so that nothing can be added
    return buffer.getvalue()
