"""What a clinician does beside the first photo, wrong turns included."""

import codecs
import csv
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from isic_screen import Screener, open_photo
from isic_screen.operating_point import restate
from isic_screen.ui.numbers import percent
from isic_screen.ui.texts import German, Texts
from tests.browser.conftest import upload
from tests.conftest import ROOT, lesion

texts = Texts()
EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
NAEVUS = EXAMPLE.with_name("synthetic-naevus.jpg")


def _open_report(page: Page) -> None:
    page.get_by_text(texts.REPORT, exact=True).click()
    expect(page.locator("#make-pdf")).to_be_visible()


def _saved_by(page: Page, selector: str) -> tuple[str, bytes]:
    """The name and content of the file that a click saves."""
    with page.expect_download() as download:
        page.locator(selector).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_the_clinics_prevalence_restates_everything_and_turns_no_verdict(page: Page, bundled_model):
    upload(page, EXAMPLE)
    verdict = page.inner_text("#answer .verdict")
    page.fill("#prevalence input", "10")
    page.press("#prevalence input", "Enter")
    expect(page.locator("#consequences .sentence")).to_contain_text("100 with melanoma")
    facts = bundled_model.facts
    probability = Screener(bundled_model).screen(open_photo(EXAMPLE)).probability
    expect(page.locator("#answer .figure")).to_have_text(percent(restate(probability, facts.prevalence, 0.1), texts))
    assert page.inner_text("#answer .verdict") == verdict
    in_force = restate(facts.default_threshold, facts.prevalence, 0.1)
    assert float(page.input_value("#threshold input")) == pytest.approx(100 * in_force, rel=0.01)
    page.fill("#prevalence input", "")
    page.press("#prevalence input", "Enter")
    expect(page.locator("#prevalence input")).to_have_value(f"{100 * facts.prevalence:g}")
    expect(page.locator("#consequences .sentence")).to_contain_text("18 with melanoma")


def test_the_roc_point_and_the_table_of_counts_follow_the_slider(page: Page):
    before = page.inner_html("#roc"), page.inner_html("#confusion")
    page.fill("#sensitivity input[type=range]", "70")
    expect(page.locator("#consequences .tile").first).to_contain_text("70")
    assert page.inner_html("#roc") != before[0]
    assert page.inner_html("#confusion") != before[1]
    expect(page.locator("#confusion table")).to_be_visible()
    colours = [
        page.locator(f"#confusion td.{kind}").evaluate("cell => getComputedStyle(cell).backgroundColor")
        for kind in ("found", "missed", "total >> nth=0")
    ]
    assert len(set(colours)) == 3  # right, wrong, and no colour for the sums


def test_the_heat_map_can_be_wiped_off_by_keyboard_and_saved(page: Page):
    upload(page, EXAMPLE)
    swipe = page.locator("#heat .swipe")
    swipe.focus()
    for _ in range(3):
        page.keyboard.press("PageUp")
    wiped = int(swipe.input_value())
    assert wiped > 0
    clip = page.evaluate("getComputedStyle(document.querySelector('#heat .layer')).clipPath")
    assert f"{wiped}%" in clip
    name, content = _saved_by(page, "#heat .save")
    assert name == "isic-screen-heat-map.png"
    saved = Image.open(io.BytesIO(content))
    assert saved.format == "PNG"
    assert saved.size == tuple(
        page.evaluate("(i => [i.naturalWidth, i.naturalHeight])(document.querySelector('#heat .pictures img'))")
    )


def test_the_report_is_one_page_with_what_was_typed_and_no_more(page: Page):
    upload(page, EXAMPLE)
    probability = page.inner_text("#answer .figure")
    _open_report(page)
    page.get_by_label(texts.CASE_LABEL).fill("Case 17")
    page.get_by_label(texts.CLINICIANS_NOTE).fill("Growing for two months.")
    name, content = _saved_by(page, "#make-pdf")
    assert name == "isic-screen-report.pdf"
    report = PdfReader(io.BytesIO(content))
    assert len(report.pages) == 1
    said = re.sub(r"\s+", " ", report.pages[0].extract_text())
    for text in ("Case 17", "Growing for two months.", re.sub(r"\s+", " ", probability)):
        assert text in said
    assert "Case 17" not in str(report.metadata)
    assert page.inner_text("#answer .figure") == probability


