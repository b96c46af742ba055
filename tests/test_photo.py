"""Photo decoding: every kind of sound file comes out as the right pixels, and as nothing but pixels."""

import io
import re
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from isic_screen.errors import PhotoError
from isic_screen.formats.photo_file import PROFILE_IGNORED
from isic_screen.frames import Cut
from isic_screen.photo import DRAFT_SIDE, PHOTO_SUFFIXES, draft_scale, open_photo
from tests import odd_files as odd


def pixels(data: bytes) -> np.ndarray:
    photo = open_photo(data)
    assert photo.mode == "RGB"
    return np.asarray(photo).astype(int)


def reference() -> np.ndarray:
    return np.asarray(odd.picture()).astype(int)


@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("PNG", {"optimize": True}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 24),
        ("JPEG", {"quality": 98, "subsampling": 0}, 12),
        ("JPEG", {"quality": 98, "subsampling": 0, "progressive": True}, 12),
        ("TIFF", {"compression": "jpeg", "quality": 98}, 24),
    ],
)
def test_every_format_gives_the_picture(format: str, options: dict[str, object], tolerance: int) -> None:
    assert np.abs(pixels(odd.saved(odd.picture(), format, **options)) - reference()).max() <= tolerance


def test_first_frame_of_a_phone_photo_with_two() -> None:
    second = Image.new("RGB", (64, 48), "blue")
    data = odd.saved(odd.picture(), "MPO", save_all=True, append_images=[second], quality=98)
    assert b"MPF\0" in data
    assert np.abs(pixels(data) - reference()).mean() < 4


# What each orientation does to the stored picture so that it stands upright (Exif 2.32, tag 0x0112).
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_orientation_is_applied(format: str, orientation: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}.get(format, {})
    got = pixels(odd.saved(odd.picture(), format, exif=tags, **options))
    expected = UPRIGHT[orientation](reference())
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= (12 if format == "JPEG" else 0)


@pytest.mark.parametrize(
    "block", [odd.exif(0), odd.exif(9), odd.exif(6, count=7), odd.exif(6, kind=2), b"MM\0*", b"junk"]
)
def test_a_nonsense_orientation_is_ignored(block: bytes) -> None:
    assert np.abs(pixels(odd.jpeg_with(0xE1, b"Exif\0\0" + block)) - reference()).mean() < 4


def test_all_metadata_is_dropped() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    tags[0x010F] = "Camera"
    tags.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        photo = open_photo(odd.saved(odd.picture(), format, exif=tags, icc_profile=profile, dpi=(300, 300)))
        assert photo.info == {}
        assert dict(photo.getexif()) == {}
        assert b"Camera" not in odd.saved(photo, "PNG")
        assert not hasattr(photo, "tag_v2")


@pytest.mark.parametrize("bits_of", ["png", "tiff", "big-endian tiff"])
def test_16_bit_grey_is_scaled_not_clipped(bits_of: str) -> None:
    deep = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    if bits_of == "png":
        data = odd.saved(Image.fromarray(deep), "PNG")
    elif bits_of == "tiff":
        data = odd.saved(Image.fromarray(deep), "TIFF")
    else:
        data = odd.saved(Image.frombytes("I;16B", (64, 48), deep.astype(">u2").tobytes()), "TIFF")
    got = pixels(data)
    assert np.array_equal(got, np.repeat((deep >> 8)[..., None].astype(int), 3, axis=2))
    assert got.min() == 0
    assert got.max() == 255


@pytest.mark.parametrize("colour", [2, 6])
def test_16_bit_colour_is_scaled(colour: int) -> None:
    channels = {2: 3, 6: 4}[colour]
    deep = np.random.default_rng(0).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    if colour == 6:
        deep[..., 3] = 65535
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    assert np.array_equal(pixels(odd.png(7, 5, 16, colour, rows)), (deep[..., :3] >> 8).astype(int))


def test_white_is_zero_tiff() -> None:
    deep = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    assert np.array_equal(pixels(odd.grey_tiff(deep, 16, photometric=0))[..., 0], 255 - (deep >> 8).astype(int))
    shallow = (deep >> 8).astype(np.uint8)
    assert np.array_equal(pixels(odd.grey_tiff(shallow, 8, photometric=0))[..., 0], 255 - shallow.astype(int))


def test_12_bit_tiff_is_scaled() -> None:
    deep = np.array([[0, 16, 2048, 4095]])
    packed = bytes([0, 0, 16, 128, 15, 255])  # two values in three bytes
    tags = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 277: 1, 278: 1}
    entries = [(tag, 3, 1, value) for tag, value in tags.items()] + [(273, 4, 1, 8), (279, 4, 1, 6)]
    assert np.array_equal(pixels(odd.tiff(entries, packed))[..., 0], deep >> 4)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_laid_over_white(format: str) -> None:
    image = odd.picture().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    alpha = np.asarray(image)[..., 3:].astype(float) / 255
    expected = alpha * reference() + (1 - alpha) * 255
    assert np.abs(pixels(odd.saved(image, format, **options)) - expected).max() <= 1


