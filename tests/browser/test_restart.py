"""The server is started anew while a page stands open: what the page still shows can be begun again."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from isic_screen.ui.texts import Texts
from tests.browser.conftest import PATIENCE_MS, open_batch, upload
from tests.conftest import ROOT
from tests.serving import running_app

texts = Texts()
EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"


def test_a_report_and_a_batch_of_before_say_what_to_do(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context()
    page, many = context.new_page(), context.new_page()
    with running_app(tmp_path / "first.log") as address:
        for each in (page, many):
            each.set_default_timeout(PATIENCE_MS)
            each.goto(address)
            each.wait_for_selector("#photo input[type=file]", state="attached")
        upload(page, EXAMPLE)
        page.get_by_text(texts.REPORT, exact=True).click()
        open_batch(many, [EXAMPLE])
        expect(many.locator("#batch-table tbody tr")).to_have_count(1)
    with running_app(tmp_path / "second.log", port=int(address.rpartition(":")[2])):
        page.locator("#make-pdf").click()
        expect(page.locator("#answer .problem")).to_contain_text(texts.FAILED_ADVICE)

        many.locator("#batch-csv").click()
        expect(many.locator("#batch-progress")).to_have_text(texts.BATCH_NOTHING)
        expect(many.locator("#batch-table tbody tr")).to_have_count(0)
        many.locator("#batch-start").click()
        expect(many.locator("#batch-files")).not_to_contain_text(EXAMPLE.stem)
        expect(many.locator("#batch-progress")).to_have_text(texts.BATCH_NOTHING)
        open_batch(many, [EXAMPLE])
        expect(many.locator("#batch-progress")).to_have_text(texts.BATCH_DONE.format(photos=1))
    context.close()
