"""The names in a ZIP as whoever made it saw them.

The standard knows two encodings, UTF-8 with a mark and cp437, and most systems write others without a word: macOS and
Linux UTF-8, Windows whatever was usual in its country. The names of an archive come from one system, so they are told
together: a single short name says little.
"""

import struct
import unicodedata
import zlib
from collections.abc import Sequence
from zipfile import ZipInfo

_MARKED_UTF_8 = 0x800  # of the general purpose flags (APPNOTE 4.4.4, bit 11)
_UNICODE_PATH = 0x7075  # the extra field of APPNOTE 4.6.9
_ENCODINGS = ("cp437", "cp850", "windows-1252", "gb18030", "cp932", "cp949", "big5", "cp866", "windows-1251")
"""Of Windows in the West, China, Japan, Korea, Taiwan and Russia. More of them are mistaken for one another."""


def names_of(members: Sequence[ZipInfo]) -> list[str]:
    """The members' names in order, composed (NFC). Nothing else is made of them: they may lead anywhere."""
    names = [_stated(member) for member in members]
    raw = [_raw(member) for member, name in zip(members, names, strict=True) if name is None]
    guessed = iter(_decoded(raw))
    told = (next(guessed) if name is None else name for name in names)
    # What follows a zero byte is dropped, as zipfile does: a name is shown by its first part and judged by its last.
    return [unicodedata.normalize("NFC", name.partition("\0")[0]) for name in told]


def _stated(member: ZipInfo) -> str | None:
    """A name that needs no guess: marked as UTF-8, given in Unicode beside it, or in ASCII."""
    if member.flag_bits & _MARKED_UTF_8 or member.orig_filename.isascii():
        return member.orig_filename
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        # A tool that renames a member may leave the field behind: its checksum then is of the former name.
        if kind == _UNICODE_PATH and body[:5] == struct.pack("<BL", 1, zlib.crc32(_raw(member))):
            try:
                return body[5:].decode() or None
            except UnicodeDecodeError:
                return None
    return None


def _raw(member: ZipInfo) -> bytes:
    return member.orig_filename.encode("cp437")  # as which zipfile has decoded all that is not marked


def _decoded(raw: Sequence[bytes]) -> list[str]:
    if not raw:
        return []
    try:
        names = [name.decode() for name in raw]
        if not any(map(_mixes_scripts, names)):
            return names
    except UnicodeDecodeError:
        pass
    encoding = _encoding_of(raw)
    return [_decode(name, encoding) for name in raw]


def _mixes_scripts(name: str) -> bool:
    """Whether a name holds letters of two alphabets outside ASCII: two Chinese bytes often look like one of those."""
    scripts = {unicodedata.name(sign, "").split(" ")[0] for sign in name if "\x7f" < sign < "\u0800" and sign.isalpha()}
    return len(scripts) > 1


def _encoding_of(raw: Sequence[bytes]) -> str:
    from chardet import detect  # here, as few archives need it

    def likeliest(among: Sequence[str]) -> str:
        return detect(text, include_encodings=among, no_match_encoding="cp437")["encoding"] or "cp437"

    text = b"\n".join(_without_suffix(name) for name in raw)  # suffixes are English, and say nothing
    encoding = likeliest(_ENCODINGS)
    if encoding.lower() == "cp949":
        read = text.decode(encoding, "replace")
        chinese = sum("\u4e00" <= sign <= "\u9fff" or "\uf900" <= sign <= "\ufaff" for sign in read)
        if chinese > 0.1 * sum("\uac00" <= sign <= "\ud7a3" for sign in read):  # Koreans hardly use them today
            return likeliest([other for other in _ENCODINGS if other != "cp949"])
    return encoding


def _without_suffix(name: bytes) -> bytes:
    stem, dot, suffix = name.rpartition(b".")
    return stem if dot and suffix.isalnum() else name


def _decode(name: bytes, encoding: str) -> str:
    try:
        return name.decode(encoding)
    except UnicodeDecodeError:
        return name.decode("cp437")
