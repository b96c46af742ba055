"""Files as phones and hospitals write them, made on the spot: HEIC, AVIF, motion photos, Ultra HDR, DICOM."""

import struct
import warnings
from io import BytesIO

import numpy as np
import pillow_heif
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from tests import odd_files as odd

PATIENT = "Mustermann^Erika"


def heic(*images: Image.Image, primary: int = 0, exif: bytes = b"", **info: object) -> bytes:
    """The images as they are, next to each other in one file; ``info`` as pillow-heif takes it, as ``icc_profile``."""
    file = pillow_heif.HeifFile()
    for image in images or (odd.picture(),):
        added = file.add_frombytes(image.mode, image.size, image.tobytes())
        added.info.update(info)
        if exif:
            added.info["exif"] = b"Exif\0\0" + exif
    return _written(file, primary)


def deep_heic() -> bytes:
    """The picture with 10 bits a colour."""
    values = np.asarray(odd.picture()).astype(np.uint16) * 257
    return _written(pillow_heif.from_bytes("RGB;16", odd.picture().size, values.tobytes()), 0)


def _written(file: pillow_heif.HeifFile, primary: int) -> bytes:
    buffer = BytesIO()
    file.save(buffer, quality=-1, chroma=444, primary_index=primary)
    return buffer.getvalue()


def avif(image: Image.Image | None = None, **options: object) -> bytes:
    return odd.saved(image or odd.picture(), "AVIF", **{"quality": 100, "subsampling": "4:4:4", **options})


def with_brand(data: bytes, brand: bytes) -> bytes:
    """A HEIC or AVIF file of another major brand."""
    return data[:8] + brand + data[12:]


def with_numbers(data: bytes, primaries: int, transfer: int) -> bytes:
    """A HEIC or AVIF file whose colours are told by other numbers (ITU-T H.273)."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def claiming(data: bytes, width: int, height: int) -> bytes:
    """A HEIC or AVIF file whose first picture is said to have another size."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def video() -> bytes:
    """Four megabytes of an MP4 in which the bytes of a JPEG's scan stand a hundred times, as they do by chance."""
    noise = np.random.default_rng(0).bytes(40_000)
    return box(b"ftyp", b"mp42\0\0\0\0isommp42") + box(b"mdat", (noise + b"\xff\xda\0\x08") * 100)


def ultra_hdr(first: bytes) -> bytes:
    """A JPEG with a map of its brightness behind it, and the index that says so (CIPA DC-007)."""
    brightness = odd.saved(odd.picture().convert("L").resize((32, 24)), "JPEG", progressive=True)
    index = b"MPF\0MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHII", 0xB001, 4, 1, 2) + bytes(4)
    return odd.jpeg_with(0xE2, index, first) + brightness


def jp2_with_profile(data: bytes, profile: bytes) -> bytes:
    """A JP2 file whose colours are told by an ICC profile, in place of a number."""
    at = data.index(b"colr") - 4
    old = struct.unpack_from(">I", data, at)[0]
    new = box(b"colr", b"\x02\0\0" + profile)
    header = data.index(b"jp2h") - 4
    length = struct.unpack_from(">I", data, header)[0] - old + len(new)
    return data[:header] + struct.pack(">I", length) + data[header + 4 : at] + new + data[at + old :]


def dicom(
    pixels: bytes,
    photometric: str = "RGB",
    syntax: UID = ExplicitVRLittleEndian,
    size: tuple[int, int] = (64, 48),
    **elements: object,
) -> bytes:
    """A secondary capture of one frame, 8 bits; encapsulated where the transfer syntax asks for it."""
    grey = photometric.startswith(("MONO", "PALETTE"))
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = SecondaryCaptureImageStorage
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = generate_uid()
    found.PatientName, found.PatientID, found.SpecificCharacterSet = PATIENT, "4711", "ISO_IR 192"
    found.Columns, found.Rows = size
    found.SamplesPerPixel, found.PhotometricInterpretation = 1 if grey else 3, photometric
    found.BitsAllocated = found.BitsStored = 8
    found.HighBit, found.PixelRepresentation = 7, 0
    if not grey:
        found.PlanarConfiguration = 0
    for name, value in elements.items():
        setattr(found, name, value)
    found.PixelData = encapsulate([pixels]) if syntax.is_encapsulated else pixels + bytes(len(pixels) % 2)
    found["PixelData"].VR = "OW" if found.BitsAllocated == 16 else "OB"
    return written(found)


def written(found: Dataset, **options: object) -> bytes:
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(buffer, found, **{"enforce_file_format": True, **options})
    return buffer.getvalue()


def dicom_of(sop_class: str) -> bytes:
    """A DICOM file of a kind that has no pixels."""
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = UID(sop_class)
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = generate_uid()
    found.PatientName = PATIENT
    return written(found)
