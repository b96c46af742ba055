"""What the names of diagnoses mean: melanoma, one of the other classes of HAM10000, or something else.

One table for both that need it: the labels, which ask whether it is melanoma, and the training, which learns the class.
"""

import re
import unicodedata

MELANOMA = "mel"
DIAGNOSES: tuple[str, ...] = (MELANOMA, "nv", "bkl", "bcc", "akiec", "df", "vasc")
"""HAM10000's classes, the coarsest that all sources can be brought to."""
OTHER = "other"
"""Known not to be melanoma, and none of the classes."""

# The codes of HAM10000, ISIC 2017 to 2019, MILK10k, PAD-UFES-20 and BCN20000, the names of ISIC 2020 and Derm7pt, and
# those of the ISIC archive, whose `diagnosis_2` is a family ("Malignant epidermal proliferations") and `diagnosis_3` a
# name. Basal and squamous cell carcinoma are cancers, yet not melanoma: as in the 2020 challenge.
_KERATOSES_WITH_ATYPIA = ("akiec", "ak", "ack", "actinic keratosis", "solar keratosis", "solar or actinic keratosis")
_SQUAMOUS_CARCINOMAS = ("scc", "sccka", "squamous cell carcinoma", "bowen disease", "bowens disease", "bowen s disease")
_OTHER_CANCERS = (
    "mal oth",
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
)
_OTHER_BENIGN = (
    "ben oth",
    "benign other",
    "benign melanocytic proliferations",
    "benign epidermal proliferations",
    "benign adnexal epithelial proliferations",
    "benign soft tissue proliferations",
    "collision only benign proliferations",
    "indeterminate epidermal proliferations",
    "inf",
    "inflammatory or infectious diseases",
    "lentigo simplex",
    "ephelis",
    "melanosis",
    "mucosal melanotic macule",
    "cafe au lait macule",
    "epidermal nevus",
    "verrucous epidermal nevus",
    "nevus sebaceous",
    "nevus sebaceus",
    "clear cell acanthoma",
    "trichoblastoma",
    "sebaceous hyperplasia",
    "infundibular or epidermal cyst",
    "supernumerary nipple",
    "porokeratosis",
    "mastocytosis",
    "juvenile xanthogranuloma",
    "neurofibroma",
    "verruca",
    "wart",
    "scar",
    "exogenous",
    "miscellaneous",
)
_NAMES: dict[str, tuple[str, ...]] = {
    MELANOMA: (
        "mel",
        "melanoma",
        "malignant melanocytic proliferations",
        "lentigo maligna",
    ),
    "nv": ("nv", "nev", "nevus", "naevus", "nevi", "naevi", "atypical melanocytic proliferation"),
    "bkl": (
        "bkl",
        "sk",
        "sek",
        "seborrheic keratosis",
        "seborrhoeic keratosis",
        "benign keratosis",
        "lichenoid keratosis",
        "lichen planus like keratosis",
        "solar lentigo",
        "lentigo",
        "lentigo nos",
    ),
    "bcc": ("bcc", "basal cell carcinoma"),
    "akiec": _KERATOSES_WITH_ATYPIA + _SQUAMOUS_CARCINOMAS,
    "df": ("df", "dermatofibroma", "benign soft tissue proliferations fibro histiocytic"),
    "vasc": (
        "vasc",
        "vascular lesion",
        "angioma",
        "hemangioma",
        "haemangioma",
        "angiokeratoma",
        "pyogenic granuloma",
        "benign soft tissue proliferations vascular",
    ),
    OTHER: _OTHER_CANCERS + _OTHER_BENIGN,
}
_CLASS_OF = {name: found for found, names in _NAMES.items() for name in names}
_LONGEST = max(len(name.split()) for name in _CLASS_OF)

