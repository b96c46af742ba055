"""Which kind of picture a file is, told by its first bytes and never by its name."""

ENOUGH = 512
"""So many first bytes of a file are enough for the functions here."""

_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
}
_SEQUENCES = frozenset({b"hevc", b"hevx", b"hevm", b"hevs", b"msf1", b"avis"})
_HEIF = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"miaf"}) | _SEQUENCES - {b"avis"}
_AVIF = frozenset({b"avif", b"avis"})
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
# Pictures of kinds that are not read: GIF, Photoshop, JPEG XL, and raw files of Fujifilm, Olympus and Panasonic.
_OTHER_PICTURES = (
    b"GIF8", b"8BPS", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n", b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0",
)  # fmt: skip


def kind_of(first: bytes) -> str | None:
    """JPEG, PNG, WEBP, TIFF, BMP, JPEG2000, HEIF, AVIF or DICOM; None for a file of any other kind.

    HEIF and AVIF share one container, and a file may bear the marks of both.
    """
    if first[4:8] == b"ftyp":
        brands = brands_of(first)
        return "AVIF" if brands[0] in _AVIF else "HEIF" if brands[0] in _HEIF else None
    if first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        return "WEBP"
    if _is_dicom(first):
        return "DICOM"
    return next((kind for start, kind in _STARTS.items() if first.startswith(start)), None)


def looks_like_picture(first_bytes: bytes) -> bool:
    """Whether a file is a picture, or says that it is one, by its first ``ENOUGH`` bytes.

    Also for pictures that cannot be read here, such as a GIF or a camera's raw file: they have a sentence of their own.
    Videos, documents and texts are none.
    """
    kind = kind_of(first_bytes)
    if kind == "BMP":  # two letters, with which a text may begin as well
        return int.from_bytes(first_bytes[14:18], "little") in _BMP_HEADERS
    is_canon_raw = first_bytes[4:12] == b"ftypcrx "
    return kind is not None or is_canon_raw or first_bytes.startswith(_OTHER_PICTURES)


def brands_of(first: bytes) -> list[bytes]:
    """The brands of a file of ISO base media, the major one first (ISO/IEC 14496-12, 4.3)."""
    end = min(int.from_bytes(first[:4], "big"), len(first))
    return [first[8:12], *(first[at : at + 4] for at in range(16, end - 3, 4))]


def is_sequence(brand: bytes) -> bool:
    """Whether a major brand says that the file is to be played, not looked at."""
    return brand in _SEQUENCES


def _is_dicom(first: bytes) -> bool:
    """Behind the usual preamble of 128 bytes, or without it: then a first element of group 2 or 8 (PS3.5, 7.1)."""
    if first[128:132] == b"DICM":
        return True
    group, element, kind = first[:2], first[2:4], first[4:6]
    if group == b"\x02\0":
        return element in (b"\0\0", b"\x01\0", b"\x02\0") and kind in (b"UL", b"OB", b"UI")
    # Group 8 begins with its length, the character set, the image type or the SOP class; values have an even length.
    if group != b"\x08\0" or element not in (b"\0\0", b"\x01\0", b"\x05\0", b"\x08\0", b"\x12\0", b"\x16\0"):
        return False
    explicit = kind in (b"UL", b"CS", b"DA", b"UI")
    return explicit or (first[5:8] == bytes(3) and first[4] % 2 == 0 and 0 < first[4] <= 128)
