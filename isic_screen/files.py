"""Which files are looked at: one rule for folders, ZIPs and training data.

- Looked at is what is a picture by its first bytes, or is called one, even of a kind that is not read here (`.cr2`,
  `.svg`): it gets a row. So does an archive, which may hold photos.
- Passed over and counted is what is hidden or of a system (`._photo.jpg`, `.Trashes`, `__MACOSX`, `@eaDir`) or lies in
  such a folder, and everything else: companions of photos (`.xmp`, `.aae`), tables, texts, videos.
- What a user names, on the command line or on the page, is always tried, whatever it is.
"""

import os
import stat
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath, PurePosixPath

from isic_screen.formats.signatures import ENOUGH, looks_like_picture
from isic_screen.photo import PHOTO_SUFFIXES

_CAMERA_RAW = {
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
}  # fmt: skip
PICTURE_SUFFIXES = PHOTO_SUFFIXES | _CAMERA_RAW | {
    ".apng", ".avif", ".dcm", ".dicom", ".emf", ".exr", ".gif", ".heic", ".heif", ".hif", ".ico", ".j2c", ".j2k",
    ".jp2", ".jpf", ".jpx", ".jxl", ".jxr", ".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".psb", ".psd", ".svg", ".tga",
    ".wdp", ".wmf", ".xcf",
}  # fmt: skip
ARCHIVE_SUFFIXES = frozenset({".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"})

# What systems and storage devices put beside photos, in lower case. What begins with a dot is hidden anyway.
_OF_SYSTEMS = frozenset(
    {
        "__macosx", "icon\r", "network trash folder", "temporary items",  # macOS
        "$recycle.bin", "recycler", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini",  # Windows
        "@eadir", "@recycle", "#recycle", "#snapshot", "lost+found",  # network storage, Linux
    }
)  # fmt: skip
# They may hold a picture: the thumbnail of a video, or the index of a DICOM medium, which begins as its photos do.
_COMPANIONS = frozenset({".thm", ".xmp", ".aae"})
_DICOM_INDEX = "dicomdir"
_KINDS_NAMED = 5


@dataclass
class PassedOver:
    """How many files were not looked at: `hidden` files and folders, and `others` by their suffix in lower case."""

    hidden: int = 0
    others: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.hidden or self.others)

    def count(self, name: str) -> None:
        """One file more that is none of the hidden ones."""
        self.others[_suffix(name)] += 1

    def add(self, more: "PassedOver") -> None:
        self.hidden += more.hidden
        self.others += more.others

    def without(self, suffixes: Set[str]) -> "PassedOver":
        """The same but for others with one of these suffixes."""
        return PassedOver(self.hidden, Counter({kind: n for kind, n in self.others.items() if kind not in suffixes}))

    @property
    def kinds(self) -> str:
        """The commonest suffixes of the others, fit to be shown behind their number; empty where they have none."""
        suffixes = [suffix for suffix, _ in self.others.most_common() if suffix]
        named = [_printable(suffix) for suffix in suffixes[:_KINDS_NAMED]]
        return f" ({', '.join(named)}{', …' if len(suffixes) > _KINDS_NAMED else ''})" if named else ""

    def __str__(self) -> str:
        return f"{self.hidden:,} hidden or of the system, {self.others.total():,} no pictures{self.kinds}"


@dataclass
class Contents:
    """What is in a folder: the `files` to be looked at, relative to it; folders `closed` to us; what is passed over."""

    files: list[PurePosixPath] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)
    passed_over: PassedOver = field(default_factory=PassedOver)


def look_through(folder: Path, *, leave: Callable[[str], object] = lambda name: False) -> Contents:
    """The files in a folder and its subfolders, but for those that `leave` says yes to by name. Links are followed."""
    found = Contents()
    faults: list[OSError] = []
    entered: set[str] = set()
    for directory, subfolders, files in os.walk(folder, followlinks=True, onerror=faults.append):
        real = os.path.realpath(directory)
        if real in entered:  # a link that leads back up would never end
            subfolders.clear()
            continue
        entered.add(real)
        found.passed_over.hidden += sum(map(_is_hidden, (*subfolders, *files)))
        subfolders[:] = sorted(name for name in subfolders if not _is_hidden(name) and not leave(name))
        relative = PurePosixPath(Path(directory).relative_to(folder).as_posix())
        for name in files:
            if _is_hidden(name):
                continue
            if looked_at(name, partial(_first_bytes, Path(directory, name))):
                found.files.append(relative / name)
            else:
                found.passed_over.count(name)
    found.closed = [Path(fault.filename) for fault in faults if Path(fault.filename) != folder]
    return found


def hidden_part(path: PurePosixPath) -> PurePosixPath | None:
    """The topmost file or folder on a path that is hidden or of a system, with what lies above it."""
    for depth, part in enumerate(path.parts, 1):
        if _is_hidden(part):
            return PurePosixPath(*path.parts[:depth])
    return None


def looked_at(name: str, first_bytes: Callable[[], bytes | None]) -> bool:
    """Whether a file that is not hidden gets a row, by its name, else by its ENOUGH first bytes.

    None says that these cannot be had: whoever reads the file will say why.
    """
    suffix = _suffix(name)
    if suffix in PICTURE_SUFFIXES or suffix in ARCHIVE_SUFFIXES:
        return True
    if suffix in _COMPANIONS or name.lower() == _DICOM_INDEX:
        return False
    head = first_bytes()
    return head is None or looks_like_picture(head)


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _is_hidden(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in _OF_SYSTEMS


def _printable(suffix: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in suffix[:12])


def _first_bytes(path: Path) -> bytes | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe or a device might never end
            return b""
        with open(path, "rb") as file:
            return file.read(ENOUGH)
    except FileNotFoundError:  # a link that leads nowhere
        return b""
    except OSError:
        return None
