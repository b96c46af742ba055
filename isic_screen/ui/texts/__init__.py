"""Every sentence of the page, in one place. Another language is another subclass of `Texts`, listed in LANGUAGES."""

from isic_screen.ui.pdf_texts import PdfTexts
from isic_screen.ui.pdf_texts_german import GermanPdfTexts
from isic_screen.ui.texts.batch import BatchTexts
from isic_screen.ui.texts.batch_german import GermanBatchTexts
from isic_screen.ui.texts.curves import CurveTexts
from isic_screen.ui.texts.curves_german import GermanCurveTexts
from isic_screen.ui.texts.page import PageTexts
from isic_screen.ui.texts.page_german import GermanPageTexts


class Texts(PageTexts, BatchTexts, CurveTexts, PdfTexts):
    """English; one base class for each part of the page."""


class German(GermanPageTexts, GermanBatchTexts, GermanCurveTexts, GermanPdfTexts, Texts):
    """German; a test sees to it that no part is left in English."""


LANGUAGES: tuple[Texts, ...] = (Texts(), German())
"""The first is the page's own address, every other has one of its own."""