def test_grey_with_alpha() -> None:
    image = Image.merge("LA", (Image.new("L", (4, 4), 100), Image.new("L", (4, 4), 128)))
    assert np.abs(pixels(odd.saved(image, "PNG")) - (100 * 128 + 255 * 127) / 255).max() <= 1


def test_palettes() -> None:
    image = odd.picture().quantize(16)
    assert np.array_equal(pixels(odd.saved(image, "PNG")), np.asarray(image.convert("RGB")))
    assert np.array_equal(pixels(odd.saved(image, "BMP")), np.asarray(image.convert("RGB")))
    holes = np.asarray(image) == 3
    got = pixels(odd.saved(image, "PNG", transparency=3))
    assert holes.any()
    assert (got[holes] == 255).all()
    assert np.array_equal(got[~holes], np.asarray(image.convert("RGB"))[~holes])


def test_transparent_colour() -> None:
    image = odd.picture()
    image.paste((10, 20, 30), (0, 0, 8, 8))
    got = pixels(odd.saved(image, "PNG", transparency=(10, 20, 30)))
    assert (got[:8, :8] == 255).all()
    assert np.array_equal(got[8:, 8:], np.asarray(image)[8:, 8:])


def test_one_bit() -> None:
    image = odd.picture().convert("1")
    for format in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(pixels(odd.saved(image, format))[..., 0], np.asarray(image.convert("L")))


def test_cmyk_jpeg_is_not_a_negative() -> None:
    # Pillow writes CMYK as Adobe does: inverted, with the Adobe marker.
    data = odd.saved(odd.picture().convert("CMYK"), "JPEG", quality=98, subsampling=0)
    assert b"Adobe" in data
    assert np.abs(pixels(data) - reference()).max() <= 16
    assert np.array_equal(pixels(odd.saved(odd.picture().convert("CMYK"), "TIFF")), reference())


def swapped() -> bytes:
    """A profile in which red and green have changed places, the rest being the primaries of sRGB (adapted to D50)."""
    return odd.matrix_profile(red=(0.3212, 0.5979), green=(0.6485, 0.3309), blue=(0.1559, 0.0660))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_colour_profile_is_converted(format: str) -> None:
    image = Image.new("RGB", (16, 16), (255, 0, 0))
    options = {"JPEG": {"quality": 98}, "WEBP": {"lossless": True}}.get(format, {})
    red, green, blue = pixels(odd.saved(image, format, icc_profile=swapped(), **options))[8, 8]
    assert red < 30
    assert green > 240
    assert blue < 30


