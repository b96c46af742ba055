"""A table of broken, hostile and odd files: each is refused with its sentence, or decoded right, in bounded memory."""

import json
import os
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isic_screen.errors import PhotoError
from isic_screen.photo import MAX_BYTES, open_photo
from tests import odd_files as odd

DAMAGED = "is damaged or cut short"
NOT_A_PHOTO = "is not a photo that can be read here"
Case = tuple[Callable[[], bytes], str | tuple[int, int]]


def ftyp(brand: bytes, *more: bytes) -> bytes:
    brands = brand + bytes(4) + b"".join(more)
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(200)


def png() -> bytes:
    return odd.saved(odd.picture(), "PNG")


def webp() -> bytes:
    return odd.saved(odd.picture(), "WEBP", lossless=True)


def frames(format: str, count: int = 3) -> bytes:
    others = [Image.new("RGB", (64, 48), (80 * i, 0, 0)) for i in range(1, count)]
    return odd.saved(odd.picture(), format, save_all=True, append_images=others)


def plain_tiff(**tags: int) -> bytes:
    return odd.grey_tiff(np.arange(64, dtype=np.uint8).reshape(8, 8), 8, **tags)


def tiff_with_thumbnail() -> bytes:
    """A second directory that says it is a reduced copy of the first."""
    data = plain_tiff()
    at = data.rindex(bytes(4))
    thumbnail = struct.pack("<HHHII", 1, 254, 4, 1, 1) + bytes(4)
    return data[:at] + struct.pack("<I", len(data)) + data[at + 4 :] + thumbnail


def looping_tiff() -> bytes:
    data = plain_tiff()
    (first,) = struct.unpack_from("<I", data, 4)
    return data[:-4] + struct.pack("<I", first)


def tiff_tag_bomb() -> bytes:
    """49,000 tags that all point at the same 600 kB: Pillow alone would hold 29 GB."""
    body = bytes(600_000)
    return odd.tiff([(tag, 7, len(body), 8) for tag in range(1000, 50_000)], body)


