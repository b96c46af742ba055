"""When the server does not answer: nothing of another photo stays, a sentence says what to do, and the page goes on."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from isic_screen.ui.texts import Texts
from tests.browser.conftest import upload
from tests.conftest import ROOT

texts = Texts()
EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
NAEVUS = EXAMPLE.with_name("synthetic-naevus.jpg")
QUEUE = "**/queue/join*"


def _give(page: Page, file) -> None:
    page.set_input_files("#photo input[type=file]", str(file))


def _refuse(page: Page) -> None:
    """As the server does when too many wait."""
    page.route(QUEUE, lambda route: route.fulfill(status=429, json={"detail": "Too many photos are waiting."}))


@pytest.fixture
def held(page: Page) -> list[Route]:
    """Requests for the model, which wait until the test lets them go."""
    held: list[Route] = []
    page.route(QUEUE, lambda route: held.append(route))
    return held


def _arrived(page: Page, held: list[Route], count: int) -> None:
    for _ in range(300):
        if len(held) >= count:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{len(held)} of {count} requests came")


def test_a_photo_that_is_refused_has_no_answer_of_the_one_before(page: Page):
    upload(page, EXAMPLE)
    page.get_by_text(texts.REPORT, exact=True).click()
    page.get_by_label(texts.CASE_LABEL).fill("Case 17")
    _refuse(page)
    _give(page, NAEVUS)
    expect(page.locator("#answer .problem")).to_contain_text(texts.FAILED)
    expect(page.locator("#answer .problem")).to_contain_text(texts.FAILED_ADVICE)
    expect(page.locator("#answer .figure")).to_have_count(0)
    expect(page.locator("#heat img")).to_have_count(0)
    expect(page.locator("#report")).not_to_be_visible()
    page.fill("#sensitivity input[type=range]", "80")
    expect(page.locator("#consequences .tile").first).to_contain_text("80")
    expect(page.locator("#answer .problem")).to_contain_text(texts.FAILED)  # and not the old answer, at a new threshold

    page.unroute(QUEUE)
    _give(page, EXAMPLE)
    expect(page.locator("#answer .figure")).to_be_visible()
    expect(page.get_by_label(texts.CASE_LABEL)).to_have_value("")


def test_the_old_answer_is_gone_before_the_new_one_is_there(page: Page, held: list[Route]):
    _give(page, EXAMPLE)
    _arrived(page, held, 1)
    held[0].continue_()
    expect(page.locator("#answer .figure")).to_be_visible()
    _arrived(page, held, 2)  # the second look
    _give(page, NAEVUS)
    _arrived(page, held, 3)
    expect(page.locator("#answer")).to_contain_text(texts.SCREENING)
    expect(page.locator("#answer .figure")).to_have_count(0)
    expect(page.locator("#heat img")).to_have_count(0)


def test_an_answer_that_comes_after_the_next_photo_is_dropped(page: Page, held: list[Route]):
    _give(page, EXAMPLE)
    _arrived(page, held, 1)
    _give(page, NAEVUS)
    expect(page.locator("#photo img")).to_have_attribute("src", re.compile(NAEVUS.stem))
    held[0].continue_()
    _arrived(page, held, 2)  # the page only goes on when the first has been answered
    page.wait_for_timeout(500)
    expect(page.locator("#answer")).to_contain_text(texts.SCREENING)
    expect(page.locator("#answer .figure")).to_have_count(0)
    let_go = 1
    for _ in range(300):
        for route in held[let_go:]:
            route.continue_()
            let_go += 1
        if page.locator("#answer .figure").count():
            break
        page.wait_for_timeout(100)
    expect(page.locator("#answer .figure")).to_be_visible()


def test_a_batch_that_is_refused_says_so_and_can_be_started_again(page: Page):
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    page.set_input_files("#batch-files input[type=file]", str(EXAMPLE))
    expect(page.locator("#batch-files").get_by_text(EXAMPLE.stem).first).to_be_visible()
    _refuse(page)
    page.locator("#batch-start").click()
    expect(page.locator("#batch-progress")).to_contain_text(texts.BATCH_FAILED.format(photos=0))
    expect(page.locator("#batch-start")).to_be_enabled()
    page.unroute(QUEUE)
    page.locator("#batch-start").click()
    expect(page.locator("#batch-progress")).to_contain_text(texts.BATCH_DONE_ONE)
    expect(page.locator("#batch-table tbody tr")).to_have_count(1)
