"""A headless Chromium and the real app, started once for all browser tests."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from isic_screen.ui.texts import Texts
from tests.serving import running_app

PATIENCE_MS = 30_000
"""For anything to appear: what other work the machine has is not what these tests are about."""
expect.set_options(timeout=PATIENCE_MS)
REQUIRED = "ISIC_SCREEN_REQUIRE_BROWSER"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set and there is no Chromium on the PATH")
        pytest.skip("needs Chromium on the PATH (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("app") / "app.log") as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, opened by a new visitor. `page.hosts` collects what it asked for, `page.faults` what went wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.hosts = set()  # type: ignore[attr-defined]
    page.faults = []  # type: ignore[attr-defined]
    page.on("request", lambda request: page.hosts.add(request.url.split("/")[2]) if "//" in request.url else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(address)
    ready(page)
    yield page
    context.close()


def ready(page: Page) -> None:
    """Wait until the page is there and its scripts have run."""
    page.wait_for_selector("#photo input[type=file]", state="attached")
    page.wait_for_function("window.isicScreen")


def upload(page: Page, file: Path) -> None:
    """Drop a file on the page and wait for its answer."""
    page.set_input_files("#photo input[type=file]", str(file))
    page.wait_for_selector("#answer .quality, #answer .problem")


def open_batch(page: Page, files: list[Path]) -> None:
    """Give the files to the tab for many photos, and start."""
    page.get_by_role("tab", name=Texts.TAB_BATCH).click()
    page.set_input_files("#batch-files input[type=file]", [str(file) for file in files])
    expect(page.locator("#batch-files").get_by_text(files[-1].stem).first).to_be_visible()
    page.locator("#batch-start").click()


def saved_by(page: Page, selector: str) -> tuple[str, bytes]:
    """The name and content of the file that a click saves."""
    with page.expect_download() as download:
        page.locator(selector).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()