# What may stand before "melanoma" without changing that it is one; after other words ("scar of a melanoma") it is not.
_KINDS_OF_MELANOMA = re.compile(
    r"(?:(?:malignant|invasive|metastatic|primary|cutaneous|recurrent|early|thin|thick|superficial|spreading|nodular|"
    r"acral|lentiginous|amelanotic|hypomelanotic|desmoplastic|spitzoid|nevoid|mucosal|subungual|in situ) ?)*"
)
_DOUBT = re.compile(
    r"\b(?:vs|versus|rule out|r o|(?:not|cannot be|can not be|can t be)(?: \w+)? (?:excluded|ruled out)|suspect\w*|"
    r"suspicio\w*|possibl[ey]|probabl[ey]|likely|differential|ddx?|query|history|previous|uncertain|unclear|like|"
    r"exclude|at least one malignant)\b"
)
_NO_MELANOMA = re.compile(
    r"\b(?:no|not|non|without|negative for|excludes)(?: (?:a|an|any|evidence of|signs? of))? (?:malignant )?melanoma\b|"
    r"\bno[nt]melanoma\b|"
    r"\bmelanoma (?:(?:is|was|has been) )?(?:excluded|ruled out|negative)\b"
)
_ORIGIN = re.compile(r"\b(?:arising|developing|evolving|originating) (?:in|on|from|within)\b.*|\b\w+ associated\b")


def class_of(diagnosis: str) -> str | None:
    """One of DIAGNOSES, or OTHER; None for a text that is not known, that doubts, or that leaves it open.

    Case, accents and signs between words make no difference. A name may go on ("Nevus, Atypical, Dysplastic", "Melanoma
    in situ") and may have words before it ("Clark nevus"). But a text that speaks of melanoma beside something else
    ("Nevus, melanoma not excluded") is not known, and one that denies it ("no melanoma") is OTHER. Of the levels of
    ISIC 2024 ("Malignant::Malignant epidermal proliferations::…") the last that is known counts.
    """
    found = (_class_of_level(level) for level in reversed(diagnosis.split("::")))
    return next((name for name in found if name is not None), None)


def is_exact_name(text: str) -> bool:
    """Whether the whole of ``text`` is one of the known names, with nothing before or behind it."""
    return _plain(text) in _CLASS_OF


def _plain(text: str) -> str:
    """The words in lower case and singular, without accents, one space between: "café-au-lait" is "cafe au lait"."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    words = re.findall(r"[^\W_]+", "".join(sign for sign in letters if not unicodedata.combining(sign)))
    return " ".join(re.sub(r"(oma|lesion)s$", r"\1", re.sub("keratoses$", "keratosis", word)) for word in words)


def _class_of_level(text: str) -> str | None:
    plain = _plain(text)
    if "?" in text:
        return None
    if plain in _CLASS_OF:
        return _CLASS_OF[plain]
    if _DOUBT.search(plain):
        return None
    rest = _NO_MELANOMA.sub("", plain)
    denied = rest != plain
    if not denied and re.match(r"(?:no|not|non|without)\b", plain):
        return None
    words = _ORIGIN.sub("", rest).split()
    names = _names_in(words)
    classes = {_CLASS_OF[name] for _, name in names}
    if "melanoma" in words or MELANOMA in classes:
        before = words[: names[0][0]] if names else words
        one = classes == {MELANOMA} and not denied and _KINDS_OF_MELANOMA.fullmatch(" ".join(before))
        return MELANOMA if one else None
    if names:
        return _CLASS_OF[names[0][1]]
    return OTHER if denied else None


def _names_in(words: list[str]) -> list[tuple[int, str]]:
    """The known names among ``words`` with their places, the longest at each place."""
    found: list[tuple[int, str]] = []
    place = 0
    while place < len(words):
        tries = (" ".join(words[place : place + length]) for length in range(_LONGEST, 0, -1))
        name = next((name for name in tries if name in _CLASS_OF), None)
        if name is not None:
            found.append((place, name))
        place += len(name.split()) if name else 1
    return found
