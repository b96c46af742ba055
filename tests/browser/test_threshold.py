"""Typed thresholds and prevalences count, are brought into range, and every control says what holds."""

import zipfile

import pytest
from playwright.sync_api import Page, expect

from isic_screen import Screener, open_photo
from isic_screen.ui.numbers import percent
from isic_screen.ui.texts import Texts
from tests.browser.conftest import open_batch, upload
from tests.conftest import ROOT, lesion

texts = Texts()
EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"


@pytest.fixture
def faults(page: Page) -> list[str]:
    """What the server failed at."""
    faults: list[str] = []
    page.on("response", lambda answer: faults.append(answer.url) if answer.status >= 400 else None)
    return faults


def _type(page: Page, field: str, text: str, key: str = "Enter") -> None:
    page.fill(f"{field} input", text)
    page.press(f"{field} input", key)


@pytest.mark.parametrize("key", ["Enter", "Tab"])
@pytest.mark.parametrize(
    ("field", "typed", "shown"),
    [
        ("#prevalence", "95", "90"),
        ("#prevalence", "-3", "1.8"),
        ("#threshold", "150", "100"),
        ("#threshold", "-5", "0"),
    ],
)
def test_a_number_out_of_range_is_corrected_and_the_page_goes_on(page: Page, faults, field, typed, shown, key):
    _type(page, field, typed, key)
    expect(page.locator(f"{field} input")).to_have_value(shown)
    upload(page, EXAMPLE)
    expect(page.locator("#answer .figure")).to_be_visible()
    assert faults == []


def test_an_impossible_part_of_a_list_is_corrected(page: Page, faults):
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    page.set_input_files("#batch-files input[type=file]", str(EXAMPLE))
    expect(page.locator("#batch-files").get_by_text(EXAMPLE.stem).first).to_be_visible()
    for _ in range(2):  # and screening can be started again
        page.locator("#batch-start").click()
        expect(page.locator("#batch-progress")).to_contain_text(texts.BATCH_DONE_ONE)
        expect(page.get_by_label(texts.BATCH_PART.format(most=1))).to_be_visible()
        for typed in ("0", "9"):
            page.fill("#batch-part input", typed)
            expect(page.locator("#batch-part input")).to_have_value("1")
        expect(page.locator("#batch-start")).to_be_enabled()
    assert faults == []


@pytest.mark.parametrize("key", ["Enter", "Tab"])
def test_the_sliders_show_what_a_typed_threshold_really_catches(page: Page, bundled_model, key):
    _type(page, "#threshold", "30", key)
    sensitivity = bundled_model.facts.threshold_table.at(0.3).sensitivity.value
    assert sensitivity < 0.5
    expect(page.locator("#consequences .tile").first).to_contain_text(percent(sensitivity, texts))
    on_slider = float(page.input_value("#sensitivity input[type=number]"))
    assert 0 <= 100 * sensitivity - on_slider < 0.5
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    expect(page.locator("#batch-sensitivity input[type=number]")).to_have_value(f"{on_slider:g}")


@pytest.mark.parametrize(("typed", "caught"), [("150", "100"), ("", "0")])
def test_a_sliders_number_out_of_range_is_the_nearest_in_it(page: Page, faults, typed, caught):
    page.fill("#sensitivity input[type=number]", typed)
    page.press("#sensitivity input[type=number]", "Tab")
    expect(page.locator("#sensitivity input[type=number]")).to_have_value(caught)
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    expect(page.locator("#batch-sensitivity input[type=number]")).to_have_value(caught)
    assert faults == []


def test_no_button_moves_a_slider_without_the_threshold(page: Page):
    expect(page.locator("#sensitivity input[type=range]")).to_be_visible()
    assert page.locator("#sensitivity button").count() == 0


def test_a_field_that_is_only_left_changes_nothing(page: Page):
    def stands() -> list[str]:
        fields = ("#threshold input", "#prevalence input", "#sensitivity input[type=number]")
        return [page.inner_text("#consequences"), *map(page.input_value, fields)]

    before = stands()
    page.focus("#threshold input")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.wait_for_timeout(1000)
    assert stands() == before
    page.focus("#prevalence input")
    page.fill("#threshold input", "30")  # typed before the answer about the prevalence is there
    page.wait_for_timeout(1000)
    expect(page.locator("#threshold input")).to_have_value("30")


def test_the_photo_that_is_opened_in_a_batch_follows_the_threshold_and_is_looked_at_again(page: Page, bundled_model):
    screener = Screener(bundled_model)
    low, high = screener.spread(open_photo(EXAMPLE))
    between = round(50 * (low + high), 2)  # percent
    assert low < between / 100 < high
    open_batch(page, [EXAMPLE])
    page.locator("#batch-table [data-photo]").click()
    expect(page.locator("#batch-case .why")).to_be_visible()
    expect(page.locator("#batch-heat .layer")).to_be_visible()
    page.get_by_role("tab", name=texts.TAB_PHOTO).click()
    _type(page, "#threshold", f"{between}")
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    expect(page.locator("#batch-case .why")).to_contain_text(percent(between / 100, texts))
    expect(page.locator("#batch-case .borderline")).to_contain_text(percent(low, texts))
    expect(page.locator("#batch-case .borderline")).to_contain_text(percent(high, texts))
    page.fill("#batch-sensitivity input[type=range]", "100")
    expect(page.locator("#batch-case .borderline")).to_have_count(0)


def test_a_batch_that_runs_is_listed_at_the_threshold_that_holds(page: Page, tmp_path, bundled_model):
    lesion(0, size=(900, 700)).save(tmp_path / "one.jpg")
    with zipfile.ZipFile(tmp_path / "long.zip", "w") as archive:
        for number in range(400):
            archive.write(tmp_path / "one.jpg", f"{number}.jpg")
    open_batch(page, [tmp_path / "long.zip"])
    expect(page.locator("#batch-table tbody tr").first).to_be_visible()
    page.fill("#batch-sensitivity input[type=range]", "60")
    told = percent(bundled_model.facts.threshold_table.threshold_for_sensitivity(0.6), texts)
    expect(page.locator("#batch-table .sentence")).to_contain_text(told)
    shown = page.inner_text("#batch-table p.small")
    expect(page.locator("#batch-table p.small")).not_to_have_text(shown)  # more photos are listed
    expect(page.locator("#batch-start")).to_be_disabled()  # and it still runs
    expect(page.locator("#batch-table .sentence")).to_contain_text(told)
    page.locator("#batch-stop").click()
    expect(page.locator("#batch-start")).to_be_enabled()
