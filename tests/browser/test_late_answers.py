"""Answers that come late, or in another order than they were asked for: what is seen follows from the newest input."""

import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect
from pypdf import PdfReader

from isic_screen.operating_point import restate
from isic_screen.typed_number import typed_number
from isic_screen.ui.numbers import percent
from isic_screen.ui.texts import German, Texts
from tests.browser.conftest import open_batch, ready, upload
from tests.conftest import ROOT

texts, german = Texts(), German()
EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
NAEVUS = EXAMPLE.with_name("synthetic-naevus.jpg")
ARITHMETIC, MODEL = "**/run/predict*", "**/queue/join*"


def _slide(page: Page, caught: float, slider: str = "#sensitivity") -> None:
    page.locator(f"{slider} input[type=range]").evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", str(caught)
    )


def _type(page: Page, field: str, text: str) -> None:
    page.fill(f"{field} input", text)
    page.press(f"{field} input", "Enter")


def _preset(page: Page, percentage: int) -> None:
    page.locator("#presets").get_by_label(re.compile(rf"{percentage}\s%")).check()


def _until(page: Page, asked: list) -> None:
    """Until the page has asked."""
    for _ in range(300):
        if asked:
            return
        page.wait_for_timeout(100)
    raise AssertionError("nothing was asked")


@contextmanager
def held_back(page: Page, kind: str) -> Iterator[list[tuple[Route, APIResponse]]]:
    """What the server answers to the first questions of a kind, kept until the end; later ones are answered at once."""
    held: list[tuple[Route, APIResponse]] = []
    page.route(kind, lambda route: held.append((route, route.fetch())), times=1)
    yield held
    for route, response in held:
        route.fulfill(response=response)
    page.wait_for_timeout(700)


