"""The PDF reports: what they say, that a case is always one page, and that nothing personal hides in the file."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from isic_screen.artifact import Model
from isic_screen.explain import METHODS
from isic_screen.operating_point import restate
from isic_screen.quality import assess
from isic_screen.screener import Screening
from isic_screen.ui.consequences import other_cameras
from isic_screen.ui.heat_words import heat_caption, heat_title
from isic_screen.ui.numbers import against, percent
from isic_screen.ui.pdf import Context, case_pdf
from isic_screen.ui.pdf_batch import BatchRow, batch_pdf
from isic_screen.ui.pdf_blocks import without_markup
from isic_screen.ui.pdf_sheet import BELOW, BELOW_WASH, BOTTOM, TOP, Sheet, height
from isic_screen.ui.texts import LANGUAGES, Texts
from tests.conftest import lesion
from tests.printed import HOSTILE, ON, SHA, example_model, packed, says, text_on, texts

POINT_OF_MM = 72 / 25.4
RUNE = "\N{EGYPTIAN HIEROGLYPH A001}"
"""In no font here."""
BLURRED = "blurred (hold the dermoscope still, focus, and take it again)"


def _screening(probability: float = 0.25, verdict: str = "fit", reasons: tuple[str, ...] = ()) -> Screening:
    quality = replace(assess(lesion(0, size=(400, 300))), verdict=verdict, reasons=reasons)
    heat_map = np.linspace(0, 1, 49, dtype=np.float32).reshape(7, 7)
    return Screening(probability, 0.0, quality, heat_map)


def _case(
    screening: Screening | None = None,
    context: Context | None = None,
    language: Texts = texts,
    *,
    photo: Image.Image | None = None,
    prevalence: float = 0.018,
    model: Model | None = None,
    threshold: float = 0.03,
    method: str = METHODS[0],
    name: str = "photo.jpg",
    **options: tuple[float, float],
) -> bytes:
    screening, model = screening or _screening(), model or example_model()
    point = model.facts.operating_point(threshold)
    return case_pdf(
        photo or lesion(0, size=(400, 300)),
        screening,
        screening.heat_map,
        point.restated(prevalence),
        restate(screening.probability, point.prevalence, prevalence),
        model,
        context or Context(),
        language,
        name=name,
        sha256=SHA[:12],
        on=ON,
        method=method,
        **options,
    )


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.LANGUAGE)
def test_no_limit_of_the_bundled_model_is_cut(language, bundled_model):
    model = replace(bundled_model, network=None)
    crowded = _case(_screening(0.25, "doubtful", (BLURRED,)), language=language, model=model, prevalence=0.05)
    assert says(crowded, *map(language.stated, (model.facts.intended_use, *model.facts.limits)))


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.LANGUAGE)
def test_a_threshold_that_catches_few_melanomas_is_warned_of_and_nothing_is_green(language, bundled_model):
    model = replace(bundled_model, network=None)

    def green(pdf: bytes) -> bool:
        drawn = b"".join(page.get_contents().get_data() for page in PdfReader(io.BytesIO(pdf)).pages)
        return any(b"%.4f %.4f %.4f " % tuple(part / 255 for part in colour) in drawn for colour in (BELOW, BELOW_WASH))

    for threshold, weak in ((0.9, True), (0.02, False)):
        point = model.facts.operating_point(threshold)
        case = _case(_screening(0.01), language=language, model=model, threshold=threshold)
        many = batch_pdf([BatchRow("a.jpg", 0.01, False)], point, model, language, on=ON)
        for pdf in (case, many):
            assert says(pdf, language.WEAK.format(sensitivity=percent(point.sensitivity.value, language))) == weak
            assert green(pdf) != weak


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.LANGUAGE)
def test_a_case_says_what_is_left_without_the_camera(language, bundled_model):
    model = replace(bundled_model, network=None)
    pdf = _case(model=model, language=language, prevalence=0.004, threshold=model.facts.default_threshold)
    sentence = other_cameras(model.facts.operating_point(model.facts.default_threshold).restated(0.004), language)
    assert len(sentence) > 200
    assert says(pdf, without_markup(sentence), language.RESTATED.format(prevalence=percent(0.018, language)))
    assert len(PdfReader(io.BytesIO(pdf)).pages) == 1
    assert not says(_case(language=language), without_markup(sentence)[:60])


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.LANGUAGE)
def test_a_case_says_everything_on_one_page(language):
    context = Context("K-17", "54", "w", "links", "Exzision ≥ 5 mm – 3 µm\nzweite Zeile")
    pdf = _case(context=context, language=language)
    assert len(PdfReader(io.BytesIO(pdf)).pages) == 1
    assert len(pdf) < 600_000
    shown = {"threshold": percent(0.03, language), "prevalence": percent(0.018, language)}
    assert says(
        pdf,
        language.PDF_TITLE,
        "2026-11-23, 14:05 (UTC+01:00)",
        language.PDF_FILE.format(name="photo.jpg", sha256=SHA[:12]),
        percent(0.25, language),
        language.PROBABILITY.format(**shown),
        language.REFER,
        language.REFER_WHY.format(**shown),
        language.PDF_MEANING.format(**shown),
        language.SCALE_PREVALENCE.format(**shown),
        "57 of 60" if language is texts else "57 von 60",
        "60 of 91" if language is texts else "60 von 91",
        language.TILE_PPV,
        language.TILE_NPV,
        language.PHOTO_FIT,
        heat_title(METHODS[0], language),
        heat_caption(METHODS[0], language),
        language.PDF_CONTEXT,
        "five folds by patient",
        "For those who look closely.",
        "Knows moles. Knows no nails.",
        language.PDF_MODEL.format(name="example", version="7.1", sha256=SHA),
        without_markup(language.NOTICE),
        language.PDF_SIGNATURE,
        *(context.label, context.age, context.sex, context.site, context.note),
    )
    assert "<" not in without_markup(language.NOTICE)


def test_the_table_counts_what_the_operating_point_does():
    point = example_model().facts.threshold_table.at(0.03)
    counts = point.per_1000
    assert counts is not None
    said = _case()
    assert says(said, percent(57 / 60, texts), percent(60 / 91, texts))
    assert says(said, percent(point.ppv, texts), percent(point.npv, texts))
    assert says(said, f"{counts.found:.1f}", f"{counts.recalled_healthy:.0f}", f"{counts.flagged:.0f}", "1,000")
    assert f"{100 * point.sensitivity.low:.1f}to{100 * point.sensitivity.high:.1f}" in text_on(said)


def test_below_the_threshold_is_said_in_words_and_is_no_all_clear():
    pdf = _case(_screening(0.0299))
    threshold, (probability,) = against(0.03, [0.0299], texts)
    assert threshold != probability
    assert says(pdf, texts.BELOW_WHY.format(threshold=threshold), texts.SCALE_THRESHOLD.format(threshold=threshold))
    assert text_on(pdf).count(packed(probability)) == 2  # the figure, and its place on the scale
    assert not says(pdf, texts.REFER_WHY.format(threshold=percent(0.03, texts)))
    assert says(_case(_screening(0.03)), texts.REFER_WHY.format(threshold=percent(0.03, texts)))


def test_another_prevalence_restates_all_and_says_that_it_is_arithmetic():
    pdf = _case(prevalence=0.05)
    assert says(pdf, percent(restate(0.25, 0.018, 0.05), texts), percent(restate(0.03, 0.018, 0.05), texts))
    restated = texts.RESTATED.format(prevalence=percent(0.018, texts))
    assert says(pdf, restated)
    assert not says(_case(), restated)


def test_an_unfit_photo_gets_reasons_and_neither_probability_nor_heat_map():
    reason = "without colours (the model needs a colour dermoscopy photo)"
    pdf = _case(_screening(0.25, "unfit", (reason,)), Context(label="K-17"), spread=(0.01, 0.3))
    assert says(pdf, texts.PDF_NO_PROBABILITY, texts.PHOTO_UNFIT, reason, texts.UNFIT_ADVICE, "K-17", SHA)
    said = text_on(pdf)
    assert "%" not in said
    assert packed(texts.REFER_WHY[:20]) not in said
    assert len(PdfReader(io.BytesIO(pdf)).pages[0].images) == 1


def test_a_doubtful_photo_says_why_in_the_language():
    german = LANGUAGES[1]
    pdf = _case(_screening(0.25, "doubtful", (BLURRED,)), language=german)
    assert says(pdf, german.PHOTO_DOUBTFUL, german.reason(BLURRED), percent(0.25, german))


def test_borderline_is_said_where_the_turns_of_the_photo_disagree():
    sentence = texts.BORDERLINE.format(low=percent(0.01, texts), high=percent(0.3, texts))
    assert says(_case(spread=(0.01, 0.3)), sentence)
    assert not says(_case(spread=(0.03, 0.3)), "Borderline")
    assert not says(_case(spread=(0.01, 0.0299)), "Borderline")


@pytest.mark.parametrize("method", METHODS)
def test_the_map_is_named_by_its_method_and_explained_by_what_that_shows(method):
    pdf = _case(method=method)
    assert says(pdf, heat_title(method, texts), heat_caption(method, texts))


def test_without_evidence_there_is_a_sentence_instead_of_a_map():
    flat = replace(_screening(0.001), heat_map=np.zeros((7, 7), np.float32))
    pdf = _case(flat)
    assert says(pdf, texts.HEAT_EMPTY)
    assert not says(pdf, texts.HEAT_CAPTION)
    assert len(PdfReader(io.BytesIO(pdf)).pages[0].images) == 1
    assert len(PdfReader(io.BytesIO(_case())).pages[0].images) == 3  # photo, overlay and its colours


@pytest.mark.parametrize("typed", HOSTILE.values(), ids=HOSTILE)
def test_whatever_is_typed_stays_on_one_page_within_its_margins(typed):
    worst = _screening(0.25, "doubtful", (BLURRED, typed))
    model = example_model(intended_use=typed, limits=(typed,) * 3, name=typed, metrics={"basis": typed})
    pdf = _case(worst, Context(*[typed] * 5), LANGUAGES[1], model=model, prevalence=0.05, spread=(0.001, 0.9))
    pages = PdfReader(io.BytesIO(pdf)).pages
    assert len(pages) == 1
    assert len(pdf) < 600_000
    baselines = []
    said = pages[0].extract_text(visitor_text=lambda _, __, matrix, ___, ____: baselines.append(matrix[5]))
    baselines = [(297 - place / POINT_OF_MM) for place in baselines if place]
    assert min(baselines) > TOP
    assert max(baselines) <= BOTTOM
    assert percent(restate(0.25, 0.018, 0.05), LANGUAGES[1]) in said
    assert LANGUAGES[1].PDF_SIGNATURE in said


def test_nothing_that_is_typed_into_a_field_is_cut():
    label = "Fall Ω-17 / Müller-Lüdenscheidt, Änne-Sophie von der Trave, geb. 1948-02-29, W 3"
    site = "linker Unterschenkel, medial, zwei Querfinger unter dem Knie"
    age, sex = "78 Jahre, 11 Monate.", "weiblich (bei Geb.)."
    assert (len(label), len(site), len(age), len(sex)) == (80, 60, 20, 20)  # the most that the page lets in
    made = _case(context=Context(label, age, sex, site))
    for typed in (label, age, sex, site):
        assert says(made, typed), typed


def test_a_note_that_is_cut_says_so():
    whole = "Small print. " * 90
    assert not says(_case(context=Context(note=whole)), texts.PDF_NOTE_CUT)
    assert says(_case(context=Context(note=whole)), whole)
    cut = _case(context=Context(note="Small print. " * 500))
    assert says(cut, texts.PDF_NOTE_CUT)
    assert "…" in text_on(cut)
    assert says(_case(context=Context(note="\u200b" * 60_000 + "hidden")), texts.PDF_NOTE_CUT)


def test_the_note_keeps_room_by_taking_it_from_the_pictures():
    reasons = (BLURRED, "too dark (switch the dermoscope's light on and take it again)")
    long_limits = example_model(limits=("A limit that matters to those who sign. " * 40,))
    crowded = _case(_screening(0.25, "doubtful", reasons), model=long_limits, prevalence=0.05, spread=(0.01, 0.9))
    places: dict[str, float] = {}

    def note(text: str, _: object, matrix: list[float], *__: object) -> None:
        places[text.strip()] = 297 - matrix[5] / POINT_OF_MM

    PdfReader(io.BytesIO(crowded)).pages[0].extract_text(visitor_text=note)
    assert places[texts.PDF_SIGNATURE] - places[texts.CLINICIANS_NOTE] > 35


def test_fitted_text_keeps_within_its_width_and_room():
    with Sheet("title", "en", ON) as sheet:
        sheet.add_page()
        for text in HOSTILE.values():
            for width, room in ((20, height(9)), (60, height(9, 3))):
                found = sheet.fitted(text, width, room, 9, least=6)
                assert all(sheet.extent(line, found.size) <= width + 1e-6 for line in found.lines)
                assert found.tall <= room + 1e-6
                assert found.size >= 6
        assert sheet.fitted("short", 60, height(9), 9, least=6).size == 9
        smaller = sheet.fitted("a label somewhat too long", 38, height(9), 9, least=6)
    assert 6 <= smaller.size < 9
    assert not smaller.cut


def test_missing_characters_are_visible_and_others_are_kept():
    pdf = _case(context=Context(label=f"{RUNE}≥–µÄß\u202f\x00Ω", note="one\r\ntwo"))
    assert "□≥–µÄßΩ" in text_on(pdf)
    assert says(pdf, "onetwo")


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.LANGUAGE)
def test_pictures_among_letters_are_named_and_boxes_explained(language):
    drawn = _case(context=Context(label="seen 👍🏽 🩺", note="5㎜, 🇩🇪 ❤️"), language=language)
    assert says(drawn, "seen [thumbs up sign] [stethoscope]", "5mm, DE ❤")
    assert not says(drawn, language.PDF_LACKING)
    assert "□" not in text_on(drawn)
    assert says(_case(context=Context(note=RUNE), language=language), "□", language.PDF_LACKING)
    assert says(_case(name=f"{RUNE}.jpg", language=language), "□.jpg", language.PDF_LACKING)
    assert not says(_case(context=Context(note="a box drawn by hand: □"), language=language), language.PDF_LACKING)


def test_names_are_printed_in_their_script():
    """Chinese, Japanese and Korean, India's, Thai, from right to left, Cyrillic, and several in a line."""
    chinese, hindi, typed = (
        "患者 皮肤镜照片",
        "राजेश क्षत्रिय",
        "左前臂 田中太郎 ほくろ 김민준 สมชาย محمد יוסי রহিম தமிழ் Иванов Ö",
    )
    pdf = _case(context=Context(label=chinese, note=f"{typed}\nplain"), name=f"{hindi}.jpg")
    said = text_on(pdf)
    assert "□" not in said
    assert set(packed(chinese + hindi + typed)) <= set(said)  # signs that join are drawn in an order of their own
    assert says(pdf, chinese, "plain", texts.PDF_SIGNATURE)
    assert len(pdf) < 400_000


