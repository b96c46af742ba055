"""Photos for the fuzzer: small ones of every kind that is read, and of some that are refused."""

from functools import cached_property
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from benchmarks import mutations as ways
from benchmarks.fuzz_targets import Files, Target


class Photos(Target):
    _FOREIGN = (
        b"%PDF-1.7\n", bytes(128) + b"DICM" + bytes(90), b"\0\0\0\x18ftypheic" + bytes(40),
        b"\0\0\0\x18ftypmp42" + bytes(40), b"PK\x03\x04" + bytes(60),
        b"\x1f\x8b" + bytes(30), b"8BPS" + bytes(30), b"<svg/>", b"\xff\xfea\0", b"\0" * 40,
    )  # fmt: skip

    def valid(self) -> list[Files]:
        colour = picture()
        grey, palette, clear = colour.convert("L"), colour.quantize(16), colour.convert("RGBA")
        clear.putalpha(grey)
        orientation = Image.Exif()
        orientation[274] = 6
        saved: list[tuple[Image.Image, str, dict[str, object]]] = [
            (colour, "JPEG", {"exif": orientation}),
            (colour, "JPEG", {"progressive": True, "subsampling": 2, "restart_marker_rows": 1}),
            (colour.convert("CMYK"), "JPEG", {}),
            (colour, "MPO", {"save_all": True, "append_images": [colour]}),
            (clear, "PNG", {"exif": orientation}),
            (palette, "PNG", {"transparency": 3}),
            (grey.convert("I;16"), "PNG", {}),
            (colour, "WEBP", {"quality": 80, "exif": orientation}),
            (clear, "WEBP", {"lossless": True}),
            (colour, "TIFF", {"compression": "jpeg"}),
            (grey.convert("I;16"), "TIFF", {}),
            (grey.convert("1"), "TIFF", {"compression": "group4"}),
            (colour, "BMP", {}),
            (palette, "BMP", {}),
            (clear, "BMP", {}),
            (clear, "AVIF", {"exif": orientation}),
            (colour, "AVIF", {"subsampling": "4:4:4"}),
            (colour, "JPEG2000", {"tile_size": (16, 16)}),
            (clear, "JPEG2000", {"no_jp2": True}),
            (colour, "TIFF", {"big_tiff": True, "compression": "tiff_lzw"}),
        ]
        saved += [
            (colour, "TIFF", {"compression": name}) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
        ]
        files = [_saved(image, kind, options) for image, kind, options in saved]
        return [{"photo": file} for file in [*files, *heic_files(), *dicom_files()]]

    @cached_property
    def _others(self) -> list[bytes]:
        return [*self._FOREIGN, _saved(picture().quantize(8), "GIF", {}), *(files["photo"] for files in self.seeds)]

    def spoil(self, files: Files, random: Random) -> Files:
        data = files["photo"]
        way = random.random()
        if way < 0.15:
            data = ways.declare_size(data, random)
        elif way < 0.4 and data.startswith(b"\x89PNG"):
            data = ways.mix_png_chunks(data, random)
        elif way < 0.4 and data.startswith(b"\xff\xd8"):
            data = ways.mix_jpeg_segments(data, random)
        elif way < 0.5:
            data = ways.splice(data, random.choice(self._others), random)
        elif way < 0.53:
            data = random.choice(self._others)
        else:
            data = random.choice(ways.BYTES)(data, random)
        return {"photo": data}

    def check(self, files: Files, folder: Path) -> None:
        from isic_screen.photo import MAX_SIDE, open_photo

        photo = open_photo(files["photo"], name="photo")
        assert photo.mode == "RGB"
        assert all(1 <= side <= MAX_SIDE for side in photo.size)
        assert photo.info.keys() <= {"cut"}, "metadata stayed in the photo"


def picture() -> Image.Image:
    """40 x 24 pixels, no two rows or columns alike."""
    picture = Image.new("RGB", (40, 24))
    picture.putdata([(6 * x, 10 * y, (x * y * 7) % 256) for y in range(24) for x in range(40)])
    return picture


def heic_files() -> list[bytes]:
    """One picture, two with transparency and Exif, and one of tiles."""
    import pillow_heif

    found = []
    for modes, info in (
        (["RGB"], {}),
        (["RGB", "RGBA"], {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"}),
        (["RGB"], {"tiling": {"num_columns": 2, "num_rows": 2, "tile_width": 64, "tile_height": 64}}),
    ):
        file, buffer = pillow_heif.HeifFile(), BytesIO()
        for mode in modes:
            image = picture().resize((120, 72)).convert(mode)
            file.add_frombytes(mode, image.size, image.tobytes()).info.update(info)
        file.save(buffer, quality=50, primary_index=len(modes) - 1)
        found.append(buffer.getvalue())
    return found


def dicom_files() -> list[bytes]:
    """In colour, plain, deflated and implicit, as runs, as JPEG, and with a sequence before the pixels."""
    from pydicom import uid

    colour, packed = picture().tobytes(), _saved(picture(), "JPEG", {})
    return [
        dicom(uid.ExplicitVRLittleEndian, colour, "RGB"),
        dicom(uid.DeflatedExplicitVRLittleEndian, colour, "YBR_FULL"),
        dicom(uid.ImplicitVRLittleEndian, colour[: 40 * 24], "MONOCHROME1"),
        dicom(uid.RLELossless, colour, "RGB"),
        dicom(uid.JPEGBaseline8Bit, packed, "YBR_FULL_422"),
    ]


def dicom(syntax: Any, pixels: bytes, photometric: str) -> bytes:
    import pydicom
    from pydicom.encaps import encapsulate

    inner, found, buffer = pydicom.Dataset(), pydicom.Dataset(), BytesIO()
    inner.CodeValue, found.PatientName, found.file_meta = "1", "A^B", pydicom.dataset.FileMetaDataset()
    found.ConceptNameCodeSequence = [inner]
    found["ConceptNameCodeSequence"].is_undefined_length = inner.is_undefined_length_sequence_item = True
    found.file_meta.TransferSyntaxUID = syntax
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = pydicom.uid.UID("1.2.3")
    found.Columns, found.Rows = picture().size
    found.SamplesPerPixel, found.PhotometricInterpretation = 1 if photometric.startswith("MONO") else 3, photometric
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 8, 8, 7, 0
    found.PlanarConfiguration = 0
    runs = syntax == pydicom.uid.RLELossless
    found.PixelData = encapsulate([pixels]) if syntax.is_encapsulated and not runs else pixels
    found["PixelData"].VR = "OB"
    if runs:
        found.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        found.compress(syntax, generate_instance_uid=False)
    pydicom.dcmwrite(buffer, found, enforce_file_format=True)
    return buffer.getvalue()


def _saved(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
