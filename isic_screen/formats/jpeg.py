"""JPEG files, those of phones with a second picture or a video behind the first one among them."""

import re
import struct

from PIL import JpegImagePlugin

from isic_screen.errors import PhotoError
from isic_screen.formats.exif import orientation_in
from isic_screen.formats.photo_file import SAVE_AS_JPEG, PhotoFile, damaged, unpack

_MOST_SCANS = 64  # a progressive JPEG has about 10 scans; thousands of empty ones would decode for hours
_MOST_SEGMENTS = 20_000  # a large panorama's metadata take 4,000; a file could hold 64 million
_EOI, _SOS = 0xD9, 0xDA
_ALONE = (0x01, *range(0xD0, 0xD8))  # markers without a segment behind them: TEM and the restart markers
_FRAMES = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
# Hierarchical ones, lossless ones with arithmetic coding and JPEG-LS: the decoder has none of them (jdmarker.c).
_NOT_DECODED = (0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7)
# Bytes that are no marker are passed over as libjpeg does. FF 00 is a byte FF of compressed data, FF FF is a fill byte.
_MARKER = re.compile(rb"\xff([^\x00\xff])")


def read_jpeg(data: bytes) -> PhotoFile:
    """Keeps the segments that decoding needs of the first picture; drops Exif, XMP, thumbnails and all behind it."""
    kept, exif, frame, at = [data[:2]], b"", b"", 2
    for _ in range(_MOST_SEGMENTS):
        marker, at = _next_marker(data, at)
        if marker == _SOS:
            break
        if marker in _ALONE:
            continue
        if marker == _EOI:
            raise damaged()  # the end before any picture
        start, at = at - 2, at + unpack(">H", data, at)
        segment = data[start:at]
        if marker == 0xE1 and segment[4:10] == b"Exif\0\0":
            exif = exif or segment[10:]
        if marker in _FRAMES:
            frame = segment
        is_profile = marker == 0xE2 and segment[4:16] == b"ICC_PROFILE\0"
        # JFIF (APP0) and Adobe (APP14) tell how colours are stored; the other APPn and comments are metadata.
        if is_profile or marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(segment)
    else:
        raise damaged()
    _check_kind(frame)
    start = at - 2
    end, scans = _end_of_picture(data, start)
    if scans > _MOST_SCANS:
        raise PhotoError(f"has {scans} JPEG scans, which no camera writes. {SAVE_AS_JPEG}")
    if frame[1] < 0xC8 and 8 * (end - start) < _mcus(frame):
        raise damaged()  # Huffman codes spend a bit at least on each unit; libjpeg would fill the rest with grey
    # With more than one scan libjpeg holds all coefficients of the image, 2 bytes each, whatever size is asked for.
    cost = 2 * frame[9] if scans > 1 or frame[1] not in (0xC0, 0xC1) else 0
    picture = b"".join(kept) + data[start:end]
    return PhotoFile(JpegImagePlugin.JpegImageFile, picture, orientation_in(exif), cost=cost)


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    """The next marker from an offset on, and the offset behind it."""
    found = _MARKER.search(data, at)
    if found is None:
        raise damaged()
    return found[1][0], found.end()


def _end_of_picture(data: bytes, at: int) -> tuple[int, int]:
    """The offset behind the picture whose first scan starts at ``at``, and how many scans it has.

    Behind the first end marker phones write a second picture, a map of brightness or a video: megabytes in which the
    bytes of a scan's start stand by chance. Thumbnails lie in segments, which are passed over whole.
    """
    begin, scans = at, 0
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == _EOI:
            return at, scans
        if marker in _ALONE:
            continue
        scans += marker == _SOS
        if scans > _MOST_SCANS or marker < 0xC0 or marker == 0xD8 or at + 2 > len(data):
            break  # no marker that may stand here: libjpeg is to say what it makes of it
        at += unpack(">H", data, at)
    # Cut short, or worse: inside compressed data FF is always stuffed, so FF DA is a scan header, rarely a thumbnail's.
    return len(data), data.count(b"\xff\xda", begin)


def _check_kind(frame: bytes) -> None:
    """Refuses sound files that the decoder cannot read: it would take them for damaged ones."""
    kind, bits = frame[1], frame[4]
    if kind in _NOT_DECODED:
        raise PhotoError("is a JPEG of a rare kind, which is not read here. Save it as PNG or JPEG and try again.")
    if 8 < bits <= 16:
        raise PhotoError(
            f"is a JPEG of {bits} bits for each colour, which is not read here. "
            "Export it as 8-bit JPEG or PNG and try again."
        )


def _mcus(frame: bytes) -> int:
    """How many minimum coded units a JPEG with this frame header has (ITU-T T.81, A.2 and B.2.2)."""
    height, width = struct.unpack_from(">HH", frame, 5)
    sampling = frame[11::3]
    across, down = 8 * max(s >> 4 for s in sampling), 8 * max(s & 15 for s in sampling)
    if not across or not down:
        raise damaged()
    return int(-(-width // across) * -(-height // down))