def test_alpha_survives_a_colour_profile() -> None:
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 8, 16))
    got = pixels(odd.saved(image, "PNG", icc_profile=swapped()))
    assert got[8, 4, 1] > 240
    assert got[8, 4, 0] < 30
    assert (got[8, 12] == 255).all()


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 128, swapped()[:200]])
def test_broken_colour_profile_is_ignored_and_logged(profile: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert np.array_equal(pixels(odd.saved(odd.picture(), "PNG", icc_profile=profile)), reference())
    assert caplog.messages == [PROFILE_IGNORED]


def test_colour_profile_for_other_colours_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    grey = odd.picture().convert("L")
    got = pixels(odd.saved(grey, "PNG", icc_profile=swapped()))
    assert np.array_equal(got[..., 0], np.asarray(grey))
    assert caplog.messages == [PROFILE_IGNORED]


def test_a_damaged_chunk_with_a_profile_is_logged_and_a_sound_profile_is_not(caplog: pytest.LogCaptureFixture) -> None:
    open_photo(odd.saved(odd.picture(), "PNG", icc_profile=swapped()))
    assert caplog.messages == []
    open_photo(odd.png_with(b"iCCP", b"x\0\0" + zlib.compress(b"junk")[:-3]), name="mrs-smith.png")
    assert caplog.messages == [PROFILE_IGNORED]


@pytest.mark.parametrize(
    ("size", "scale"), [((512, 512), 1), ((1023, 3000), 1), ((1024, 1024), 2), ((6000, 4000), 4), ((9000, 8000), 8)]
)
def test_draft_scale(size: tuple[int, int], scale: int) -> None:
    assert draft_scale(*size) == scale
    assert min(size) / scale >= DRAFT_SIDE


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_large_photos_come_out_as_the_full_decode_averaged(format: str) -> None:
    big = odd.picture().resize((2200, 1100), Image.Resampling.BICUBIC)
    data = odd.saved(big, format, **({"quality": 95} if format == "JPEG" else {}))
    photo = open_photo(data)
    assert photo.size == (1100, 550)
    with Image.open(io.BytesIO(data)) as full:
        expected = np.asarray(full.convert("RGB").reduce(2)).astype(int)
    difference = np.abs(np.asarray(photo).astype(int) - expected)
    assert difference.mean() < 0.5
    assert difference.max() <= (8 if format == "JPEG" else 0)


def test_odd_sizes_keep_their_last_row_and_column() -> None:
    big = odd.picture().resize((2201, 1103))
    for format in ("JPEG", "PNG"):
        assert open_photo(odd.saved(big, format)).size == (1101, 552)


@pytest.mark.parametrize("size", [(1, 1), (1, 50_000), (50_000, 1), (3, 2), (1, 2)])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_tiny_and_thin(format: str, size: tuple[int, int]) -> None:
    photo = open_photo(odd.saved(Image.new("RGB", size, (200, 100, 50)), format))
    assert photo.size == size
    assert np.abs(np.asarray(photo)[0, 0].astype(int) - (200, 100, 50)).max() <= 3


def test_pixel_limit_can_be_set() -> None:
    data = odd.saved(odd.picture(), "PNG")
    open_photo(data, max_pixels=64 * 48 * 4)  # a small PNG takes 12 bytes a pixel, where large ones take 5
    with pytest.raises(PhotoError, match="64 x 48 pixels"):
        open_photo(data, max_pixels=1000)


def test_sources(tmp_path: Path) -> None:
    path = tmp_path / "naevus 1.png"
    path.write_bytes(odd.saved(odd.picture(), "PNG"))
    with path.open("rb") as file:
        photos = [open_photo(path), open_photo(str(path)), open_photo(path.read_bytes()), open_photo(file)]
    assert all(np.array_equal(np.asarray(photo), reference()) for photo in photos)
    path.write_bytes(b"")
    with pytest.raises(PhotoError, match=r"^naevus 1\.png is empty"):
        open_photo(path)
    with pytest.raises(PhotoError, match=r"^upload\.jpg is empty"):
        open_photo(path, name="upload.jpg")
    with pytest.raises(PhotoError, match=r"^The file is empty"):
        open_photo(b"")


def test_the_name_does_not_decide(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(odd.saved(odd.picture(), "PNG"))
    assert np.array_equal(np.asarray(open_photo(path)), reference())
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in PHOTO_SUFFIXES)


def test_threads_decode_at_once() -> None:
    files = [odd.saved(odd.picture(600 + 8 * i, 520), "JPEG", icc_profile=swapped()) for i in range(8)]
    alone = [np.asarray(open_photo(data)) for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: np.asarray(open_photo(data)), files * 4))
    assert all(np.array_equal(got, alone[i % 8]) for i, got in enumerate(together))


def test_real_photos(shared_data: Path) -> None:
    paths = sorted((shared_data / "photos").glob("*.jpg"))
    assert paths
    for path in paths:
        photo = open_photo(path)
        with Image.open(path) as full:
            upright = ImageOps.exif_transpose(full).convert("RGB")
        reduced = upright.reduce(draft_scale(*upright.size))
        assert min(reduced.size) >= DRAFT_SIDE
        cut = photo.info.get("cut", Cut(0, 0, 0, 0))  # one is a round field on black
        left, top = round(cut.left * reduced.width), round(cut.top * reduced.height)
        expected = np.asarray(reduced.crop((left, top, left + photo.width, top + photo.height))).astype(int)
        assert np.abs(np.asarray(photo).astype(int) - expected).mean() < 2


SOUND = [
    odd.jpeg(progressive=True, icc_profile=swapped(), exif=odd.exif(6)),
    odd.jpeg(),
    odd.saved(odd.picture(), "PNG", icc_profile=swapped()),
    odd.saved(odd.picture().quantize(16), "PNG", transparency=3),
    odd.saved(odd.picture(), "TIFF"),
    odd.saved(odd.picture(), "TIFF", compression="tiff_lzw"),
    odd.saved(odd.picture(), "TIFF", compression="jpeg"),
    odd.saved(odd.picture(), "WEBP", exif=b"Exif\0\0" + odd.exif(3)),
    odd.saved(odd.picture(), "BMP"),
]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(data=st.data())
def test_damaged_bytes_raise_nothing_but_photo_error(data: st.DataObject) -> None:
    damaged = bytearray(data.draw(st.sampled_from(SOUND)))
    for _ in range(data.draw(st.integers(1, 8))):
        # Half of the damage goes to the first 300 bytes, where the headers are.
        at = data.draw(st.integers(0, min(300, len(damaged) - 1)) | st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFE, 0xFF]) | st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(damaged)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning of Pillow's would reach the user's screen
        photo, sentence = None, ""
        try:
            photo = open_photo(bytes(damaged[:cut]), max_pixels=4_000_000)
        except PhotoError as error:
            sentence = str(error)
    if photo is None:
        assert re.fullmatch(r'The file (is|has|holds|marks) .+[."]', sentence)
    else:
        assert photo.mode == "RGB"
        assert photo.info.keys() <= {"cut"}
