"""Names the files that people hand over for photos, so that the refusal can say what to do about each."""

import codecs

from isic_screen.formats.photo_file import SAVE_AS_JPEG

ONE_BY_ONE = "Unpack it and choose the photos inside."
CHOOSE = "Choose a photo, such as a JPEG, HEIC or DICOM file."
SAVE_FRAME = "Save the frame you mean as JPEG and try again."

# (offset, bytes there, what the file is, what to do), the first match counts.
_SIGNATURES = (
    (0, b"GIF8", "is a GIF, whose 256 colours are too few for a skin lesion", "Take the original photo instead."),
    (0, b"%PDF", "is a PDF document, not a photo", SAVE_AS_JPEG),
    (0, b"PK\x03\x04", "is a ZIP archive or an office document, not a photo", ONE_BY_ONE),
    (0, b"Rar!", "is a RAR archive, not a photo", ONE_BY_ONE),
    (0, b"7z\xbc\xaf", "is a 7z archive, not a photo", ONE_BY_ONE),
    (0, b"\x1f\x8b", "is a gzip archive, not a photo", ONE_BY_ONE),
    (0, b"8BPS", "is a Photoshop document, not a finished photo", SAVE_AS_JPEG),
    (0, b"\0\0\1\0", "is an icon, not a photo", "Take the original photo instead."),
    (4, b"JXL \r\n", "is a JPEG XL file, which is not read here", SAVE_AS_JPEG),
    (0, b"\xff\x0a", "is a JPEG XL file, which is not read here", SAVE_AS_JPEG),
    (8, b"AVI ", "is a video, not a photo", SAVE_FRAME),
    (0, b"\x1a\x45\xdf\xa3", "is a video, not a photo", SAVE_FRAME),
    (
        0,
        b"\0\x05\x16\x07",
        "is a companion file of macOS, not a photo",
        'Choose the file of the same name without "._".',
    ),
    (0, b"\x7fELF", "is a program, not a photo", "Choose a photo."),
    (0, b"MZ", "is a program, not a photo", "Choose a photo."),
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the photo itself", 'Run "git lfs pull" first.'),
)


def describe(data: bytes) -> str:
    """What a file is that is no photo we read, and what to do: a sentence or two that lack their subject."""
    if data[4:12] == b"ftypcrx ":
        return f"is a camera raw file, not a finished photo. {SAVE_AS_JPEG}"
    if data[4:8] == b"ftyp":
        return f"is a video, not a photo. {SAVE_FRAME}"
    for offset, signature, what, advice in _SIGNATURES:
        if data[offset : offset + len(signature)] == signature:
            return f"{what}. {advice}"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return "is an SVG drawing, not a photo. Choose a photo."
    if head.startswith((b"<!doctype html", b"<html")):
        return (
            "is a web page, not a photo: the download went wrong, perhaps for want of a log-in. "
            "Download the photo itself and try again."
        )
    if _is_text(data[:1024]):
        return f"is a text file, not a photo, whatever its name says. {CHOOSE}"
    return f"is not a photo that can be read here, or is damaged. {CHOOSE}"


def _is_text(head: bytes) -> bool:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True  # the mark of UTF-16
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # incremental: the last character may be cut
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