def test_what_is_typed_the_moment_the_report_opens_stays(page: Page):
    upload(page, EXAMPLE)
    page.evaluate("""() => new MutationObserver(() => {
        for (const field of document.querySelectorAll('#report textarea:not(.typed)')) {
            field.classList.add('typed');
            field.value = 'Case 17';
            field.dispatchEvent(new Event('input', {bubbles: true}));
        }
    }).observe(document.body, {childList: true, subtree: true})""")
    _open_report(page)
    page.wait_for_timeout(1000)  # for whatever may still be on its way to the fields
    assert [field.input_value() for field in page.locator("#report textarea").all()] == 5 * ["Case 17"]


def test_nothing_typed_for_one_photo_is_found_with_the_next(page: Page):
    upload(page, EXAMPLE)
    before = page.inner_text("#answer .figure")
    _open_report(page)
    for label in (texts.CASE_LABEL, texts.AGE, texts.SEX, texts.SITE, texts.CLINICIANS_NOTE):
        page.get_by_label(label, exact=True).fill("Case 17")
    page.get_by_text(texts.REPORT, exact=True).click()  # closed, its fields are still on the page
    page.set_input_files("#photo input[type=file]", str(NAEVUS))
    page.locator("#answer .figure").filter(has_not_text=before).wait_for()
    _open_report(page)
    page.wait_for_timeout(1000)
    assert [field.input_value() for field in page.locator("#report textarea").all()] == 5 * [""]


def test_a_double_click_makes_a_report_that_is_whole(page: Page):
    upload(page, EXAMPLE)
    _open_report(page)
    with page.expect_download() as download:
        page.locator("#make-pdf").dblclick()
    assert len(PdfReader(download.value.path()).pages) == 1
    assert page.faults == []  # type: ignore[attr-defined]


def test_another_language_says_the_same(page: Page, address: str):
    german = German()
    upload(page, EXAMPLE)
    figure = page.inner_text("#answer .figure")
    page.get_by_role("link", name=german.LANGUAGE_NAME).click()
    page.wait_for_selector("#photo input[type=file]", state="attached")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    upload(page, EXAMPLE)
    expect(page.locator("#answer .figure")).to_have_text(figure.replace(".", ","))
    expect(page.locator("#answer .quality")).to_contain_text(german.PHOTO_FIT)
    shown = page.inner_text("#consequences") + page.inner_text("#answer") + page.inner_text("#plot")
    for english in ("healthy", "threshold", "melanoma ", "prevalence"):
        assert english not in shown.lower()
    page.fill("#sensitivity input[type=range]", "80")
    expect(page.locator("#consequences .tile").first).to_contain_text("80")


def test_a_slider_spun_fast_ends_where_it_stopped(page: Page):
    upload(page, EXAMPLE)
    slider = page.locator("#sensitivity input[type=range]")
    for place in [*range(51, 100, 2), 77]:
        slider.evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", str(place))
    expect(page.locator("#consequences .tile").first).to_contain_text("77")
    expect(page.locator("#sensitivity input[type=number]")).to_have_value("77")
    assert page.faults == []  # type: ignore[attr-defined]


def test_two_tabs_of_one_visitor_do_not_mix(page: Page, address: str):
    other = page.context.new_page()
    other.goto(address)
    other.wait_for_selector("#photo input[type=file]", state="attached")
    upload(page, EXAMPLE)
    upload(other, NAEVUS)
    first = page.inner_text("#answer .figure")
    page.fill("#sensitivity input[type=range]", "60")
    expect(page.locator("#consequences .tile").first).to_contain_text("60")
    assert page.inner_text("#answer .figure") == first
    assert other.inner_text("#answer .figure") != first
    expect(other.locator("#sensitivity input[type=number]")).to_have_value("95")


def test_a_picture_of_too_many_pixels_is_a_sentence(page: Page, tmp_path):
    Image.new("1", (30_000, 30_000)).save(tmp_path / "huge.png")
    upload(page, tmp_path / "huge.png")
    expect(page.locator("#answer .problem")).to_contain_text("huge.png")
    assert page.locator("#answer .figure").count() == 0


def test_a_picture_that_is_no_dermoscopy_shows_no_probability(page: Page, tmp_path):
    Image.new("RGB", (600, 400), "white").save(tmp_path / "blank.png")
    upload(page, tmp_path / "blank.png")
    expect(page.locator("#answer .quality.unfit")).to_be_visible()
    expect(page.locator("#answer")).to_contain_text(texts.UNFIT_ADVICE)
    assert page.locator("#answer .figure").count() == 0
    assert page.locator("#heat img").count() == 0


