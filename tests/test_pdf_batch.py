"""The list of photos as a PDF."""

import io
import re

import pytest
from pypdf import PdfReader

from isic_screen.operating_point import OperatingPoint
from isic_screen.ui.numbers import against, percent
from isic_screen.ui.pdf_batch import BatchRow, batch_pdf
from isic_screen.ui.texts import LANGUAGES, Texts
from tests.conftest import lesion
from tests.printed import HOSTILE, ON, SHA, example_model, packed, says, texts


def _rows(count: int) -> list[BatchRow]:
    return [
        BatchRow(
            f"photo-{number:03}.jpg",
            share := (number * 37 % 101 + 1) / 1000,
            share >= 0.03,
            "fit",
            None,
            f"{number:012}",
        )
        for number in range(count)
    ]


def _batch(rows: list[BatchRow], point: OperatingPoint | None = None, language: Texts = texts) -> PdfReader:
    model = example_model()
    point = point or model.facts.threshold_table.at(0.03)
    return PdfReader(io.BytesIO(batch_pdf(rows, point, model, language, on=ON)))


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.LANGUAGE)
def test_a_batch_lists_every_photo_once_the_likeliest_first(language):
    broken = BatchRow("a-broken.jpg", None, None, "It ends too early. Export it again.")
    rows = [broken, *_rows(90)]
    reader = _batch(rows, language=language)
    pages = [packed(page.extract_text()) for page in reader.pages]
    assert len(pages) > 2
    for number, page in enumerate(pages, 1):
        assert packed(language.PDF_PAGE.format(page=number, pages=len(pages))) in page
        assert packed(language.PDF_COLUMN_PHOTO) in page
    flagged = sum(bool(row.flagged) for row in rows)
    counts = language.PDF_COUNTS.format(photos=91, referred=flagged, below=90 - flagged, unscreened=1)
    assert packed(counts) in pages[0]
    assert packed(language.PDF_MEANING.format(threshold=percent(0.03, language))) in pages[0]
    assert SHA in pages[0]
    listed = re.findall(r"photo-\d{3}\.jpg|a-broken\.jpg", "".join(pages))
    probability_of = {row.name: row.probability or 0 for row in rows}
    assert sorted(listed) == sorted(probability_of)
    assert listed == sorted(listed, key=lambda name: (-probability_of[name], name))
    assert listed[-1] == "a-broken.jpg"
    assert packed(broken.remark) in pages[-1]
    assert packed(language.PDF_NOT_SCREENED) in pages[-1]
    probability = percent(max(probability_of.values()), language)
    assert packed(f"{listed[0]} SHA-256 {int(listed[0][6:9]):012}… {probability}") in pages[0]


def test_a_batch_row_says_its_answer_in_words():
    point = example_model().facts.threshold_table.at(0.03)
    for flagged, word in ((True, texts.REFER), (False, texts.BELOW), (None, texts.PDF_NOT_SCREENED)):
        row = BatchRow("x.jpg", None if flagged is None else 0.03, flagged)
        table = packed(_batch([row], point).pages[0].extract_text()).split("x.jpg")[1]
        others = {texts.REFER, texts.BELOW, texts.PDF_NOT_SCREENED} - {word}
        assert packed(word) in table
        assert not any(packed(other) in table.split(packed(texts.INTENDED_USE))[0] for other in others)


def test_a_batch_tells_what_is_just_below_the_threshold_from_it():
    point = example_model().facts.threshold_table.at(0.02496)
    rows = [BatchRow("above.jpg", 0.02498, True), BatchRow("below.jpg", 0.02491, False)]
    said = packed(_batch(rows, point).pages[0].extract_text())
    threshold, written = against(0.02496, [0.02498, 0.02491], texts)
    shown = {"threshold": threshold, "prevalence": percent(0.018, texts)}
    assert packed(texts.PDF_RULE.format(**shown)) in said
    for row, probability in zip(rows, written, strict=True):
        assert probability != threshold
        assert packed(row.name + probability) in said


def test_an_empty_batch_says_so():
    reader = _batch([])
    assert len(reader.pages) == 1
    assert packed(texts.PDF_NO_PHOTOS) in packed(reader.pages[0].extract_text())


def test_a_batch_with_thumbnails_stays_small_and_odd_names_do_no_harm():
    rows = []
    for number, name in enumerate(HOSTILE.values()):
        thumbnail = lesion(number, size=(1200, 900))
        thumbnail.info["comment"] = b"Jane Doe"
        rows.append(BatchRow(name, 0.5, True, name, thumbnail))
    reader = _batch(rows)
    assert reader.stream.seek(0, io.SEEK_END) < 400_000
    images = [image for page in reader.pages for image in page.images]
    assert len(images) == len(rows)
    assert all(max(image.image.size) < 250 and b"Jane" not in image.data for image in images)
    assert set(reader.metadata or {}) == {"/Title", "/Producer", "/CreationDate"}


def test_a_list_explains_the_boxes_in_its_names():
    point = example_model().facts.threshold_table.at(0.03)

    def listed(name: str) -> bytes:
        return batch_pdf([BatchRow(name, 0.2, True)], point, example_model(), texts, on=ON)

    assert says(listed("\N{EGYPTIAN HIEROGLYPH A001}.jpg"), "□.jpg", texts.PDF_LACKING)
    assert says(listed("王.jpg"), "王.jpg")
    assert not says(listed("王.jpg"), texts.PDF_LACKING)
    assert not says(listed("mole.jpg"), texts.PDF_LACKING)
