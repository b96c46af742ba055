"""One row for each kind of file that people have: the right pixels, or the sentence that says what to do."""

import logging
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageCms
from pydicom.data import get_testdata_file
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from isic_screen.data.folders import index_photos
from isic_screen.errors import PhotoError
from isic_screen.photo import PHOTO_SUFFIXES, open_photo
from tests import odd_files as odd
from tests import phone_files as phone
from tests.test_photo import UPRIGHT, swapped

Make = Callable[[], bytes]
PICTURE = np.asarray(odd.picture()).astype(int)
GREY = np.repeat(np.asarray(odd.picture().convert("L"))[..., None], 3, axis=2).astype(int)


def pixels(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photo = open_photo(data, name="photo")
    assert photo.mode == "RGB"
    assert photo.info == {}
    return np.asarray(photo).astype(int)


def sentence(data: bytes) -> str:
    with pytest.raises(PhotoError) as caught:
        open_photo(data, name="photo")
    return str(caught.value)


def saved(format: str, **options: object) -> Make:
    return lambda: odd.saved(odd.picture(), format, **options)


def ycc() -> np.ndarray:
    return np.asarray(odd.picture().convert("YCbCr"))


def halved() -> bytes:
    """Y Y Cb Cr for each two pixels, the colour of the first for both."""
    values = ycc()
    pairs = [values[:, 0::2, 0], values[:, 1::2, 0], values[:, 0::2, 1], values[:, 0::2, 2]]
    return np.stack(pairs, axis=-1).tobytes()


def palette_dicom() -> bytes:
    image = odd.picture().quantize(200)
    colours = np.asarray(image.getpalette("RGB"), np.uint16).reshape(-1, 3) * 257
    elements: dict[str, object] = {}
    for place, name in enumerate(("Red", "Green", "Blue")):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [len(colours), 0, 16]
        elements[f"{name}PaletteColorLookupTableData"] = colours[:, place].astype("<u2").tobytes()
    return phone.dicom(image.tobytes(), "PALETTE COLOR", **elements)


def deep_dicom(signed: int = 0) -> bytes:
    values = np.asarray(odd.picture().convert("L")).astype(np.int32) * 16 + 5 - 2048 * signed
    more = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": signed}
    return phone.dicom(values.astype("<i2").tobytes(), "MONOCHROME2", **more)


def run_lengths() -> bytes:
    found = pydicom.dcmread(BytesIO(phone.dicom(odd.picture().tobytes())))
    found.compress(RLELossless, generate_instance_uid=False)
    return phone.written(found)


def rewritten(syntax: pydicom.uid.UID) -> bytes:
    found = pydicom.dcmread(BytesIO(phone.dicom(odd.picture().tobytes())))
    found.file_meta.TransferSyntaxUID = syntax
    return phone.written(found)


def jpeg_of_rgb() -> bytes:
    """Red, green and blue as they are, without a word about it but in the DICOM file."""
    data = odd.saved(odd.picture(), "JPEG", quality=98, subsampling=0, keep_rgb=True)
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 16 :]


def with_nested_sequences() -> bytes:
    """Sequences within sequences, of undefined length, one of them with pixels of its own, before the real ones."""
    found = pydicom.dcmread(BytesIO(phone.dicom(odd.picture().tobytes())))
    icon = pydicom.Dataset()
    icon.Rows, icon.Columns, icon.PixelData = 1, 1, bytes(2)
    icon["PixelData"].VR = "OB"
    icon.IconImageSequence = [pydicom.Dataset()]
    found.IconImageSequence = [icon]
    found["IconImageSequence"].is_undefined_length = True
    icon.is_undefined_length_sequence_item = True
    return phone.written(found)


def bundled(name: str) -> bytes:
    with open(get_testdata_file(name, download=False), "rb") as file:
        return file.read()


def frame_of(name: str) -> bytes:
    return get_frame(pydicom.dcmread(BytesIO(bundled(name))).PixelData, 0, number_of_frames=1)