def test_on_a_slow_network_the_threshold_can_be_chosen_while_the_photo_travels(page: Page, tmp_path):
    with Image.open(EXAMPLE) as drawn:
        drawn.resize((1600, 1200)).save(tmp_path / "photo.png")
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 50, "downloadThroughput": 500_000, "uploadThroughput": 400_000}
    network.send("Network.emulateNetworkConditions", slow)
    page.set_input_files("#photo input[type=file]", str(tmp_path / "photo.png"))
    page.fill("#sensitivity input[type=range]", "85")
    expect(page.locator("#consequences .tile").first).to_contain_text("85")
    page.wait_for_selector("#answer .verdict", timeout=60_000)
    threshold = float(page.input_value("#threshold input"))
    expect(page.locator("#answer .why")).to_contain_text(percent(threshold / 100, texts))


def test_everything_can_be_reached_by_keyboard(page: Page):
    upload(page, EXAMPLE)
    wanted = {
        "#photo",
        "#sensitivity",
        "#presets",
        "#threshold",
        "#prevalence",
        "#heat .swipe",
        "#heat .save",
        "#report",
    }
    reached = set()
    page.locator("body").press("Tab")
    for _ in range(80):
        reached |= set(
            page.evaluate("wanted => wanted.filter(s => document.activeElement?.closest(s))", sorted(wanted))
        )
        if reached == wanted:
            break
        page.keyboard.press("Tab")
    assert reached == wanted


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser, address, scheme, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_text("Dear colleague,")
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    upload(page, EXAMPLE)
    found = _serious_faults(page)
    _open_batch(page, [EXAMPLE, NAEVUS, broken])
    expect(page.get_by_text(texts.BATCH_DONE.format(photos=3))).to_be_visible()
    page.locator("#batch-table [data-photo]").first.click()
    found += _serious_faults(page)
    page.get_by_role("tab", name=texts.TAB_ABOUT).click()
    found += _serious_faults(page)
    context.close()
    assert not found, json.dumps(found, indent=1)


def _serious_faults(page: Page) -> list[dict[str, object]]:
    page.wait_for_timeout(700)  # Gradio's fades: contrast is measured on what has arrived
    return [
        {"rule": fault["id"], "where": [node["target"] for node in fault["nodes"]][:5]}
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


def _open_batch(page: Page, files: list[Path]) -> None:
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    page.set_input_files("#batch-files input[type=file]", [str(file) for file in files])
    expect(page.locator("#batch-files").get_by_text(files[-1].stem).first).to_be_visible()
    page.locator("#batch-start").click()


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
    _open_batch(page, many)
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

    name, content = _saved_by(page, "#batch-csv")
    assert name == "isic-screen-batch.csv"
    assert content.startswith(codecs.BOM_UTF8)  # or a spreadsheet would not show "ü"
    assert len(list(csv.DictReader(io.StringIO(content.decode())))) == 7
    name, content = _saved_by(page, "#batch-pdf")
    assert name == "isic-screen-batch.pdf"
    assert "broken.jpg" in "".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(content)).pages)


def test_a_batch_fits_on_a_phone(page: Page, many):
    page.set_viewport_size({"width": 390, "height": 800})
    _open_batch(page, many)
    expect(page.get_by_text(texts.BATCH_DONE.format(photos=7))).to_be_visible()
    page.locator("#batch-table [data-photo]").first.click()
    expect(page.locator("#batch-case .probability")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    remark = page.locator("#batch-table td.remark").first.bounding_box()
    assert remark["x"] + remark["width"] <= 390


def test_a_row_of_a_batch_opens_its_case(page: Page, many):
    _open_batch(page, [file for file in many if file.suffix == ".png"])
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
    _open_batch(page, photos)
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
    _open_batch(page, [tmp_path / "long.zip"])
    expect(page.locator("#batch-table tbody tr").first).to_be_visible()
    page.locator("#batch-stop").click()
    expect(page.locator("#batch-progress")).to_contain_text("Stopped after")
    # The few photos that were under way are still listed.
    page.wait_for_function(
        """() => {
            const count = (place, form) => document.querySelector(place).innerText.match(form)?.[1];
            const told = count('#batch-progress', /after (\\d+)/);
            return told && told === count('#batch-table', /of (\\d+), the/);
        }"""
    )
    counted = int(re.search(r"after (\d+)", page.inner_text("#batch-progress")).group(1))
    assert 0 < counted < 400
    expect(page.locator("#batch-start")).to_be_enabled()


def test_a_batch_of_nothing_is_a_sentence(page: Page):
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    page.locator("#batch-start").click()
    expect(page.get_by_text(texts.BATCH_NOTHING)).to_be_visible()
    page.wait_for_timeout(1500)  # until what the click set off has come to its end
    expect(page.get_by_text(texts.BATCH_NOTHING)).to_be_visible(timeout=1)
