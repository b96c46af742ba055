"""Photos out of an uploaded ZIP, one at a time, in memory, and never by a name on disk.

A ZIP may hold anything: names that lead out of a folder, links, other archives, and a petabyte in a few kilobytes. So
nothing is written anywhere, what a header says of a size is not believed, and every limit is counted on the bytes that
really come out.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePosixPath
from types import TracebackType

from isic_screen.archive_names import names_of
from isic_screen.errors import PhotoError
from isic_screen.files import ARCHIVE_SUFFIXES, PassedOver, hidden_part, looked_at
from isic_screen.formats.signatures import ENOUGH

MAX_MEMBERS = 5_000
MAX_ENTRIES = 20_000
"""Photos and all that lies beside them: macOS adds a companion for each, and folders count as well."""
MAX_LIST_BYTES = 4_000_000
"""Of the archive's list of its entries, the central directory."""
MAX_MEMBER_BYTES = 100_000_000
MAX_TOTAL_BYTES = 2_000_000_000

_SPLIT_IT = "Split it: the rest is left out."
_CHUNK = 1 << 19
"""Bytes of a member that are read at once: fewer than a list of MAX_ENTRIES has."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What systems make. Others unpack a chunk without a limit, and LZMA takes as much memory as a file asks for: 4 GB."""
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


def stated_entries(path: Path) -> int:
    """How many entries a ZIP says it has, read from its end alone (APPNOTE 4.3.14 and 4.3.16); 0 where it does not say.

    It may lie, and folders and companions count as well.
    """
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, io.SEEK_END) - (1 << 16) - 98))  # two records, a locator, the longest comment
            tail = file.read()
        end = tail.rindex(b"PK\5\6")
        (entries,) = struct.unpack_from("<H", tail, end + 10)
        large = tail.rfind(b"PK\6\6", 0, end)
        if entries == 0xFFFF and large >= 0:
            (entries,) = struct.unpack_from("<Q", tail, large + 32)
    except (OSError, ValueError, struct.error):
        return 0
    return int(entries)


