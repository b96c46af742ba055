"""The page's parts without a browser: what they say, and that the slider never runs the model."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from pypdf import PdfReader

from isic_screen import Screener, load_model, open_photo
from isic_screen.explain import METHODS
from isic_screen.operating_point import ThresholdTable, restate
from isic_screen.quality import assess
from isic_screen.screener import Screening
from isic_screen.ui import answer, batch
from isic_screen.ui.answer import Case
from isic_screen.ui.batch import Batch, Row
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.confusion import confusion
from isic_screen.ui.consequences import ThresholdPlot, consequences
from isic_screen.ui.numbers import People, against, percent
from isic_screen.ui.pdf import Context
from isic_screen.ui.texts import German, Texts
from isic_screen.ui.threshold import as_shown, share_of
from tests.conftest import lesion
from tests.page_text import text_of
from tests.printed import ON

texts = Texts()


def table_of_batch(rows: list[Row], point, language) -> str:
    return batch.table(Batch(rows), point, 0.018, "all", 1, language)


def _case(probability: float = 0.2, verdict: str = "fit", reasons: tuple[str, ...] = ()) -> Case:
    photo = lesion(0, size=(400, 300))
    quality = replace(assess(photo), verdict=verdict, reasons=reasons)
    return Case.of(photo, Screening(probability, 1.0, quality, np.eye(7, dtype=np.float32)))


@pytest.fixture(scope="module")
def table() -> ThresholdTable:
    random = np.random.default_rng(0)
    targets = (random.random(400) < 0.5).astype(int)
    return ThresholdTable.from_predictions(1 / (1 + np.exp(-random.normal(targets * 2 - 4, 1))), targets, 0.018)


@pytest.fixture
def callbacks(lite0_file) -> Callbacks:
    return Callbacks(Screener(load_model(lite0_file)), texts)


@pytest.mark.parametrize(
    ("threshold", "number"), [(0.0, 0.0), (0.0057789, 0.577), (0.0569999, 5.69), (0.5, 50.0), (1.0, 100.0)]
)
def test_the_threshold_that_is_shown_is_never_above_the_one_in_force(threshold, number):
    assert as_shown(threshold) == number
    assert as_shown(threshold) / 100 <= threshold


@pytest.mark.parametrize(("probability", "word"), [(0.2, texts.REFER), (0.001, texts.BELOW)])
def test_the_verdict_is_in_words_with_the_thresholds_meaning(probability, word, table):
    point = table.at(0.0123)
    html = answer.verdict(_case(probability), point, 0.018, texts)
    text = text_of(html)
    assert word in text
    assert "threshold of 1.2" in text
    assert percent(probability, texts) in text
    assert "prevalence 1.8" in text


@pytest.mark.parametrize(("probability", "word"), [(0.02498, texts.REFER_WHY), (0.02491, texts.BELOW_WHY)])
def test_a_probability_close_to_the_threshold_is_not_written_like_it(probability, word, table):
    text = text_of(answer.verdict(_case(probability), table.at(0.02496), 0.018, texts))
    threshold, (written,) = against(0.02496, [probability], texts)
    assert threshold != written
    assert word.format(threshold=threshold) in text
    assert f"{written} probability" in text


def test_where_melanoma_is_rare_the_scale_still_tells_photo_and_threshold_apart(table):
    html = answer.verdict(_case(0.003), table.at(0.01), 0.0001, texts)
    dot, line = (float(re.search(rf'class="{part}" style="left:([\d.]+)%', html).group(1)) for part in ("dot", "line"))
    assert 1 < dot < line - 3


def test_the_scale_is_labelled_in_the_language(table):
    german = text_of(answer.verdict(_case(0.2), table.at(0.01), 0.018, German()))
    assert "0,1\N{NARROW NO-BREAK SPACE}%" in german
    assert not re.search(r"\d\.\d", german)


@pytest.mark.parametrize("language", [texts, German()], ids=["en", "de"])
@pytest.mark.parametrize(("sensitivity", "warned"), [(0.45, True), (0.55, False)])
def test_a_threshold_that_catches_few_melanomas_is_warned_of_and_nothing_is_green(table, language, sensitivity, warned):
    point = table.at(table.threshold_for_sensitivity(sensitivity))
    said = language.WEAK.format(sensitivity=percent(point.sensitivity.value, language))
    shown = [
        answer.verdict(_case(0.0001), point, 0.018, language),
        answer.verdict(_case(0.99), point, 0.018, language),
        table_of_batch([Row("a.jpg", _case(0.0001).screening)], point, language),
    ]
    for html in shown:
        assert (said in text_of(html)) == warned
        assert ("weak" in re.search(r'<div class="(card[^"]*)"', html).group(1).split()) == warned
    for html in (consequences(point, table, "", language), confusion(point, table, language)):
        assert ('class="card' in html and ' weak"' in html) == warned


def test_exactly_at_the_threshold_is_refer(table):
    assert texts.REFER in text_of(answer.verdict(_case(0.0123), table.at(0.0123), 0.018, texts))


def test_an_unfit_photo_shows_no_probability(table):
    text = text_of(answer.verdict(_case(0.2, "unfit", ("blank <b>",)), table.at(0.01), 0.018, texts))
    assert "20" not in text
    assert texts.REFER not in text
    assert texts.UNFIT_ADVICE in text
    assert "blank <b>" in text  # escaped, so it arrives as text


def test_a_doubtful_photo_says_why_and_still_answers(table):
    text = text_of(answer.verdict(_case(0.2, "doubtful", ("blurred",)), table.at(0.01), 0.018, texts))
    assert text.index("blurred") < text.index(texts.REFER)


def test_the_problem_is_a_sentence_and_no_markup_of_the_visitors():
    html = answer.problem("<img src=x onerror=alert(1)>.jpg is empty", texts)
    assert "<img" not in html
    assert "is empty" in text_of(html)
    assert 'role="alert"' in html


def test_an_empty_heat_map_says_so():
    photo = lesion(0)
    assert texts.HEAT_EMPTY in text_of(answer.heat(photo, np.zeros((7, 7), dtype=np.float32), METHODS[0], texts))
    shown = answer.heat(photo, np.eye(7, dtype=np.float32), METHODS[0], texts)
    assert f"{texts.HEAT_CAPTION} {texts.HEAT_COARSE}" in text_of(shown)
    assert shown.count("data:image/jpeg;base64,") == shown.count("data:image/webp;base64,") == 1


def test_another_prevalence_restates_what_is_shown_and_refers_the_same(table):
    point = table.at(0.0123)
    for probability, word in ((0.0123, texts.REFER), (0.0122, texts.BELOW)):
        text = text_of(answer.verdict(_case(probability), point, 0.1, texts))
        assert word in text
        restated = restate(probability, 0.018, 0.1)
        threshold, (written,) = against(restate(0.0123, 0.018, 0.1), [restated], texts)
        assert f"{written} probability" in text
        assert f"threshold of {threshold}" in text
        assert "prevalence 10" in text
    told = text_of(consequences(point.restated(0.1), table, "", texts))
    assert "100 with melanoma" in told
    assert "1.8" in told  # what the model itself states


def test_a_photo_whose_turns_fall_on_both_sides_is_borderline(table):
    point = table.at(0.01)
    for spread, borderline in (((0.005, 0.02), True), ((0.01, 0.02), False), ((0.005, 0.0099), False), (None, False)):
        case = replace(_case(0.011), spread=spread)
        html = answer.verdict(case, point, 0.018, texts)
        assert ('class="borderline"' in html) == borderline
        assert case.borderline(0.01) == borderline
    shown = text_of(answer.verdict(replace(_case(0.011), spread=(0.005, 0.02)), point, 0.018, texts))
    assert f"{percent(0.005, texts)} to {percent(0.02, texts)}" in shown


@pytest.mark.parametrize(
    ("typed", "share"), [(None, 0.018), (0, 0.018), (-3, 0.018), (5, 0.05), (1.8, 0.018), (500, 0.9), (1e-9, 0.0001)]
)
def test_a_typed_prevalence_is_always_a_possible_one(typed, share):
    assert share_of(typed, 0.018) == pytest.approx(share)
    if share == 0.018:
        assert share_of(typed, 0.018) == 0.018  # exactly: nothing is restated


@pytest.mark.parametrize("language", [texts, German()], ids=["en", "de"])
def test_what_is_left_without_the_camera_is_said_beside_all_that_was_counted(table, language):
    others = ThresholdTable.from_predictions([0.005, 0.01, 0.02, 0.03], [0, 1, 0, 1], 0.018).at(0.015)
    point = replace(table.at(0.015), other_cameras=others).restated(0.1)
    told = text_of(consequences(point, table, "", language))
    people = People.of(others.restated(0.1).per_1000, language)
    sentence = language.OTHER_CAMERAS.format(
        positives=2,
        negatives=2,
        sensitivity=percent(0.5, language),
        specificity=percent(0.5, language),
        found=people.found,
        missed=people.missed,
        recalled=people.recalled,
    )
    assert (people.found, people.recalled) == ("50", "450")
    assert text_of(sentence) in told
    assert 'class="elsewhere"' not in consequences(table.at(0.015), table, "", language)


def test_consequences_are_the_operating_points(table):
    point = table.at(table.threshold_for_sensitivity(0.9))
    html = consequences(point, table, "5-fold <test>", texts)
    text = text_of(html)
    counts = point.per_1000
    people = People.of(counts, texts)
    assert f"{people.melanomas} with melanoma: {people.found} found, {people.missed} missed" in text
    assert f"{people.recalled} healthy recalled, {people.cleared} not" in text
    for share in (point.sensitivity, point.specificity):
        interval = f"{100 * share.low:.1f} to {100 * share.high:.1f} (95\N{NARROW NO-BREAK SPACE}%)"
        assert f"{interval}, {share.count} of {share.total}" in text
    assert percent(point.ppv, texts) in text
    assert percent(point.npv, texts) in text
    assert "5-fold <test>" in text
    dots = [path.count("M") for path in re.findall(r' d="(M[^"]*|)"', html)]
    assert sum(dots) == 1000
    assert dots[0] == round(counts.found)


def test_few_referred_for_each_melanoma_are_not_rounded_to_one():
    counted = ThresholdTable((0.01,), (60,), (30,), 60, 90, 0.018)
    point = counted.at(0.01).restated(0.5)
    assert point.number_needed_to_refer == pytest.approx(4 / 3)
    assert '<span class="value">1.3</span>' in consequences(point, counted, "", texts)


@pytest.mark.parametrize("threshold", [0.0, 1e-9, 0.01, 0.9, 1.0])
def test_every_threshold_can_be_drawn_and_told(table, threshold):
    plot = ThresholdPlot(table, 0.018, texts)
    point = table.at(threshold)
    svg = plot.svg(point)
    text_of(svg)
    assert "nan" not in svg
    assert percent(point.sensitivity.value, texts) in svg
    numbers = [float(n) for n in re.findall(r'c[xy]="([-\d.]+)"', svg)]
    assert all(0 <= number <= 640 for number in numbers)
    text_of(consequences(point, table, "", texts))


def test_a_melanoma_that_scored_nothing_can_be_drawn():
    table = ThresholdTable((0.0, 0.3), (2, 1), (5, 1), 2, 5, 0.018)
    svg = ThresholdPlot(table, 0.018, texts).svg(table.at(0.0))
    assert "nan" not in svg
    assert percent(1.0, texts) in svg


def test_a_photo_gives_the_same_answer_as_the_screener(callbacks, tmp_path):
    lesion(1, dark=True, size=(400, 300)).save(tmp_path / "a.jpg")
    case, verdict, heat = callbacks.screen(str(tmp_path / "a.jpg"), 0.03, 0.018, METHODS[0])
    assert case.screening.probability == callbacks.screener.screen(open_photo(tmp_path / "a.jpg")).probability
    assert percent(case.screening.probability, texts) in text_of(verdict)
    assert heat


def test_a_photo_that_is_none_is_a_sentence_and_taking_it_away_clears_the_answer(callbacks, tmp_path):
    (tmp_path / "a.jpg").write_text("no photo")
    case, verdict, heat = callbacks.screen(str(tmp_path / "a.jpg"), 0.03, 0.018, METHODS[0])
    assert case is None
    assert heat == ""
    assert texts.UNREADABLE in text_of(verdict)
    assert "a.jpg" in text_of(verdict)
    assert callbacks.screen(None, 0.03, 0.018, METHODS[0]) == (None, answer.waiting(texts), "")


def test_the_spread_holds_the_answer_and_is_not_measured_where_none_is_shown(callbacks, tmp_path):
    lesion(1, dark=True, size=(400, 300)).save(tmp_path / "a.jpg")
    case, *_ = callbacks.screen(str(tmp_path / "a.jpg"), 0.03, 0.018, METHODS[0])
    assert case.spread is None
    callbacks.measure_spread(case, str(tmp_path / "gone.jpg"))
    assert case.spread is None
    callbacks.measure_spread(case, str(tmp_path / "a.jpg"))
    low, high = case.spread
    assert low <= case.screening.probability <= high
    unfit = _case(verdict="unfit")
    callbacks.measure_spread(unfit, str(tmp_path / "a.jpg"))
    assert unfit.spread is None


def test_moving_the_threshold_never_runs_the_model(callbacks, tmp_path, monkeypatch):
    lesion(1, dark=True, size=(400, 300)).save(tmp_path / "a.jpg")
    case, _, _ = callbacks.screen(str(tmp_path / "a.jpg"), 0.03, 0.018, METHODS[0])

    def forbidden(*args, **kwargs):
        raise AssertionError("the model ran")

    monkeypatch.setattr(type(callbacks.screener), "screen_many", forbidden)
    monkeypatch.setattr(type(callbacks.screener.model.network), "_with_evidence", forbidden)
    shown = [callbacks.move(case, callbacks.threshold_for(caught), 0.018) for caught in (50, 90, 95, 100)]
    assert len({verdict for verdict, *_ in shown}) > 1
    assert callbacks.move(None, 0.03, 0.018)[0] == answer.waiting(texts)


@pytest.mark.parametrize("method", METHODS)
def test_every_heat_map_method_is_shown(callbacks, tmp_path, method):
    lesion(1, dark=True, size=(400, 300)).save(tmp_path / "a.jpg")
    case, _, _ = callbacks.screen(str(tmp_path / "a.jpg"), 0.03, 0.018, METHODS[0])
    assert "data:image/webp" in callbacks.heat(case, method)


def test_each_method_is_named_and_its_warm_places_are_called_what_they_are():
    said = {method: text_of(answer.heat(lesion(0), np.eye(7, dtype=np.float32), method, texts)) for method in METHODS}
    assert all(f"({method})" in text for method, text in said.items())
    assert texts.HEAT_TITLE_ATTENTION in said["EigenCAM"]
    assert texts.HEAT_CAPTION_ATTENTION in said["EigenCAM"]
    assert "spoke for melanoma" not in said["EigenCAM"]
    assert all(texts.HEAT_CAPTION_SUPPORT in said[method] for method in ("Grad-CAM++", "LayerCAM"))
    assert all(texts.HEAT_TITLE in said[method] for method in METHODS if method != "EigenCAM")


@pytest.mark.parametrize("method", METHODS)
def test_where_no_place_spoke_for_melanoma_no_method_shows_one(callbacks, method):
    case = _case()
    assert texts.HEAT_EMPTY not in callbacks.heat(case, method)
    nothing = replace(case.screening, heat_map=np.zeros((7, 7), dtype=np.float32))
    assert texts.HEAT_EMPTY in callbacks.heat(replace(case, screening=nothing), method)


def test_the_report_prints_the_method_and_no_map_where_no_place_spoke_for_melanoma(callbacks):
    def printed(case: Case) -> str:
        pdf = callbacks.report(case, 0.03, 0.018, "EigenCAM", Context(), ON)
        return re.sub(r"\s+", " ", PdfReader(io.BytesIO(pdf)).pages[0].extract_text())

    case = _case()
    assert "(EigenCAM)" in printed(case)
    empty = printed(replace(case, screening=replace(case.screening, heat_map=np.zeros((7, 7), dtype=np.float32))))
    assert "EigenCAM" not in empty
    assert texts.HEAT_EMPTY[:40] in empty


def test_a_fault_of_ours_is_not_shown_as_the_photos(callbacks, tmp_path, monkeypatch):
    lesion(0).save(tmp_path / "a.jpg")

    def fault(path, **_):
        raise ZeroDivisionError

    monkeypatch.setattr("isic_screen.ui.callbacks.open_photo", fault)
    with pytest.raises(ZeroDivisionError):
        callbacks.screen(str(tmp_path / "a.jpg"), 0.03, 0.018, METHODS[0])
