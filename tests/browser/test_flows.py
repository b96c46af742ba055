"""What a clinician does beside the first photo, wrong turns included."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from isic_screen import Screener, open_photo
from isic_screen.operating_point import restate
from isic_screen.ui.numbers import percent
from isic_screen.ui.texts import German, Texts
from tests import phone_files as phone
from tests.browser.conftest import saved_by, upload
from tests.conftest import ROOT

texts = Texts()
EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
NAEVUS = EXAMPLE.with_name("synthetic-naevus.jpg")


def _open_report(page: Page) -> None:
    page.get_by_text(texts.REPORT, exact=True).click()
    expect(page.locator("#make-pdf")).to_be_visible()


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
    name, content = saved_by(page, "#heat .save")
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
    name, content = saved_by(page, "#make-pdf")
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


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "IM000001", "notes.txt"])
def test_a_file_that_the_browser_calls_no_picture_is_read_or_told_what_it_is(page: Page, tmp_path, name):
    with Image.open(EXAMPLE) as drawn:
        photo = drawn.convert("RGB")
    files = {"IMG_0001.HEIC": phone.heic(photo), "IM000001": phone.dicom(photo.tobytes(), size=photo.size)}
    (tmp_path / name).write_bytes(files.get(name, b"age,sex"))
    upload(page, tmp_path / name)
    if name in files:
        expect(page.locator("#answer .verdict")).to_be_visible()
    else:
        expect(page.locator("#answer .problem")).to_contain_text("notes.txt is a text file, not a photo")


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