def test_letters_that_join_and_run_from_the_right_are_set_so():
    """Shaped, क्षत्रिय is fewer glyphs than signs, and Arabic letters are not the ones that stand alone."""
    with Sheet("title", "en", ON) as sheet:
        sheet.add_page()
        widths = {}
        for word in ("क्षत्रिय", "محمد"):
            found = sheet.fitted(word, 60, height(9), 9)
            sheet.set_text_shaping(True)
            shaped = sheet.get_string_width(word)
            sheet.set_text_shaping(False)
            assert shaped < sheet.get_string_width(word)
            placed = sheet.lay(20, 20, found, 60, align="right")
            widths[word] = placed, shaped
        made = sheet.made()
    page = PdfReader(io.BytesIO(made)).pages[0]
    starts = []
    page.extract_text(visitor_text=lambda text, _, matrix, *__: text.strip() and starts.append(matrix[4]))
    for (_, shaped), start in zip(widths.values(), starts, strict=True):
        assert start / POINT_OF_MM == pytest.approx(80 - shaped, abs=0.1)


def test_the_file_holds_no_name_no_hour_and_the_language():
    photo = lesion(0, size=(400, 300))
    photo.info |= {"comment": b"Jane Doe", "exif": b"Exif\0\0Jane Doe", "dpi": (72, 72), "icc_profile": b"Jane Doe"}
    secret = Context("Jane Doe", "54", "female", "calf", "Jane Doe")
    pdf = _case(context=secret, photo=photo)
    reader = PdfReader(io.BytesIO(pdf))
    assert reader.metadata == {
        "/Title": texts.PDF_TITLE,
        "/Producer": "isic-screen",
        "/CreationDate": "D:20261123000000Z",
    }
    catalogue = reader.trailer["/Root"]
    assert catalogue["/Lang"] == "en"
    assert "/Metadata" not in catalogue
    assert catalogue["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"Jane" not in pdf
    assert all(b"Jane" not in image.data for image in reader.pages[0].images)
    assert _case(context=secret, photo=photo) == pdf  # nothing of the moment it was made
    german = PdfReader(io.BytesIO(_case(language=LANGUAGES[1])))
    assert german.trailer["/Root"]["/Lang"] == "de"


def test_pictures_can_be_heard_and_keep_their_shape():
    pdf = _case(photo=Image.new("RGB", (2400, 300), "tan"))
    largest = max(image.image.size for image in PdfReader(io.BytesIO(pdf)).pages[0].images)
    assert largest[0] < 1000
    assert largest[0] / largest[1] == pytest.approx(8, rel=0.02)
    assert f"/Alt ({texts.HEAT_ALT})".encode() in pdf


def test_every_icon_is_a_shape_of_its_own():
    drawn = set()
    for kind in ("refer", "below", "fit", "doubtful", "unfit"):
        with Sheet("title", "en", ON) as sheet:
            sheet.add_page()
            sheet.icon(kind, 20, 20, 9)
            stream = PdfReader(io.BytesIO(sheet.made())).pages[0].get_contents()
        assert stream is not None
        drawn.add(re.sub(rb"[\d. ]+ (rg|RG|g|G)\n", b"", stream.get_data()))
    assert len(drawn) == 5
