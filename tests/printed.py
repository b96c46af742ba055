"""What the tests of the PDF reports share: a model to print, and what a page says."""

import io
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from pypdf import PdfReader

from isic_screen.artifact import Model, ModelFacts
from isic_screen.calibration import Calibration
from isic_screen.network import InputSpec
from isic_screen.operating_point import ThresholdTable
from isic_screen.ui.texts import LANGUAGES

ON = datetime(2026, 11, 23, 14, 5, tzinfo=timezone(timedelta(hours=1)))
SHA = "0123456789abcdef" * 4
texts = LANGUAGES[0]
HOSTILE = {
    "long": "Lorem ipsum dolor sit amet, " * 2000,
    "unbroken": "W" * 9000,
    "lines": "a\n" * 500,
    "emoji": "👩🏽‍⚕️🫀" * 40,
    "chinese": "山田太郎の左脚" * 200,
    "hebrew and arabic": "שלום 12 مرحبا (left) " * 60,
    "overrides": "\u202e\u2066\u200b\ufeff" * 99,
    "control": "\x00\x07\x1b[31m\t\r\x9f" * 50,
    "surrogate": "\ud800x",
    "page number": "{nb} (" * 3 + "\\) <<>> endobj",
    "private": "\ue000\U000f0000",
    "combining": "e" + "\u0301" * 300,
}


def example_model(**changes: object) -> Model:
    facts = ModelFacts(
        name="example",
        version="7.1",
        backbone="none",
        hidden=1,
        dropout=0.0,
        input=InputSpec(224, (0.5,) * 3, (0.5,) * 3, "bicubic"),
        calibration=Calibration(1.0, 0.0, 0.5),
        threshold_table=ThresholdTable((0.01, 0.03, 0.2), (60, 57, 20), (90, 31, 2), 60, 91, 0.018),
        operating_points={"0.95": 0.03},
        default_threshold=0.03,
        training={},
        metrics={"basis": "five folds by patient"},
        intended_use="For those who look closely.",
        limits=("Knows moles.", "Knows no nails."),
        licence="none",
        citation="none",
    )
    return Model(None, replace(facts, **changes), SHA)  # type: ignore[arg-type]


def packed(text: str) -> str:
    """Text without white space: where lines break is the layout's affair."""
    return re.sub(r"\s+", "", text)


def text_on(pdf: bytes, page: int = 0) -> str:
    # Between signs of a font of two bytes, pypdf leaves zeros.
    return packed(PdfReader(io.BytesIO(pdf)).pages[page].extract_text().replace("\0", ""))


def says(pdf: bytes, *sentences: str) -> bool:
    said = text_on(pdf)
    return all(packed(sentence) in said for sentence in sentences)
