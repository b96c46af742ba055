"""The tab for many photos: what is listed, filtered, opened, stopped and saved."""

import codecs
import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from isic_screen.ui.texts import Texts
from tests.browser.conftest import open_batch, saved_by
from tests.conftest import ROOT, lesion

texts = Texts()
EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
NAEVUS = EXAMPLE.with_name("synthetic-naevus.jpg")


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("many")
    for number in range(5):  # the model knows drawings like these; simpler ones it refuses
        with Image.open(EXAMPLE if number % 2 else NAEVUS) as drawn:
            drawn.rotate(90 * number, expand=True).save(folder / f"photo-{number}.png")
    (folder / "broken.jpg").write_text("no photo")
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.write(EXAMPLE, "inside/example.jpg")
    return sorted(folder.iterdir())


def test_a_batch_is_listed_filtered_saved_and_follows_the_threshold(page: Page, many):
    open_batch(page, many)
    rows = page.locator("#batch-table tbody tr")
    expect(page.locator("#batch-progress")).to_contain_text("All 7 photos are done.")
    expect(rows).to_have_count(7)
    expect(rows.last).to_contain_text("broken.jpg")
    expect(page.locator("#batch-table")).to_contain_text("inside/example.jpg")
    shown = page.inner_text("#batch-table .sentence")

    page.fill("#batch-sensitivity input[type=range]", "50")
    expect(page.locator("#batch-table .sentence")).not_to_have_text(shown)
    expect(page.locator("#sensitivity input[type=number]")).to_have_value("50")
    referred = int(re.search(r"(\d+) to refer", page.inner_text("#batch-table .sentence")).group(1))
    page.locator("#batch-filter").get_by_label(texts.REFER, exact=True).check()
    expect(rows).to_have_count(referred)
    page.locator("#batch-filter").get_by_label(texts.BATCH_UNSCREENED, exact=True).check()
    expect(rows).to_have_count(1)

    name, content = saved_by(page, "#batch-csv")
    assert name == "isic-screen-batch.csv"
    assert content.startswith(codecs.BOM_UTF8)  # or a spreadsheet would not show "ü"
    assert len(list(csv.DictReader(io.StringIO(content.decode())))) == 7
    name, content = saved_by(page, "#batch-pdf")
    assert name == "isic-screen-batch.pdf"
    assert "broken.jpg" in "".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(content)).pages)


def test_a_batch_fits_on_a_phone(page: Page, many):
    page.set_viewport_size({"width": 390, "height": 800})
    open_batch(page, many)
    expect(page.get_by_text(texts.BATCH_DONE.format(photos=7))).to_be_visible()
    page.locator("#batch-table [data-photo]").first.click()
    expect(page.locator("#batch-case .probability")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    remark = page.locator("#batch-table td.remark").first.bounding_box()
    assert remark["x"] + remark["width"] <= 390


def test_a_row_of_a_batch_opens_its_case(page: Page, many):
    open_batch(page, [file for file in many if file.suffix == ".png"])
    expect(page.locator("#batch-progress")).to_contain_text("All 5 photos are done.")
    button = page.locator("#batch-table [data-photo]").nth(2)
    name, probability = button.inner_text(), page.locator("#batch-table td.number").nth(2).inner_text()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#batch-case .case-name")).to_contain_text(name)
    expect(page.locator("#batch-case .figure")).to_have_text(probability)


def test_a_filter_begins_with_the_most_probable_and_a_case_far_down_comes_into_view(page: Page, tmp_path):
    photos = []
    for number in range(51):
        with Image.open(EXAMPLE) as drawn:
            photos.append(tmp_path / f"photo-{number:02}.jpg")
            drawn.resize((320, 240)).save(photos[-1])
    open_batch(page, photos)
    expect(page.locator("#batch-progress")).to_contain_text("All 51 photos are done.")
    page.locator("#batch-table [data-photo]").first.click()
    expect(page.locator("#batch-case .verdict")).to_be_in_viewport()
    page.fill("#batch-part input", "2")
    expect(page.locator("#batch-table tbody tr")).to_have_count(1)
    for chosen in (texts.REFER, texts.BATCH_ALL):
        page.locator("#batch-filter").get_by_label(chosen, exact=True).check()
        expect(page.locator("#batch-table tbody tr")).to_have_count(50)
        expect(page.locator("#batch-part input")).to_have_value("1")


def test_a_batch_can_be_stopped_and_keeps_what_it_has(page: Page, tmp_path):
    picture = io.BytesIO()
    lesion(0, size=(1200, 900)).save(picture, "JPEG")
    with zipfile.ZipFile(tmp_path / "long.zip", "w") as archive:
        for number in range(400):
            archive.writestr(f"{number}.jpg", picture.getvalue())
    open_batch(page, [tmp_path / "long.zip"])
    expect(page.locator("#batch-table tbody tr").first).to_be_visible()
    page.locator("#batch-stop").click()
    expect(page.locator("#batch-progress")).to_contain_text("Stopped.")
    # The few photos that were under way are still listed.
    page.wait_for_function(
        """() => {
            const count = (place, form) => document.querySelector(place).innerText.match(form)?.[1];
            const told = count('#batch-progress', /done: (\\d+)/);
            return told && told === count('#batch-table', /of (\\d+), the/);
        }"""
    )
    counted = int(re.search(r"done: (\d+)", page.inner_text("#batch-progress")).group(1))
    assert 0 < counted < 400
    expect(page.locator("#batch-start")).to_be_enabled()


def test_a_double_click_starts_one_batch_that_comes_to_its_end(page: Page):
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    page.set_input_files("#batch-files input[type=file]", str(EXAMPLE))
    expect(page.locator("#batch-files").get_by_text(EXAMPLE.stem).first).to_be_visible()
    page.locator("#batch-start").dblclick()
    expect(page.locator("#batch-progress")).to_have_text(texts.BATCH_DONE_ONE)
    expect(page.locator("#batch-table tbody tr")).to_have_count(1)


def test_a_batch_of_nothing_is_a_sentence(page: Page):
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    page.locator("#batch-start").click()
    expect(page.get_by_text(texts.BATCH_NOTHING)).to_be_visible()
    page.wait_for_timeout(1500)  # until what the click set off has come to its end
    expect(page.get_by_text(texts.BATCH_NOTHING)).to_be_visible(timeout=1)
