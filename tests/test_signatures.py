"""Which files are looked at, whatever they are called: everything that is a picture, and nothing else."""

import struct

import numpy as np
import pytest
from PIL import Image

from isic_screen.formats.signatures import ENOUGH, kind_of, looks_like_picture
from tests import odd_files as odd


def ftyp(brand: bytes, *more: bytes) -> bytes:
    brands = brand + bytes(4) + b"".join(more)
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(200)


def saved(format: str, **options: object) -> bytes:
    return odd.saved(odd.picture(), format, **options)


PICTURES = {
    "JPEG": (odd.jpeg(), "JPEG"),
    "MPO": (saved("MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))]), "JPEG"),
    "PNG": (saved("PNG"), "PNG"),
    "WebP": (saved("WEBP"), "WEBP"),
    "TIFF": (saved("TIFF"), "TIFF"),
    "big-endian TIFF": (b"MM\0*\0\0\0\x08", "TIFF"),
    "BigTIFF": (saved("TIFF", big_tiff=True), "TIFF"),
    "BMP": (saved("BMP"), "BMP"),
    "JPEG 2000": (saved("JPEG2000"), "JPEG2000"),
    "bare JPEG 2000": (saved("JPEG2000", no_jp2=True), "JPEG2000"),
    "AVIF": (saved("AVIF"), "AVIF"),
    "HEIC": (ftyp(b"heic", b"mif1", b"heic"), "HEIF"),
    "HEIC by a generic brand": (ftyp(b"mif1", b"mif1", b"heic"), "HEIF"),
    "HEIC sequence": (ftyp(b"hevc", b"msf1"), "HEIF"),
    "DICOM": (bytes(128) + b"DICM\x02\0\0\0UL\x04\0", "DICOM"),
    "DICOM without its preamble": (b"\x02\0\0\0UL\x04\0\xb0\0\0\0", "DICOM"),
    "DICOM without a header": (b"\x08\0\x05\0CS\x0a\0ISO_IR 192", "DICOM"),
    "implicit DICOM without a header": (b"\x08\0\x08\0\x16\0\0\0ORIGINAL", "DICOM"),
    "GIF": (saved("GIF"), None),
    "Photoshop": (b"8BPS\0\x01" + bytes(64), None),
    "JPEG XL": (b"\xff\x0a" + bytes(64), None),
    "Canon raw": (ftyp(b"crx ", b"isom"), None),
    "Fujifilm raw": (b"FUJIFILMCCD-RAW 0201", None),
}
OTHERS = {
    "empty": b"",
    "zeros": bytes(ENOUGH),
    "random": np.random.default_rng(0).bytes(ENOUGH),
    "table": b"image,target\nISIC_1,0\n",
    "text that begins as a BMP": b"BMI,age\n22,50\n",
    "ZIP": b"PK\x03\x04" + bytes(64),
    "PDF": b"%PDF-1.7\n",
    "MP4": ftyp(b"isom", b"mp42"),
    "QuickTime": ftyp(b"qt  "),
    "M4A": ftyp(b"M4A "),
    "companion of macOS": b"\0\x05\x16\x07\0\x02\0\0Mac OS X",
    "Excel": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200),
    "numbers": struct.pack("<8H", 8, 9, 10, 11, 12, 13, 14, 15),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_told_by_its_content(name: str) -> None:
    data, kind = PICTURES[name]
    assert looks_like_picture(data[:ENOUGH])
    assert kind_of(data[:ENOUGH]) == kind


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_picture_is_passed_over(name: str) -> None:
    assert not looks_like_picture(OTHERS[name])
