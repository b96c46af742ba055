"""How any sign is set in a PDF, and the fonts for scripts that the sheet's own lacks.

Names of patients and files come in all scripts. A font is opened for a text that needs it: the one for Chinese,
Japanese and Korean takes a second.
"""

import unicodedata
from collections.abc import Container
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

BOX = "\N{WHITE SQUARE}"
"""Stands for a sign that no font has."""
_FLAG = "regional indicator symbol letter "
_CHINESE = 2  # of the faces in its file: simplified Chinese, whose forms of signs are drawn where countries differ
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "HALFWIDTH"})


@dataclass(frozen=True)
class ScriptFont:
    """A font file, the face in it, and the family that it is set by."""

    family: str
    file: Path
    face: int = 0


def script_font(sign: str) -> ScriptFont | None:
    """The font for the script of a sign, if there is one: Unicode's names of signs begin with their script."""
    script = unicodedata.name(sign, "").split(" ")[0].split("-")[0]
    if script in _EAST_ASIAN:
        file = Path(str(files("noto_cjk_sans_otc") / "NotoSansCJK-Regular.ttc"))
        return ScriptFont("NotoSansCJK", file, _CHINESE)
    file = Path(str(files("manimgx_fonts") / f"NotoSans{script.title()}[wght].ttf"))
    return ScriptFont(f"NotoSans{script.title()}", file) if script and file.is_file() else None


def plain(sign: str) -> str:
    """A character as it is set: white space and controls are spaces, invisible formatting is nothing."""
    if sign in "\n\N{NARROW NO-BREAK SPACE}\N{NO-BREAK SPACE}":
        return sign
    category = unicodedata.category(sign)
    if category in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    invisible = category == "Cf" or unicodedata.name(sign, "").startswith("VARIATION SELECTOR")
    return "" if invisible else sign


def drawable(sign: str, known: Container[int]) -> str:
    """A character as it can be drawn: as it is, by plainer ones that mean the same, by its name, or as a box.

    A name is for pictures, as emoji are: that of a letter would not say which word it stands in.
    """
    if ord(sign) in known:
        return sign
    plainer = unicodedata.normalize("NFKC", sign)
    if plainer != sign and all(ord(part) in known for part in plainer):
        return plainer
    name = unicodedata.name(sign, "").lower()
    if name.startswith("emoji modifier"):  # the colour of the skin of the picture before
        return ""
    if name.startswith(_FLAG):  # two of them are a flag
        return name.removeprefix(_FLAG).upper()
    return f"[{name}]" if name and unicodedata.category(sign) == "So" else BOX
