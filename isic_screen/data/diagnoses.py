"""What the names of diagnoses mean: melanoma, one of the other classes of HAM10000, or something else.

One table for both that need it: the labels, which ask whether it is melanoma, and the training, which learns the class.
"""

import re

MELANOMA = "mel"
DIAGNOSES: tuple[str, ...] = (MELANOMA, "nv", "bkl", "bcc", "akiec", "df", "vasc")
"""HAM10000's classes, the coarsest that all sources can be brought to."""
OTHER = "other"
"""Known not to be melanoma, and none of the classes."""

# The codes of HAM10000 and ISIC 2017 to 2019, the names of ISIC 2020, and those of the ISIC archive, whose
# `diagnosis_2` is a family ("Malignant epidermal proliferations") and `diagnosis_3` a name.
# Basal and squamous cell carcinoma are cancers, yet not melanoma: as in the 2020 challenge.
_NAMES: dict[str, tuple[str, ...]] = {
    MELANOMA: (
        "mel",
        "melanoma",
        "malignant melanoma",
        "malignant melanocytic proliferations",
        "superficial spreading melanoma",
        "nodular melanoma",
        "acral lentiginous melanoma",
        "amelanotic melanoma",
        "metastatic melanoma",
        "lentigo maligna",
    ),
    "nv": ("nv", "nevus", "naevus", "atypical melanocytic proliferation"),
    "bkl": (
        "bkl",
        "sk",
        "seborrheic keratosis",
        "benign keratosis",
        "pigmented benign keratosis",
        "lichenoid keratosis",
        "solar lentigo",
        "lentigo nos",
    ),
    "bcc": ("bcc", "basal cell carcinoma"),
    "akiec": ("akiec", "ak", "actinic keratosis", "solar or actinic keratosis", "scc", "squamous cell carcinoma"),
    "df": ("df", "dermatofibroma"),
    "vasc": ("vasc", "vascular lesion", "angioma", "hemangioma"),
    OTHER: (
        "lentigo simplex",
        "cafe-au-lait macule",
        "malignant adnexal epithelial proliferations",
        "malignant epidermal proliferations",
        "malignant soft tissue proliferations",
        "merkel cell carcinoma",
        "adnexal carcinoma",
        "sebaceous carcinoma",
        "porocarcinoma",
        "keratoacanthoma",
        "extramammary paget disease",
        "atypical fibroxanthoma",
        "dermatofibrosarcoma protuberans",
        "angiosarcoma",
        "kaposi sarcoma",
        "mycosis fungoides",
        "cutaneous lymphoma",
    ),
}
_CLASS_OF = {name: found for found, names in _NAMES.items() for name in names}


def class_of(diagnosis: str) -> str | None:
    """One of DIAGNOSES, or OTHER; None for a text that is not known.

    A name may be written with "_" for a space, and go on: "Nevus, Atypical, Dysplastic", "Melanoma in situ". But what
    goes on to speak of melanoma ("Nevus, melanoma not excluded") is not known to be something else.
    """
    words = re.sub(r"[\s,_]+", " ", diagnosis.lower()).split()
    starts = (" ".join(words[:length]) for length in range(len(words), 0, -1))
    found = next((_CLASS_OF[start] for start in starts if start in _CLASS_OF), None)
    return None if found != MELANOMA and "melanoma" in words else found