def tiff_needed_tag_bomb() -> bytes:
    """The same with the few tags that decoding does need."""
    body = bytes(1_000_000)
    return odd.tiff([(tag, 4, len(body) // 4, 8) for tag in (258, 273, 279, 320, 324, 325, 532)], body)


def exif_tag_bomb() -> bytes:
    count = 5000
    entries = b"".join(struct.pack("<HHII", 1000 + i, 7, 60_000, 8) for i in range(count))
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, count) + entries
    return odd.jpeg_with(0xE1, block[:65_000])


def png_of_zeros(width: int, height: int, name: bytes = b"", body: bytes = b"") -> bytes:
    return odd.png(width, height, 8, 0, bytes((width + 1) * height), *([odd.chunk(name, body)] if name else []))


def many_scans() -> bytes:
    """The last scan of a progressive JPEG, again and again."""
    data = odd.jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 5000 + data[-2:]


def padded(data: bytes, count: int) -> bytes:
    """A JPEG with zeros behind its compressed data, before its end marker."""
    return data[:-2] + bytes(count) + data[-2:]


def truncated_real_style(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


TABLE: dict[str, Case] = {
    # nothing, or nearly
    "empty": (lambda: b"", "is empty (0 bytes)"),
    "zeros": (lambda: bytes(4096), "holds nothing but zero bytes"),
    "one byte": (lambda: b"\xff", NOT_A_PHOTO),
    "random bytes": (lambda: np.random.default_rng(0).bytes(4096), NOT_A_PHOTO),
    "text": (lambda: b"image,target\nISIC_1,0\n", "is a text file, not a photo"),
    "text in UTF-16": (lambda: "image\n".encode("utf-16"), "is a text file"),
    "web page": (lambda: b"\n<!DOCTYPE html><html>Log in</html>", "is a web page, not a photo"),
    "Git LFS pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid x", "is a Git LFS pointer"),
    # other kinds of file, renamed or not
    "GIF": (lambda: odd.saved(odd.picture(), "GIF"), "is a GIF"),
    "animated GIF": (lambda: frames("GIF"), "is a GIF"),
    "HEIC header alone": (lambda: ftyp(b"heic", b"mif1", b"heic"), DAMAGED),
    "AVIF header alone": (lambda: ftyp(b"mif1", b"avif", b"miaf"), DAMAGED),
    "MP4 video": (lambda: ftyp(b"isom", b"mp42"), "is a video"),
    "Canon raw": (lambda: ftyp(b"crx ", b"isom"), "is a camera raw file"),
    "AVI video": (lambda: b"RIFF\x10\0\0\0AVI LIST" + bytes(64), "is a video"),
    "SVG": (lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
    "PDF": (lambda: odd.saved(odd.picture(), "PDF"), "is a PDF document"),
    "DICOM header alone": (lambda: bytes(128) + b"DICM" + bytes(64), "is a DICOM file without a photo"),
    "ZIP": (lambda: b"PK\x03\x04" + bytes(64), "is a ZIP archive or an office document"),
    "gzip": (lambda: b"\x1f\x8b\x08" + bytes(64), "is a gzip archive"),
    "Photoshop": (lambda: b"8BPS\0\x01" + bytes(64), "is a Photoshop document"),
    "icon": (lambda: odd.saved(odd.picture(), "ICO"), "is an icon"),
    "JPEG 2000 header alone": (lambda: b"\xff\x4f\xff\x51" + bytes(64), DAMAGED),
    "JPEG XL": (lambda: b"\xff\x0a" + bytes(64), "is a JPEG XL file"),
    "companion of macOS": (lambda: b"\0\x05\x16\x07\0\x02\0\0Mac OS X" + bytes(64), "is a companion file of macOS"),
    "program": (lambda: b"\x7fELF" + bytes(64), "is a program"),
    "PPM": (lambda: b"P6 1 1 255\n\0\xff\0", NOT_A_PHOTO),
    # several pictures in one
    "animated WebP": (lambda: frames("WEBP"), "is an animated WebP"),
    "animated PNG": (lambda: frames("PNG"), "is an animated PNG"),
    "TIFF of pages": (lambda: frames("TIFF"), "is a TIFF of several pages"),
    "TIFF whose pages go round": (looping_tiff, "is a TIFF of several pages"),
    "TIFF with a thumbnail": (tiff_with_thumbnail, (8, 8)),
    "PNG that claims one frame": (lambda: odd.png_with(b"acTL", struct.pack(">II", 1, 0)), (64, 48)),
    # cut short, byte by byte wrong
    "JPEG cut in the picture": (lambda: odd.jpeg()[:-600], DAMAGED),
    "JPEG cut in the header": (lambda: odd.jpeg()[:100], DAMAGED),
    "JPEG of three bytes": (lambda: b"\xff\xd8\xff", DAMAGED),
    "JPEG that ends at once": (lambda: b"\xff\xd8\xff\xd9", DAMAGED),
    "JPEG of no height": (lambda: odd.jpeg_sized(64, 0), DAMAGED),
    "JPEG of 12 bits": (
        lambda: odd.jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        "is a JPEG of 12 bits",
    ),
    "JPEG without tables": (lambda: odd.jpeg().replace(b"\xff\xdb", b"\xff\xfe"), DAMAGED),
    "progressive JPEG cut short": (lambda: odd.jpeg(progressive=True)[:-300], DAMAGED),
    "PNG cut in the picture": (lambda: png()[:-200], DAMAGED),
    "PNG cut before its end chunk": (lambda: png()[:-12], DAMAGED),
    "PNG signature alone": (lambda: png()[:8], DAMAGED),
    "PNG without a picture": (lambda: png()[:33] + odd.chunk(b"IEND", b""), DAMAGED),
    "PNG with a wrong checksum": (lambda: png().replace(png()[29:33], b"\0\0\0\0", 1), DAMAGED),
    "PNG with a bad bit depth": (lambda: odd.png(4, 4, 7, 2, bytes(64)), DAMAGED),
    "PNG of no width": (lambda: odd.png(0, 4, 8, 2, bytes(4)), "is damaged"),
    "PNG of line ends translated": (lambda: png().replace(b"\r\n", b"\n"), NOT_A_PHOTO),
    "PNG with a broken stream": (lambda: png().replace(b"IDATx", b"IDATy"), DAMAGED),
    "WebP cut short": (lambda: webp()[:-100], DAMAGED),
    "WebP header alone": (lambda: b"RIFF\x04\0\0\0WEBP", DAMAGED),
    "WebP of garbage": (lambda: webp()[:30] + bytes(len(webp()) - 30), DAMAGED),
    "TIFF header alone": (lambda: b"II*\0\x08\0\0\0", DAMAGED),
    "TIFF cut in the picture": (lambda: plain_tiff()[:40], DAMAGED),
    "TIFF whose strip lies outside": (lambda: plain_tiff(t273=1 << 30), DAMAGED),
    "TIFF with two widths": (lambda: odd.tiff([(256, 4, 2, 8), (257, 4, 1, 8)], bytes(64)), DAMAGED),
    "TIFF without a size": (lambda: odd.tiff([(258, 3, 1, 8)], bytes(64)), DAMAGED),
    "TIFF of unknown compression": (lambda: plain_tiff(t259=31_337), DAMAGED),
    "BigTIFF header alone": (lambda: b"II+\0\x08\0\0\0" + bytes(64), DAMAGED),
    "digital negative": (lambda: plain_tiff(t50706=1), "is a camera raw file"),
    "raw file whose first page is a thumbnail": (lambda: plain_tiff(t254=1), "is a camera raw file"),
    "BMP cut short": (lambda: odd.saved(odd.picture(), "BMP")[:-500], DAMAGED),
    "BMP header alone": (lambda: b"BM" + bytes(12), DAMAGED),
    "BMP of negative width": (lambda: odd.bmp_sized(-64, 48), "has 4294967232 x 48 pixels"),
    "run-length BMP": (lambda: odd.bmp_sized(64, 48, compression=1), "is a run-length compressed BMP"),
    # pixels that are no colours
    "TIFF of floats": (
        lambda: odd.saved(Image.new("F", (8, 8), 0.5), "TIFF"),
        "holds pixels as floating-point numbers",
    ),
    "TIFF of 32 bits": (lambda: odd.saved(Image.new("I", (8, 8), 70_000), "TIFF"), "whole numbers of 32 bits"),
    "TIFF in CIELAB": (lambda: odd.saved(Image.new("LAB", (8, 8)), "TIFF"), "holds pixels as the form LAB"),
    "16-bit PNG with a transparent colour": (
        lambda: odd.png(1, 1, 16, 0, bytes(3), odd.chunk(b"tRNS", bytes(2))),
        "marks one colour of a 16-bit PNG as transparent",
    ),
    # sound, but odd
    "JPEG with a broken Exif block": (lambda: odd.jpeg_with(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"), (64, 48)),
    "JPEG with a broken profile": (lambda: odd.jpeg_with(0xE2, b"ICC_PROFILE\0\x01\x02junk"), (64, 48)),
    "JPEG with a broken index of pictures": (lambda: odd.jpeg_with(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"), (64, 48)),
    "JPEG with Photoshop blocks": (lambda: odd.jpeg_with(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0"), (64, 48)),
    "JPEG with a comment": (lambda: odd.jpeg_with(0xFE, b"\xff\xd9\xff\xda" * 3), (64, 48)),
    "JPEG with fill bytes": (lambda: odd.jpeg()[:2] + b"\xff\xff\xff" + odd.jpeg()[2:], (64, 48)),
    "JPEG followed by a video": (lambda: odd.jpeg() + ftyp(b"mp42"), (64, 48)),
    "PNG followed by junk": (lambda: png() + b"junk" * 100, (64, 48)),
    "PNG with a broken profile": (lambda: odd.png_with(b"iCCP", b"x\0\0" + zlib.compress(b"junk")[:-3]), (64, 48)),
    "PNG with broken text": (lambda: odd.png_with(b"zTXt", b"x\0\0junk"), (64, 48)),
    "PNG with a broken Exif block": (lambda: odd.png_with(b"eXIf", b"II*\0\xff\xff\xff\xff"), (64, 48)),
    # hostile
    "PNG of 169 megapixels in 165 kB": (lambda: png_of_zeros(13_000, 13_000), "13000 x 13000 pixels (169 megapixels)"),
    "PNG that claims 4 thousand million pixels": (lambda: odd.png(65_000, 65_000, 8, 2, b""), "65000 x 65000 pixels"),
    "PNG that claims the largest size": (lambda: odd.png(2**31 - 1, 2**31 - 1, 8, 2, b""), "more than the"),
    "JPEG that claims the largest size": (lambda: odd.jpeg_sized(65_535, 65_535), DAMAGED),
    "progressive JPEG that claims 114 megapixels": (lambda: odd.jpeg_sized(10_700, 10_700, True), DAMAGED),
    "JPEG padded to 4.3 thousand million pixels": (
        lambda: padded(odd.jpeg_sized(65_535, 65_535), 3_000_000),
        "65535 x 65535 pixels",
    ),
    "progressive JPEG padded to 114 megapixels": (
        lambda: padded(odd.jpeg_sized(10_700, 10_700, progressive=True), 100_000),
        "114 megapixels",
    ),
    "JPEG that claims 114 megapixels": (lambda: odd.jpeg_sized(10_700, 10_700), DAMAGED),
    "JPEG of 5,000 scans": (many_scans, "JPEG scans, which no camera writes"),
    "JPEG Exif tag bomb": (exif_tag_bomb, (64, 48)),
    "WebP that claims the largest size": (lambda: odd.webp_sized(16_384, 16_384), "16384 x 16384 pixels"),
    "WebP that claims 36 megapixels": (lambda: odd.webp_sized(6000, 6000), DAMAGED),
    "BMP that claims the largest size": (lambda: odd.bmp_sized(2**31 - 1, 2**31 - 1), "more than the"),
    "BMP that claims 100 megapixels": (lambda: odd.bmp_sized(10_000, 10_000), DAMAGED),
    "TIFF that claims the largest size": (lambda: plain_tiff(t256=65_535, t257=65_535), "65535 x 65535 pixels"),
    "TIFF that claims 100 megapixels": (lambda: plain_tiff(t256=10_000, t257=10_000), "more than the 89 megapixels"),
    "TIFF that claims 81 megapixels": (lambda: plain_tiff(t256=9000, t257=9000), DAMAGED),
    "TIFF tag bomb": (tiff_tag_bomb, DAMAGED),
    "TIFF tag bomb of needed tags": (tiff_needed_tag_bomb, DAMAGED),
    "TIFF of a million strips": (lambda: odd.tiff([(273, 4, 1 << 20, 8), (256, 3, 1, 8), (257, 3, 1, 8)]), DAMAGED),
    "PNG profile bomb": (
        lambda: odd.png_with(b"iCCP", b"x\0\0" + zlib.compress(bytes(200_000_000), 9)),
        (64, 48),
    ),
    "PNG text bombs": (
        lambda: odd.png_with(b"zTXt", b"x\0\0" + zlib.compress(bytes(100_000_000), 9)),
        (64, 48),
    ),
    "PNG whose stream goes on": (lambda: odd.png(4, 4, 8, 0, bytes(50_000_000)), (4, 4)),
    "line too long for a photo": (lambda: png_of_zeros(70_000, 1), "has 70000 x 1 pixels, too long for a photo"),
    "JPEG of one pixel by 65,500": (lambda: odd.saved(Image.new("L", (1, 65_500)), "JPEG"), (1, 65_500)),
    "not a file but a novel": (lambda: b"x" * (MAX_BYTES + 1), "has more than 256 MB"),
}


def outcome(data: bytes) -> str | tuple[int, int]:
    try:
        photo = open_photo(data, name="odd file")
    except PhotoError as error:
        return str(error)
    return photo.size


@pytest.mark.parametrize("kind", TABLE)
def test_odd_file(kind: str) -> None:
    make, expected = TABLE[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = outcome(make())
    if isinstance(expected, tuple):
        assert got == expected
    else:
        assert isinstance(got, str)
        assert got.startswith("odd file ")
        assert expected in got
        # What is wrong, and what to do.
        assert got.count(". ") >= 1
        assert len(got) < 260
        assert "Error" not in got


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 45


# Decodes each file given, and prints what came of it and the most memory it has held, in MB.
CHILD = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # far above the aim: the peak below is what counts
resource.setrlimit(resource.RLIMIT_CPU, (200, 200))
from isic_screen.errors import PhotoError
from isic_screen.photo import open_photo
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
base = peak()
for path in sys.argv[1:]:
    try:
        result = "x".join(map(str, open_photo(path).size))
    except PhotoError as error:
        result = str(error)
    print(json.dumps([path, result, base, peak()]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="measures memory with the resource module, which Windows lacks")
def test_hostile_files_stay_within_a_gigabyte(tmp_path: Path) -> None:
    kinds = list(TABLE)
    hostile = kinds[kinds.index("PNG of 169 megapixels in 165 kB") : kinds.index("not a file but a novel")]
    files = {tmp_path / f"{number}.bin": TABLE[kind][0]() for number, kind in enumerate(hostile)}
    # The most that is let in, of every format.
    files[tmp_path / "large.png"] = png_of_zeros(10_900, 10_900)
    files[tmp_path / "large.tif"] = odd.saved(Image.new("RGB", (7600, 7600)), "TIFF", compression="tiff_adobe_deflate")
    files[tmp_path / "large.webp"] = odd.saved(Image.new("RGBA", (6100, 6000)), "WEBP", lossless=True, quality=0)
    files[tmp_path / "large.jpg"] = odd.saved(Image.new("RGB", (9500, 9500)), "JPEG", progressive=True, subsampling=0)
    files[tmp_path / "large.bmp"] = odd.saved(Image.new("1", (10_900, 10_900)), "BMP")
    for path, data in files.items():
        path.write_bytes(data)
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, *map(str, files)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=250,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    assert [line[0] for line in lines] == [str(path) for path in files]
    assert [line[1] for line in lines[-5:]] == ["1363x1363", "950x950", "763x750", "1188x1188", "1363x1363"]
    for path, result, base, peak in lines:
        # What decoding adds; the modules themselves (torch among them) are there before.
        assert peak - base < 650, (path, result)


def test_broken_copies_of_a_real_photo(shared_data: Path) -> None:
    data = (shared_data / "photos" / "ISIC_0000000.jpg").read_bytes()
    assert isinstance(outcome(data), tuple)
    for share in (0.02, 0.1, 0.5, 0.9, 0.99):
        assert DAMAGED in outcome(truncated_real_style(data, share))
    assert NOT_A_PHOTO in outcome(data[1:])
    assert isinstance(outcome(data + data), tuple)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path, sentence in [
        (tmp_path, "is a folder, not a photo"),
        (tmp_path / "missing.jpg", "missing.jpg does not exist"),
        (tmp_path / ("n" * 300), "cannot be read from disk"),
        ("nul\0byte.jpg", "nul?byte.jpg cannot be read from disk"),
    ]:
        with pytest.raises(PhotoError) as caught:
            open_photo(path)
        assert sentence in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match=r"pipe\.jpg is not an ordinary file"):
        open_photo(tmp_path / "pipe.jpg")


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked.jpg").write_bytes(odd.jpeg())

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # root, who runs some test machines, may read anything
    with pytest.raises(PhotoError, match=r"locked\.jpg may not be read by this user"):
        open_photo(tmp_path / "locked.jpg")


def test_a_stream_that_fails() -> None:
    class Unplugged(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("device gone")

    with pytest.raises(PhotoError, match="cannot be read"):
        open_photo(Unplugged(), name="card.jpg")
