"""The server is started anew while a page stands open: what the page still shows can be begun again."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from isic_screen.ui.texts import Texts
from tests.browser.conftest import PATIENCE_MS, open_batch, upload
from tests.conftest import ROOT
from tests.one_address import OneAddress, one_address
from tests.serving import running_app

texts = Texts()
EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[str]]:
    """The address of a server that knows no visitor. It starts while the pages of the first one are filled."""
    with ExitStack() as running, ThreadPoolExecutor(1) as pool:
        log = tmp_path_factory.mktemp("second") / "app.log"
        yield pool.submit(lambda: running.enter_context(running_app(log)))


@pytest.fixture
def restarted(address: str) -> Iterator[OneAddress]:
    with one_address(address) as opened:
        yield opened


# What the page asks the server of, and when the last answer came; the heartbeat and the queue are asked without end.
_COUNT_REQUESTS = """(() => {
  const ask = window.fetch;
  window.asked = { open: 0, last: performance.now() };
  window.fetch = async (...given) => {
    window.asked.open += 1;
    try {
      return await ask(...given);
    } finally {
      window.asked.open -= 1;
      window.asked.last = performance.now();
    }
  };
})()"""
_NOTHING_OPEN = "() => window.asked.open === 0 && performance.now() - window.asked.last > 700"


def _at_rest(page: Page) -> None:
    """Until the page asks for nothing: what is still on its way would find the other server."""
    page.wait_for_function(_NOTHING_OPEN)


def _opened(browser: Browser, address: str) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(_COUNT_REQUESTS)
    page.goto(address)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    return page


def test_what_is_shown_of_before_says_what_to_do(browser: Browser, restarted: OneAddress, second: Future[str]) -> None:
    page, empty, many = (_opened(browser, restarted.address) for _ in range(3))
    page.fill("#sensitivity input[type=range]", "80")
    upload(page, EXAMPLE)
    page.get_by_text(texts.REPORT, exact=True).click()
    page.get_by_label(texts.CASE_LABEL).fill("Case 17")
    expect(page.locator("#consequences .tile").first).to_contain_text("80")
    found = page.inner_text("#consequences .tile >> nth=0")
    open_batch(many, [EXAMPLE])
    expect(many.locator("#batch-progress")).to_have_text(texts.BATCH_DONE_ONE)
    expect(many.locator("#batch-csv")).to_be_visible()
    for each in (page, empty, many):
        _at_rest(each)

    restarted.exchange(second.result())
    page.fill("#prevalence input", "5")
    page.press("#prevalence input", "Enter")
    expect(page.locator("#answer .problem")).to_contain_text(texts.FORGOTTEN_ADVICE)
    # The threshold chosen before is the one that counts: every control still shows it.
    expect(page.locator("#consequences .sentence")).to_contain_text("50 with melanoma")
    expect(page.locator("#consequences .tile").first).to_have_text(found, use_inner_text=True)
    page.locator("#make-pdf").click()
    page.locator(".heat-controls input[role=listbox], .heat-controls .wrap input").last.click()
    page.get_by_role("option", name="EigenCAM").click()
    expect(page.locator("#heat img")).to_have_count(0)
    expect(page.locator("#answer .problem")).to_contain_text(texts.FORGOTTEN_ADVICE)
    expect(page.get_by_label(texts.CASE_LABEL)).to_have_value("Case 17")  # to be copied
    page.get_by_label("Remove Image").click()
    expect(page.locator("#answer .waiting")).to_contain_text(texts.WAITING)
    upload(page, EXAMPLE)
    expect(page.locator("#answer .figure")).to_be_visible()

    empty.fill("#sensitivity input[type=range]", "70")
    expect(empty.locator("#consequences .tile").first).to_contain_text("70")
    expect(empty.locator("#answer")).to_contain_text(texts.WAITING)

    many.locator("#batch-csv").click()
    expect(many.locator("#batch-progress")).to_have_text(texts.BATCH_FORGOTTEN)
    expect(many.locator("#batch-table tbody tr")).to_have_count(0)
    expect(many.locator("#batch-files")).not_to_contain_text(EXAMPLE.stem)
    expect(many.locator("#batch-csv")).not_to_be_visible()
    open_batch(many, [EXAMPLE])
    expect(many.locator("#batch-progress")).to_have_text(texts.BATCH_DONE_ONE)
    for each in (page, empty, many):
        each.context.close()


@pytest.mark.parametrize(
    "tell",
    [
        lambda page: page.fill("#batch-sensitivity input[type=range]", "70"),
        lambda page: page.locator("#batch-start").click(),
        lambda page: page.locator("#batch-table [data-photo]").click(),
    ],
    ids=["slider", "start", "row"],
)
def test_a_batch_of_before_asks_for_its_photos(browser: Browser, restarted: OneAddress, second: Future[str], tell):
    many = _opened(browser, restarted.address)
    open_batch(many, [EXAMPLE])
    expect(many.locator("#batch-progress")).to_have_text(texts.BATCH_DONE_ONE)
    _at_rest(many)
    restarted.exchange(second.result())
    tell(many)
    expect(many.locator("#batch-progress")).to_have_text(texts.BATCH_FORGOTTEN)
    expect(many.locator("#batch-table tbody tr")).to_have_count(0)
    expect(many.locator("#batch-files")).not_to_contain_text(EXAMPLE.stem)
    expect(many.locator("#batch-start")).to_be_enabled()
    many.context.close()