def agrees(page: Page, model, said: Texts = texts) -> None:
    """Wait until threshold field, card, consequences, plots, slider and table all speak of one threshold."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    facts = model.facts
    prevalence = typed_number(page.input_value("#prevalence input")) / 100
    shown = typed_number(page.input_value("#threshold input")) / 100
    # The field is rounded down to three digits.
    point = facts.operating_point(restate(shown * 1.0000001, prevalence, facts.prevalence))
    told = percent(shown, said)
    expect(page.locator("#answer .why")).to_contain_text(re.compile(re.escape(told[:3])))
    expect(page.locator("#plot svg")).to_have_attribute("aria-label", re.compile(re.escape(told[:3])))
    sensitivity = percent(point.sensitivity.value, said)
    expect(page.locator("#consequences .tile").first).to_contain_text(sensitivity)
    expect(page.locator("#confusion td.found .count")).to_have_text(str(point.sensitivity.count))
    expect(page.locator("#roc svg")).to_have_attribute("aria-label", re.compile(re.escape(sensitivity)))
    on_slider = float(page.input_value("#sensitivity input[type=range]"))
    assert 100 * point.sensitivity.value == pytest.approx(on_slider, abs=2)  # it is counted apart from the threshold


@pytest.mark.parametrize(("newest", "verdict"), [("0.4", texts.REFER), ("90", texts.BELOW)])
def test_an_older_answer_that_comes_last_changes_nothing(page: Page, bundled_model, newest, verdict):
    upload(page, EXAMPLE)
    other = "90" if newest == "0.4" else "0.4"
    older = [
        lambda: _slide(page, 1 if newest == "0.4" else 99),
        lambda: _type(page, "#threshold", other),
        lambda: _type(page, "#prevalence", "30" if newest == "0.4" else "0.2"),
        lambda: _preset(page, 98),
    ]
    for move in older:
        with held_back(page, ARITHMETIC) as held:
            move()
            _until(page, held)
            _type(page, "#threshold", newest)
            page.wait_for_timeout(300)
        expect(page.locator("#threshold input")).to_have_value(newest)
        expect(page.locator("#answer .verdict")).to_contain_text(verdict)
        agrees(page, bundled_model)
        _type(page, "#prevalence", "")
        _type(page, "#threshold", newest)


def test_thirty_quick_moves_over_a_slow_line_end_at_the_newest(page: Page, bundled_model):
    upload(page, EXAMPLE)
    chance = random.Random(0)
    due: list[tuple[float, Route, APIResponse]] = []

    def late(route: Route) -> None:
        due.append((time.monotonic() + chance.uniform(0.15, 0.3), route, route.fetch()))

    def pass_on() -> None:
        for entry in [entry for entry in due if entry[0] < time.monotonic()]:
            due.remove(entry)
            entry[1].fulfill(response=entry[2])

    page.route(ARITHMETIC, late)
    moves = [
        lambda: _slide(page, chance.choice([40, 66, 91.5, 99])),
        lambda: _type(page, "#threshold", chance.choice(["0,4", "90", "3.2", "no number"])),
        lambda: _type(page, "#prevalence", chance.choice(["2,5", "10", "1.8"])),
        lambda: _preset(page, chance.choice([90, 95, 98])),
    ]
    for number in range(30):
        moves[number % 4]()
        page.wait_for_timeout(chance.uniform(0, 60))
        pass_on()
    _slide(page, 97)
    quiet = 0
    while quiet < 20:  # until nothing is asked any more
        page.wait_for_timeout(50)
        quiet = 0 if due else quiet + 1
        pass_on()
    expect(page.locator("#sensitivity input[type=range]")).to_have_value("97")
    agrees(page, bundled_model)


def test_a_control_that_is_moved_on_is_not_set_back(page: Page):
    with held_back(page, ARITHMETIC) as held:
        _slide(page, 60)
        _until(page, held)
        _slide(page, 85)
        page.fill("#prevalence input", "2,")  # and is still being typed
    expect(page.locator("#sensitivity input[type=range]")).to_have_value("85")
    expect(page.locator("#prevalence input")).to_have_value("2,")
    expect(page.locator("#consequences .tile").first).to_contain_text("85")


def test_on_the_german_page_as_well(page: Page, address: str, bundled_model):
    page.goto(f"{address}/de")
    ready(page)
    upload(page, EXAMPLE)
    with held_back(page, ARITHMETIC) as held:
        _type(page, "#threshold", "90")
        _until(page, held)
        _type(page, "#threshold", "0,43")
        page.wait_for_timeout(300)
    expect(page.locator("#threshold input")).to_have_value("0,43")
    expect(page.locator("#answer .verdict")).to_contain_text(german.REFER)
    agrees(page, bundled_model, german)


def test_a_late_answer_about_the_photo_before_is_dropped(page: Page):
    upload(page, EXAMPLE)
    with held_back(page, ARITHMETIC) as held:
        _slide(page, 80)
        _until(page, held)
        page.get_by_label("Remove Image").click()
        expect(page.locator("#answer")).to_contain_text(texts.WAITING)
    expect(page.locator("#answer")).to_contain_text(texts.WAITING)
    expect(page.locator("#consequences .tile").first).to_contain_text("80")


def test_the_second_look_follows_the_threshold_that_was_chosen_while_it_lasted(page: Page, bundled_model):
    routes: list[Route] = []
    page.route(MODEL, lambda route: routes.append(route))
    page.route(MODEL, lambda route: route.continue_(), times=1)  # the first look; the newest rule comes first
    upload(page, EXAMPLE)
    _until(page, routes)
    with held_back(page, ARITHMETIC) as held:  # of what follows the second look
        routes[0].continue_()
        _until(page, held)
        _type(page, "#threshold", "90")
        expect(page.locator("#answer .verdict")).to_contain_text(texts.BELOW)
    expect(page.locator("#answer .verdict")).to_contain_text(texts.BELOW)
    agrees(page, bundled_model)


def test_a_report_is_of_what_is_shown_and_none_is_saved_of_what_was_shown_before(page: Page):
    upload(page, EXAMPLE)
    page.get_by_text(texts.REPORT, exact=True).click()
    saved: list[str] = []
    page.on("download", lambda download: saved.append(str(download.path())))
    page.wait_for_timeout(3000)  # until the second look is over
    routes: list[Route] = []
    page.route(MODEL, lambda route: routes.append(route), times=1)
    page.locator("#make-pdf").click()
    _until(page, routes)
    _type(page, "#threshold", "90")
    routes[0].continue_()
    expect(page.locator("#report-note")).to_contain_text(texts.NOT_SAVED)
    assert saved == []
    page.fill("#threshold input", "0,4")  # and the button takes the field with it
    with page.expect_download() as download:
        page.locator("#make-pdf").click()
    printed = PdfReader(download.value.path()).pages[0].extract_text()
    assert "threshold of 0.40" in re.sub(r"\s+", " ", printed)
    expect(page.locator("#report-note")).not_to_contain_text(texts.NOT_SAVED)


def test_the_table_and_the_opened_row_follow_the_newest(page: Page, bundled_model):
    open_batch(page, [EXAMPLE, NAEVUS])
    expect(page.locator("#batch-progress")).to_contain_text(texts.BATCH_DONE.format(photos=2))
    rows = page.locator("#batch-table [data-photo]")
    with held_back(page, ARITHMETIC) as held:
        rows.nth(0).click()
        _until(page, held)
        rows.nth(1).click()
    expect(page.locator("#batch-case .case-name")).to_contain_text(NAEVUS.name)
    for caught in (20, 99):
        with held_back(page, ARITHMETIC) as held:
            _slide(page, 119 - caught, "#batch-sensitivity")
            _until(page, held)
            _slide(page, caught, "#batch-sensitivity")
        told = percent(bundled_model.facts.threshold_for_sensitivity(caught / 100), texts)
        expect(page.locator("#batch-table .sentence")).to_contain_text(told)
        expect(page.locator("#batch-case .why")).to_contain_text(told[:3])
        expect(page.locator("#sensitivity input[type=range]")).to_have_value(str(caught))
        assert page.locator(".weak-threshold").count() == (2 if caught == 20 else 0)
    with page.expect_download() as download:
        page.locator("#batch-csv").click()
    with open(download.value.path(), encoding="utf-8-sig") as csv:
        threshold = float(csv.read().splitlines()[1].split(",")[2])
    in_force = bundled_model.facts.threshold_for_sensitivity(0.99)
    assert threshold == pytest.approx(in_force, rel=1e-5)


def test_no_answer_about_a_choice_leaves_no_verdict_of_another(page: Page):
    upload(page, EXAMPLE)
    page.wait_for_timeout(3000)  # until the second look is over
    page.route(ARITHMETIC, lambda route: route.fulfill(status=500, json={}))
    _type(page, "#threshold", "90")
    expect(page.locator("#answer .problem")).to_contain_text(texts.NOT_UPDATED)
    page.unroute(ARITHMETIC)
    _type(page, "#threshold", "80")
    expect(page.locator("#answer .verdict")).to_contain_text(texts.BELOW)
    expect(page.locator("#consequences .tile").first).to_be_visible()


def test_the_end_of_a_batch_is_told_though_its_answer_comes_after_that_about_the_table(page: Page):
    ends: list[tuple[Route, APIResponse]] = []

    def late(route: Route) -> None:
        response = route.fetch()
        if texts.BATCH_DONE_ONE in response.text():
            ends.append((route, response))
        else:
            route.fulfill(response=response)

    page.route(ARITHMETIC, late)
    open_batch(page, [EXAMPLE])
    _until(page, ends)
    _slide(page, 90, "#batch-sensitivity")
    page.wait_for_timeout(1000)
    for route, response in ends:
        route.fulfill(response=response)
    expect(page.locator("#batch-progress")).to_have_text(texts.BATCH_DONE_ONE)
    expect(page.locator("#batch-csv")).to_be_visible()