def with_garbage() -> bytes:
    """Zeros and fill bytes between the segments, as some cameras leave them."""
    data = odd.jpeg(subsampling=0)
    first, frame = data.index(b"\xff\xdb"), data.index(b"\xff\xc0")
    return data[:first] + b"\0\0\0" + data[first:frame] + b"\xff\xff\xff\xff" + data[frame:]


def with_thumbnail() -> bytes:
    return odd.jpeg_with(0xE1, b"Exif\0\0" + odd.exif(1) + odd.jpeg(quality=30), odd.jpeg(subsampling=0))


def clear() -> Image.Image:
    image = odd.picture().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


OVER_WHITE = np.asarray(Image.composite(odd.picture(), Image.new("RGB", (64, 48), "white"), clear().getchannel("A")))

# What it is, how it is made, the pixels that must come out, and by how much any may differ.
READ: dict[str, tuple[Make, np.ndarray, int]] = {
    "HEIC": (phone.heic, PICTURE, 2),
    "HEIC of 10 bits": (phone.deep_heic, PICTURE, 2),
    "HEIC in grey": (lambda: phone.heic(odd.picture().convert("L")), GREY, 2),
    "HEIC with transparency": (lambda: phone.heic(clear()), OVER_WHITE, 3),
    "HEIC of a burst": (lambda: phone.heic(Image.new("RGB", (64, 48), "blue"), odd.picture(), primary=1), PICTURE, 2),
    "HEIC by a generic brand": (lambda: phone.with_brand(phone.heic(), b"mif1"), PICTURE, 2),
    "HEIC of wide tiles": (
        lambda: phone.heic(tiling={"num_columns": 2, "num_rows": 1, "tile_width": 64, "tile_height": 64}),
        PICTURE,
        2,
    ),
    "HEIC motion photo": (lambda: phone.heic() + phone.box(b"mpvd", phone.video()) + b"SEFT junk", PICTURE, 2),
    "HEIC with Exif alone": (
        lambda: phone.heic(exif=odd.exif(6)).replace(b"irot", b"free"),
        PICTURE,  # its own properties tell how it is to be turned: what Exif says is done already
        2,
    ),
    "AVIF": (phone.avif, PICTURE, 4),
    "AVIF with transparency": (lambda: phone.avif(clear()), OVER_WHITE, 4),
    "AVIF in grey": (lambda: phone.avif(odd.picture().convert("L"), subsampling="4:0:0"), GREY, 4),
    "AVIF by a generic brand": (lambda: phone.with_brand(phone.avif(), b"mif1"), PICTURE, 4),
    "JPEG 2000": (saved("JPEG2000"), PICTURE, 0),
    "bare JPEG 2000": (saved("JPEG2000", no_jp2=True), PICTURE, 0),
    "JPEG 2000 of tiles": (saved("JPEG2000", tile_size=(32, 32)), PICTURE, 0),
    "JPEG 2000 with transparency": (lambda: odd.saved(clear(), "JPEG2000"), OVER_WHITE, 1),
    "JPEG 2000 in grey": (lambda: odd.saved(odd.picture().convert("L"), "JPEG2000"), GREY, 0),
    "JPEG 2000 of 16 bits": (
        lambda: odd.saved(Image.fromarray(np.asarray(odd.picture().convert("L")).astype(np.uint16) * 257), "JPEG2000"),
        GREY,
        0,
    ),
    "BigTIFF": (saved("TIFF", big_tiff=True), PICTURE, 0),
    "BigTIFF with LZW": (saved("TIFF", big_tiff=True, compression="tiff_lzw"), PICTURE, 0),
    "BigTIFF with JPEG": (saved("TIFF", big_tiff=True, compression="jpeg", quality=98), PICTURE, 24),
    # The end of the first picture is the end of the photo.
    "JPEG motion photo": (lambda: odd.jpeg(subsampling=0) + phone.video(), PICTURE, 16),
    "progressive motion photo": (lambda: odd.jpeg(subsampling=0, progressive=True) + phone.video(), PICTURE, 16),
    "Ultra HDR": (lambda: phone.ultra_hdr(odd.jpeg(subsampling=0)), PICTURE, 16),
    "Ultra HDR motion photo": (lambda: phone.ultra_hdr(odd.jpeg(subsampling=0)) + phone.video(), PICTURE, 16),
    "JPEG with a thumbnail and a video": (lambda: with_thumbnail() + phone.video(), PICTURE, 16),
    "JPEG with garbage between segments": (with_garbage, PICTURE, 16),
    "JPEG with restart markers": (lambda: odd.jpeg(subsampling=0, restart_marker_blocks=1), PICTURE, 16),
    "MPO": (saved("MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))], quality=98), PICTURE, 60),
    "lossless JPEG": (lambda: frame_of("SC_rgb_jpeg_gdcm.dcm"), pixel_array(get_testdata_file("SC_rgb_rle.dcm")), 0),
    # DICOM
    "DICOM": (lambda: phone.dicom(odd.picture().tobytes()), PICTURE, 0),
    "DICOM by planes": (
        lambda: phone.dicom(PICTURE.astype(np.uint8).transpose(2, 0, 1).tobytes(), PlanarConfiguration=1), PICTURE, 0,
    ),
    "DICOM in YBR": (lambda: phone.dicom(ycc().tobytes(), "YBR_FULL"), PICTURE, 3),
    "DICOM in YBR, half the colours": (lambda: phone.dicom(halved(), "YBR_FULL_422"), PICTURE, 20),
    "DICOM with a palette": (palette_dicom, np.asarray(odd.picture().quantize(200).convert("RGB")), 0),
    "DICOM in grey": (lambda: phone.dicom(odd.picture().convert("L").tobytes(), "MONOCHROME2"), GREY, 0),
    "DICOM in grey, white is 0": (
        lambda: phone.dicom(odd.picture().convert("L").tobytes(), "MONOCHROME1"), 255 - GREY, 0,
    ),
    "DICOM of 12 bits": (deep_dicom, GREY, 0),
    "DICOM of 12 bits with a sign": (lambda: deep_dicom(signed=1), GREY, 0),
    "DICOM of implicit types": (lambda: rewritten(ImplicitVRLittleEndian), PICTURE, 0),
    "DICOM deflated": (lambda: rewritten(DeflatedExplicitVRLittleEndian), PICTURE, 0),
    "DICOM without its preamble": (lambda: phone.dicom(odd.picture().tobytes())[132:], PICTURE, 0),
    "DICOM with sequences": (with_nested_sequences, PICTURE, 0),
    "DICOM in runs": (run_lengths, PICTURE, 0),
    "DICOM with a JPEG": (
        lambda: phone.dicom(odd.jpeg(subsampling=0), "YBR_FULL_422", JPEGBaseline8Bit), PICTURE, 16,
    ),
    "DICOM with a JPEG of RGB": (lambda: phone.dicom(jpeg_of_rgb(), "RGB", JPEGBaseline8Bit), PICTURE, 16),
    "DICOM with a JPEG that says it is turned": (
        lambda: phone.dicom(odd.jpeg_with(0xE1, b"Exif\0\0" + odd.exif(6), odd.jpeg(subsampling=0)), "YBR_FULL_422",
                            JPEGBaseline8Bit), PICTURE, 16,
    ),
    "DICOM with a negative JPEG": (
        lambda: phone.dicom(odd.saved(odd.picture().convert("L"), "JPEG", quality=98), "MONOCHROME1",
                            JPEGBaseline8Bit), 255 - GREY, 16,
    ),
    "DICOM with a JPEG 2000": (
        lambda: phone.dicom(odd.saved(odd.picture(), "JPEG2000", no_jp2=True), "YBR_RCT", JPEG2000Lossless), PICTURE, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_a_kind_of_file_comes_out_as_its_picture(kind: str) -> None:
    make, expected, tolerance = READ[kind]
    got = pixels(make())
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= tolerance


SAVE_FRAME = "Save the frame you mean as JPEG and try again."
REFUSED: dict[str, tuple[Make, str]] = {
    "AVIF animation": (
        lambda: phone.avif(save_all=True, append_images=[Image.new("RGB", (64, 48))]),
        f"photo is an animated AVIF, not one photo. {SAVE_FRAME}",
    ),
    "HEIC animation": (
        lambda: phone.with_brand(phone.heic(), b"hevc") + phone.box(b"moov", bytes(100)),
        f"photo is an animated HEIC, not one photo. {SAVE_FRAME}",
    ),
    "HEIC cut short": (lambda: phone.heic()[:-300], "photo is damaged or cut short"),
    "HEIC of an unknown codec": (lambda: phone.heic().replace(b"hvc1", b"vvc1"), "is a HEIF photo of a rare kind"),
    "HEIC whose stream is larger than it says": (lambda: phone.claiming(phone.heic(), 8, 8), "photo is damaged"),
    "AVIF whose stream is larger than it says": (
        lambda: phone.claiming(phone.avif(odd.picture(400, 400)), 64, 48), "photo is damaged",
    ),
    "HEIC that claims 400 megapixels": (lambda: phone.claiming(phone.heic(), 20_000, 20_000), "20000 x 20000 pixels"),
    "AVIF that claims 400 megapixels": (lambda: phone.claiming(phone.avif(), 20_000, 20_000), "20000 x 20000 pixels"),
    "JPEG 2000 cut short": (lambda: saved("JPEG2000")()[:-100], "photo is damaged"),
    "JPEG 2000 of 3,000 million pixels": (
        lambda: saved("JPEG2000", no_jp2=True)()
        .replace(bytes.fromhex("0000004000000030"), bytes.fromhex("0000ea600000c350")),
        "photo has 60000 x 50000 pixels",
    ),
    "JPEG 2000 of tiny tiles": (
        lambda: tiny_tiles(), "photo is a JPEG 2000 file in too many small parts",
    ),
    "motion JPEG 2000": (lambda: saved("JPEG2000")().replace(b"ftypjp2 ", b"ftypmjp2"), "photo is a video"),
    "BigTIFF of two pages": (
        saved("TIFF", big_tiff=True, save_all=True, append_images=[Image.new("RGB", (64, 48))]),
        "photo is a TIFF of several pages",
    ),
    "JPEG of 12 bits": (
        lambda: frame_of("JPGExtended.dcm"),
        "photo is a JPEG of 12 bits for each colour, which is not read here. Export it as 8-bit JPEG or PNG and try "
        "again.",
    ),
    "JPEG-LS": (lambda: frame_of("MR_small_jpeg_ls_lossless.dcm"), "photo is a JPEG of a rare kind, which is not read"),
    "progressive JPEG of too many scans, with a video": (
        lambda: many_scans() + phone.video(), "JPEG scans, which no camera writes",
    ),
    "DICOM of frames": (
        lambda: phone.dicom(odd.picture().tobytes() * 3, NumberOfFrames=3),
        f"photo is a DICOM file of 3 frames. {SAVE_FRAME}",
    ),
    "DICOM cut short": (lambda: phone.dicom(odd.picture().tobytes())[:-50], "photo is damaged or cut short"),
    "DICOM that says more than it has": (lambda: phone.dicom(bytes(300), size=(64, 48)), "photo is damaged"),
    "DICOM that claims 4,000 megapixels": (
        lambda: phone.dicom(bytes(300), syntax=RLELossless, size=(65_000, 65_000)), "65000 x 65000 pixels",
    ),
    "DICOM with a JPEG-LS": (
        lambda: phone.dicom(frame_of("MR_small_jpeg_ls_lossless.dcm"), "MONOCHROME2", JPEGLSLossless),
        "photo is a JPEG of a rare kind",
    ),
    "DICOM with a video": (
        lambda: phone.dicom(bytes(range(1, 101)), syntax=pydicom.uid.MPEG2MPML),
        "photo is a DICOM file compressed in a way that is not read here",
    ),
    "DICOM of 32 bits": (
        lambda: phone.dicom(bytes(64 * 48 * 4), "MONOCHROME2", BitsAllocated=32, BitsStored=32),
        "photo is a DICOM file whose pixels are stored in a way that is not read here",
    ),
    "DICOM bomb": (
        lambda: deflated_zeros(), "photo is damaged",
    ),
    "DICOMDIR": (lambda: phone.dicom_of("1.2.840.10008.1.3.10"), "photo is a DICOMDIR, the list of a disc"),
    "DICOM report": (
        lambda: phone.dicom_of("1.2.840.10008.5.1.4.1.1.88.11"), "photo is a report in a DICOM file, not a photo",
    ),
    "DICOM with a PDF": (
        lambda: phone.dicom_of("1.2.840.10008.5.1.4.1.1.104.1"), "photo is a report in a DICOM file, not a photo",
    ),
    "DICOM of a plan": (
        lambda: phone.dicom_of("1.2.840.10008.5.1.4.1.1.481.5"), "photo is a DICOM file without a photo in it.",
    ),
}  # fmt: skip


def many_scans() -> bytes:
    data = odd.jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 100 + data[-2:]


def tiny_tiles() -> bytes:
    """Each tile of a picture of 640 x 480 is one by two pixels: 153,600 of them."""
    data = odd.saved(odd.picture(640, 480), "JPEG2000", no_jp2=True)
    return data[:24] + (1).to_bytes(4, "big") + (2).to_bytes(4, "big") + data[32:]


def deflated_zeros() -> bytes:
    """A private element of 400 MB in a few kilobytes."""
    head = rewritten(DeflatedExplicitVRLittleEndian)
    start = head.index(b"1.2.840.10008.1.2.1.99") + 22
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(b"\x09\0\x10\x10UN\0\0" + (400_000_000).to_bytes(4, "little") + bytes(400_000_000))
    return head[:start] + body + packer.flush()


@pytest.mark.parametrize("kind", REFUSED)
def test_a_kind_of_file_is_refused_with_its_sentence(kind: str) -> None:
    make, expected = REFUSED[kind]
    said = sentence(make())
    assert expected in said
    assert phone.PATIENT not in said


def turned_tiff(exif: bytes) -> bytes:
    tags = Image.Exif()
    tags.load(exif)
    return odd.saved(odd.picture(), "TIFF", big_tiff=True, exif=tags)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("make", [lambda exif: phone.heic(exif=exif), lambda exif: phone.avif(exif=exif), turned_tiff])
def test_orientation_is_applied_once(make: Callable[[bytes], bytes], orientation: int) -> None:
    got, expected = pixels(make(odd.exif(orientation))), UPRIGHT[orientation](PICTURE)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 4


RED = Image.new("RGB", (64, 48), (255, 0, 0))


@pytest.mark.parametrize(
    "make",
    [
        lambda profile: phone.heic(RED, icc_profile=profile, icc_profile_type="prof"),
        lambda profile: phone.avif(RED, icc_profile=profile),
        lambda profile: phone.jp2_with_profile(odd.saved(RED, "JPEG2000"), profile),
        lambda profile: odd.saved(RED, "TIFF", big_tiff=True, icc_profile=profile),
        lambda profile: phone.dicom(RED.tobytes(), ICCProfile=profile),
        lambda profile: phone.dicom(odd.saved(RED, "JPEG", quality=98), "YBR_FULL_422", JPEGBaseline8Bit,
                                    ICCProfile=profile),
    ],
    ids=["HEIC", "AVIF", "JPEG 2000", "BigTIFF", "DICOM", "DICOM with a JPEG"],
)  # fmt: skip
def test_a_colour_profile_is_converted(make: Callable[[bytes], bytes]) -> None:
    red, green, blue = pixels(make(swapped()))[20, 20]
    assert red < 30
    assert green > 240
    assert blue < 30


def p3_as_srgb(colour: tuple[int, int, int]) -> np.ndarray:
    """Display P3 to sRGB by the matrix of its definition (SMPTE EG 432-1, both with the white of D65)."""
    coded = np.array(colour) / 255
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    matrix = [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]
    light = np.clip(np.array(matrix) @ light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


SKIN = (190, 130, 110)


@pytest.mark.parametrize("make", [phone.heic, phone.avif], ids=["HEIC", "AVIF"])
def test_colours_told_by_numbers_are_converted(make: Callable[[Image.Image], bytes]) -> None:
    data = make(Image.new("RGB", (64, 48), SKIN))
    assert np.abs(pixels(phone.with_numbers(data, 1, 13))[20, 20] - SKIN).max() <= 3
    assert np.abs(p3_as_srgb(SKIN) - SKIN).max() > 8  # so that the test can fail
    assert np.abs(pixels(phone.with_numbers(data, 12, 13))[20, 20] - p3_as_srgb(SKIN)).max() <= 4
    # A white of 203 cd/m² is 58 % of a PQ signal, and is white here; what is brighter is cut off.
    bright = make(Image.new("RGB", (64, 48), (148, 148, 148)))
    assert pixels(phone.with_numbers(bright, 9, 16))[20, 20].min() >= 250
    assert pixels(phone.with_numbers(bright, 1, 13))[20, 20].max() <= 151


def test_nothing_of_a_patient_is_kept_shown_or_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    sound, short, odd_kind = phone.dicom(odd.picture().tobytes()), phone.dicom(bytes(20)), phone.dicom(bytes(20), "HSV")
    assert all(phone.PATIENT.encode() in data for data in (sound, short, odd_kind))
    assert b"Muster" not in odd.saved(open_photo(sound), "PNG")
    assert "Muster" not in sentence(short) + sentence(odd_kind)
    told = capfd.readouterr()
    assert caplog.text + told.out + told.err == ""


# Files of pydicom's own tests, by other writers than it: what it makes of them itself is the measure.
@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm", "ExplVR_BigEnd.dcm", "JPEG2000.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm",
        "MR_small_padded.dcm", "SC_jpeg_no_color_transform.dcm", "SC_jpeg_no_color_transform_2.dcm",
        "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_gdcm_KY.dcm", "SC_rgb_jpeg_app14_dcmd.dcm",
        "SC_rgb_jpeg_lossy_gdcm.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_small_odd_big_endian.dcm",
        "SC_rgb_small_odd_jpeg.dcm", "SC_ybr_full_422_uncompressed.dcm", "examples_jpeg2k.dcm", "examples_overlay.dcm",
        "examples_palette.dcm", "image_dfl.dcm",
    ],
)  # fmt: skip
def test_dicom_files_of_other_writers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isic_screen.photo.without_border", lambda picture: picture)  # two are dark around
    data = bundled(name)
    got = pixels(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pydicom.dcmread(BytesIO(data))
        expected = pixel_array(found)
        if found.PhotometricInterpretation == "PALETTE COLOR":
            expected = apply_color_lut(expected, found)
    stored = found.BitsStored if found.PhotometricInterpretation != "PALETTE COLOR" else 8 * expected.itemsize
    shift = 1 << stored - 1 if expected.dtype.kind == "i" else 0
    expected = (expected.astype(int) + shift) >> max(0, stored - 8)
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 1


def test_the_names_of_these_files_are_known() -> None:
    assert {".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".dcm", ".dicom"} <= PHOTO_SUFFIXES


def test_a_table_finds_photos_of_every_kind_and_the_jpeg_of_a_dicom_file(tmp_path: Path) -> None:
    files = {
        "train/ISIC_1.dcm": phone.dicom(odd.picture().tobytes()),  # as Kaggle's download of ISIC 2020 has it
        "jpeg/train/ISIC_1.jpg": odd.jpeg(),
        "IMG_2.HEIC": phone.heic(),
        "IMG_3.avif": phone.avif(),
        "IM000004.dcm": phone.dicom(odd.picture().tobytes()),
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    index = index_photos(tmp_path)
    found = [str(index.find(name)[0]) for name in ("ISIC_1", "IMG_2", "IMG_3.jpg", "IM000004")]
    assert found == ["jpeg/train/ISIC_1.jpg", "IMG_2.HEIC", "IMG_3.avif", "IM000004.dcm"]


def test_a_profile_made_of_numbers_is_one() -> None:
    from isic_screen.formats.colour import profile_of

    made = profile_of(12, 13)
    assert made is not None
    profile = ImageCms.ImageCmsProfile(BytesIO(made))
    assert profile.profile.xcolor_space == "RGB "
    assert profile_of(1, 13) is profile_of(2, 2) is profile_of(1, 1) is None