class Archive:
    """A ZIP, opened once, whose photos come one after the other as (name, bytes), or (name, PhotoError) with the reason
    why one is left out. Its length is the number of those to come.

    What is looked at and what is passed over: files.py. Names are cleaned for showing, and told apart where two are
    alike. A limit that is reached ends the archive with an error of its own row, with the archive's `name`.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.passed_over = PassedOver()
        self._name = name
        self._members: list[tuple[str, zipfile.ZipInfo]] = []
        self._last_words: PhotoError | None = None
        self._room = _Room()
        self._open = ExitStack()
        try:
            if stated_entries(path) > MAX_ENTRIES:
                raise _TooManyError
            file = self._open.enter_context(_Guarded(path))
            self._zip = self._open.enter_context(zipfile.ZipFile(file))
            self._choose()
        except _TooManyError:
            self._end(f"holds more than {MAX_ENTRIES:,} files and folders, too many to be opened. Split it.")
        except _ListTooLongError:
            most = f"{MAX_LIST_BYTES // 1_000_000} MB"
            self._end(f"has a list of its files of more than {most}, too long to be opened. Split it.")
        except _ZIP_ERRORS:
            self._end("is a damaged ZIP file. Make it again.")

    def __enter__(self) -> "Archive":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def __len__(self) -> int:
        return len(self._members) + (self._last_words is not None)

    def __iter__(self) -> Iterator[tuple[str, bytes | PhotoError]]:
        for shown, member in self._members:
            try:
                content = self._read(member)
            except _TotalReachedError:
                self._end_full()
                break
            except PhotoError as fault:
                yield shown, PhotoError(f"{shown} {fault}")
                continue
            yield shown, content
        if self._last_words:
            yield self._name, self._last_words

    def _end(self, fault: str) -> None:
        self._last_words = PhotoError(f"{clean(self._name)} {fault}")

    def _end_full(self) -> None:
        self._end(f"unpacks to more than {MAX_TOTAL_BYTES // 1_000_000:,} MB. {_SPLIT_IT}")

    def _choose(self) -> None:
        """Tell the members that are looked at from those that are passed over."""
        entries = self._zip.infolist()
        hidden: set[PurePosixPath] = set()
        names: dict[str, int] = {}
        for member, name in zip(entries, names_of(entries), strict=True):
            path = PurePosixPath(name.replace("\\", "/"))
            if name.endswith(("/", "\\")):  # a folder. Not the member's is_dir(), which fails on an empty name
                continue
            if within := hidden_part(path):
                hidden.add(within)
                continue
            try:
                wanted = looked_at(path.name, partial(self._first_bytes, member))
            except _TotalReachedError:
                self._end_full()
                break
            if not wanted:
                self.passed_over.count(path.name)
            elif len(self._members) == MAX_MEMBERS:
                self._end(f"holds more than {MAX_MEMBERS:,} files. {_SPLIT_IT}")
                break
            else:
                self._members.append((told_apart(clean(name), names), member))
        self.passed_over.hidden = len(hidden)

    def _first_bytes(self, member: zipfile.ZipInfo) -> bytes | None:
        try:
            return self._read(member, ENOUGH)
        except PhotoError:
            return None

    def _read(self, member: zipfile.ZipInfo, most: int | None = None) -> bytes:
        """The content of a member, or its first bytes. Raises PhotoError, whose sentence lacks its subject."""
        if member.flag_bits & 0x1:
            raise PhotoError("is encrypted. Unpack it with its password and choose the photos.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise PhotoError("is a link, not a photo. Put the photo itself into the ZIP.")
        if PurePosixPath(member.filename).suffix.lower() in ARCHIVE_SUFFIXES:
            raise PhotoError("is an archive inside the archive. Unpack it and choose its photos.")
        if member.compress_type not in _METHODS:
            raise PhotoError("is packed in an unusual way. Make the ZIP again with your system's own command.")
        chunks, size = [], 0
        self._room.take(member.compress_size)
        try:
            with self._zip.open(member) as file:
                if most is not None:
                    return file.read(most)
                while chunk := file.read(_CHUNK):
                    self._room.take(len(chunk))
                    size += len(chunk)
                    if size > MAX_MEMBER_BYTES:
                        raise PhotoError(f"has more than {MAX_MEMBER_BYTES // 1_000_000} MB. Save it as JPEG.")
                    chunks.append(chunk)
        except _ZIP_ERRORS as error:
            raise PhotoError("is damaged inside the ZIP. Make the ZIP again.") from error
        return b"".join(chunks)


def clean(name: str) -> str:
    """A file's name without its folders' tricks: no control or direction marks, no `..`, at most 120 characters."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    shown = "".join(sign if sign.isprintable() else "?" for sign in "/".join(parts)) or "unnamed"
    return shown if len(shown) <= 120 else f"…{shown[-119:]}"


class _TotalReachedError(Exception):
    pass


class _TooManyError(Exception):
    pass


class _ListTooLongError(Exception):
    pass


class _Guarded(io.FileIO):
    """A file from which zipfile, which reads an archive's list of entries at once, cannot read one that is too long."""

    def read(self, size: int | None = -1, /) -> bytes:
        size = -1 if size is None else size
        if size > MAX_LIST_BYTES:
            raise _ListTooLongError
        content = super().read(size) or b""
        if size > _CHUNK and content.count(b"PK\1\2") > MAX_ENTRIES:  # the archive stated fewer
            raise _TooManyError
        return content


class _Room:
    """How many bytes may still come out of an archive, those of members that are left out among them.

    Packed bytes count as well: many members may share one place in the file, and unpack to nothing for hours.
    """

    def __init__(self) -> None:
        self.left = MAX_TOTAL_BYTES

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _TotalReachedError


def told_apart(name: str, seen: dict[str, int]) -> str:
    """A name that is not among the `seen`, and is from now on."""
    told = name
    while told in seen:
        seen[name] += 1
        told = f"{name} ({seen[name]})"
    seen[told] = 1
    return told
