"""Photos out of an uploaded ZIP, one at a time, in memory, and never by a name on disk.

A ZIP may hold anything: names that lead out of a folder, links, other archives, and a petabyte in a few kilobytes. So
nothing is written anywhere, what a header says of a size is not believed, and every limit is counted on the bytes that
really come out.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from isic_screen.errors import PhotoError

MAX_MEMBERS = 5_000
MAX_MEMBER_BYTES = 100_000_000
MAX_TOTAL_BYTES = 2_000_000_000

_SPLIT_IT = "Split it: the rest is left out."
_CHUNK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What systems make. Others unpack a chunk without a limit, and LZMA takes as much memory as a file asks for: 4 GB."""
_NOT_PHOTOS = frozenset({".ds_store", "thumbs.db", "desktop.ini"})  # what systems put beside photos
_ARCHIVES = frozenset({".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"})
# All that zipfile raises for damaged files; NotImplementedError is its word for a version or a patch it cannot read.
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError,
    LookupError, OverflowError,
)  # fmt: skip


def is_zip(path: Path) -> bool:
    """Whether a file says by its first bytes that it is a ZIP, whatever it is called."""
    try:
        with open(path, "rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def count_in(path: Path) -> int:
    """How many files `photos_in` will tell about, as far as the archive's own list can be believed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return min(MAX_MEMBERS, sum(not _passed_over(member) for member in archive.infolist()))
    except _ZIP_ERRORS:
        return 1


def photos_in(path: Path, name: str) -> Iterator[tuple[str, bytes | PhotoError]]:
    """(name, bytes) of every file in a ZIP, or (name, PhotoError) with the reason why it is left out.

    Folders and what systems hide in archives are passed over. Names are cleaned for showing, and told apart where two
    are alike. A limit that is reached ends the archive with an error of its own row; `name` is the archive's.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _ZIP_ERRORS:
        yield name, PhotoError(f"{clean(name)} is a damaged ZIP file. Make it again.")
        return
    with archive:
        members = [member for member in archive.infolist() if not _passed_over(member)]
        names: dict[str, int] = {}
        room = _Room(MAX_TOTAL_BYTES)
        for number, member in enumerate(members):
            if number == MAX_MEMBERS:
                yield name, PhotoError(f"{clean(name)} holds more than {MAX_MEMBERS:,} files. {_SPLIT_IT}")
                return
            shown = _told_apart(clean(member.filename), names)
            try:
                content = _read(archive, member, room)
            except _TotalReachedError:
                most = f"{MAX_TOTAL_BYTES // 1_000_000:,} MB"
                yield name, PhotoError(f"{clean(name)} unpacks to more than {most}. {_SPLIT_IT}")
                return
            except PhotoError as fault:
                yield shown, PhotoError(f"{shown} {fault}")
                continue
            yield shown, content


def clean(name: str) -> str:
    """A file's name without its folders' tricks: no control or direction marks, no `..`, at most 120 characters."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    shown = "".join(sign if sign.isprintable() else "?" for sign in "/".join(parts)) or "unnamed"
    return shown if len(shown) <= 120 else f"…{shown[-119:]}"


class _TotalReachedError(Exception):
    pass


@dataclass
class _Room:
    """How many bytes may still come out of an archive, those of members that are left out among them."""

    left: int

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _TotalReachedError


def _passed_over(member: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    last = parts[-1].lower() if parts else ""
    # Not its is_dir(), which fails on an empty name.
    return member.filename.endswith("/") or "__MACOSX" in parts or last in _NOT_PHOTOS


def _told_apart(name: str, seen: dict[str, int]) -> str:
    told = name
    while told in seen:
        seen[name] += 1
        told = f"{name} ({seen[name]})"
    seen[told] = 1
    return told


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, room: _Room) -> bytes:
    """The content of a member. Raises PhotoError, whose sentence lacks its subject."""
    if member.flag_bits & 0x1:
        raise PhotoError("is encrypted. Unpack it with its password and choose the photos.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise PhotoError("is a link, not a photo. Put the photo itself into the ZIP.")
    if PurePosixPath(member.filename).suffix.lower() in _ARCHIVES:
        raise PhotoError("is an archive inside the archive. Unpack it and choose its photos.")
    if member.compress_type not in _METHODS:
        raise PhotoError("is packed in an unusual way. Make the ZIP again with your system's own command.")
    chunks, size = [], 0
    try:
        with archive.open(member) as file:
            while chunk := file.read(_CHUNK):
                room.take(len(chunk))
                size += len(chunk)
                if size > MAX_MEMBER_BYTES:
                    raise PhotoError(f"has more than {MAX_MEMBER_BYTES // 1_000_000} MB. Save it as JPEG.")
                chunks.append(chunk)
    except _ZIP_ERRORS as error:
        raise PhotoError("is damaged inside the ZIP. Make the ZIP again.") from error
    return b"".join(chunks)
