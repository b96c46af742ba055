"""The tab for many photos: they are screened one after the other, and the table follows the threshold."""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from isic_screen.errors import PhotoError
from isic_screen.explain import METHODS
from isic_screen.ui import answer, batch
from isic_screen.ui.answer import Case
from isic_screen.ui.batch import FILTERS, MAX_PHOTOS, Batch
from isic_screen.ui.batch_csv import batch_csv
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.clock import CLOCK_LAST, visitors_time
from isic_screen.ui.numbers import localised
from isic_screen.ui.photo_tab import MODEL_AT_ONCE, QUICK, SESSION_SECONDS
from isic_screen.ui.threshold import Threshold, share_of
from isic_screen.ui.uploads import only_uploads

_BETWEEN_UPDATES = 0.5  # seconds: a table that changes more often cannot be read
_SAVE_CSV = "(csv) => window.isicScreenSave(csv, 'isic-screen-batch.csv', 'text/csv')"
_WHICH = "(found, pressed, ...rest) => [found, window.isicScreenOpened, ...rest]"
_SHOW_CASE = "() => document.querySelector('#batch-case').scrollIntoView({block: 'nearest'})"
_SAVE_PDF = "(pdf) => window.isicScreenSave(pdf, 'isic-screen-batch.pdf', 'application/pdf')"


@dataclass(frozen=True)
class Opened:
    """A row of the visitor's batch, shown as the tab for one photo shows it."""

    number: int
    name: str
    case: Case


def batch_tab(callbacks: Callbacks, threshold: Threshold) -> None:
    """The components and events of the tab, inside the tab's context."""
    texts, facts = callbacks.texts, callbacks.screener.facts
    # Held by the visitor's session; updated in place while a run goes on, so that what is done survives a cancel.
    found = gr.State(None, time_to_live=SESSION_SECONDS)
    opened = gr.State(None, time_to_live=SESSION_SECONDS)

    gr.HTML(f'<p class="hint">{texts.BATCH_HINT.format(most=localised(f"{MAX_PHOTOS:,}", texts))}</p>')
    files = gr.File(
        file_count="multiple",
        label=texts.BATCH_FILES,
        height=160,
        elem_id="batch-files",
    )
    only_uploads(files, texts)
    with gr.Row(elem_classes="batch-controls"):
        start = gr.Button(texts.BATCH_START, variant="primary", elem_id="batch-start")
        stop = gr.Button(texts.BATCH_STOP, elem_id="batch-stop", interactive=False)
    progress = gr.HTML("", elem_id="batch-progress")
    with gr.Row(visible=False, elem_classes="batch-controls") as controls:
        names = dict(zip(FILTERS, (texts.BATCH_ALL, texts.REFER, texts.BELOW, texts.BATCH_UNSCREENED), strict=True))
        chosen = gr.Radio(
            [(name, key) for key, name in names.items()],
            value=FILTERS[0],
            label=texts.BATCH_FILTER,
            elem_id="batch-filter",
            scale=4,
        )
        # Without a minimum or maximum: see threshold.py.
        part = gr.Number(
            1, precision=0, label=texts.BATCH_PART.format(most=1), elem_id="batch-part", scale=1, min_width=90
        )
        csv = gr.Button(texts.BATCH_CSV, elem_id="batch-csv", scale=1, min_width=120)
        pdf = gr.Button(texts.BATCH_PDF, elem_id="batch-pdf", scale=1, min_width=120)
    table = gr.HTML("", elem_id="batch-table")
    card = gr.HTML("", elem_id="batch-case")
    heat = gr.HTML("", elem_id="batch-heat")
    pressed, saved_csv, saved_pdf = (gr.Textbox(visible=False) for _ in range(3))
    with gr.Row(elem_classes="offstage"):
        open_it = gr.Button(texts.BATCH_FILE, elem_id="batch-open")  # pressed by assets/page.js for a row

    nothing, lost = (
        f'<p class="batch-progress" role="alert">{sentence}</p>'
        for sentence in (texts.BATCH_NOTHING, texts.BATCH_FORGOTTEN)
    )
    silent = ("", nothing, lost)  # what `progress` says while there is no batch

    def listed(
        batch_: Batch | None, at: float, stated: float | None, said: str, only: str, page: float | None
    ) -> dict[Any, Any]:
        if batch_ is None:
            return {table: ""} if said in silent else forgotten()
        most = batch.parts(batch_, at, only)
        shown = min(max(int(page or 1), 1), most)
        return {
            table: batch.table(batch_, callbacks.point(at), share_of(stated, facts.prevalence), only, shown, texts),
            part: gr.Number(shown, label=texts.BATCH_PART.format(most=most)),
        }

    def listed_from_the_top(
        batch_: Batch | None, at: float, stated: float | None, said: str, only: str
    ) -> dict[Any, Any]:
        return listed(batch_, at, stated, said, only, 1)

    def begun(paths: list[str] | None) -> dict[Any, Any]:
        if not paths:
            return {progress: nothing}
        return {
            found: Batch(paths=paths),
            opened: None,
            start: gr.Button(interactive=False),
            stop: gr.Button(interactive=True),
            controls: gr.Row(visible=False),
            progress: "",
            chosen: FILTERS[0],
            part: 1,
            table: "",
            card: "",
            heat: "",
        }

    def forgotten() -> dict[Any, Any]:
        """The server was started anew, or an hour has passed: it knows nothing of what the page still shows."""
        return {
            found: None,
            opened: None,
            start: gr.Button(interactive=True),
            stop: gr.Button(interactive=False),
            controls: gr.Row(visible=False),
            progress: lost,
            files: None,
            table: "",
            card: "",
            heat: "",
        }

    def run(paths: list[str] | None, batch_: Batch | None) -> Iterator[str]:
        """How far it is: with every word of it the table is listed anew, at the threshold as it is by then."""
        if not paths or batch_ is None:
            yield nothing  # without a value, Gradio would empty what `begun` has filled
            return
        uploads, started, told = batch.Uploads(paths), time.monotonic(), 0.0
        batch_.passed_over = uploads.passed_over
        yield batch.progress(0, uploads.expected, 0, texts)
        for rows in batch.screen(callbacks.screener, uploads):
            batch_.rows += rows
            now = time.monotonic()
            if now - told >= _BETWEEN_UPDATES:
                told = now
                yield batch.progress(len(batch_.rows), max(uploads.expected, len(batch_.rows)), now - started, texts)
        batch_.complete = True

    def ended(batch_: Batch | None, said: str) -> dict[Any, Any]:
        """After the last photo, a fault, or a stop: then this comes for the run and for the button, in any order."""
        at_rest = {start: gr.Button(interactive=True), stop: gr.Button(interactive=False)}
        if batch_ is None:
            return at_rest if said in silent else forgotten()
        sentence = texts.BATCH_STOPPED if batch_.stopped else texts.BATCH_FAILED
        if batch_.complete:
            one = {0: texts.BATCH_NO_PHOTO, 1: texts.BATCH_DONE_ONE}
            sentence = one.get(len(batch_.rows), texts.BATCH_DONE)
        return {
            **at_rest,
            controls: gr.Row(visible=bool(batch_.rows)),
            progress: batch.result(sentence, batch_, texts),
        }

    def halted(batch_: Batch | None, said: str) -> dict[Any, Any]:
        if batch_ is not None:
            batch_.stopped = True
        return ended(batch_, said)

    def open_case(batch_: Batch | None, number: str, at: float, stated: float | None) -> dict[Any, Any]:
        if batch_ is None:
            return forgotten()
        if not number.isdigit() or int(number) >= len(batch_.rows):
            return {opened: None, card: "", heat: ""}
        row = batch_.rows[int(number)]
        if isinstance(row.result, PhotoError):
            return {opened: None, card: answer.problem(texts.fault(str(row.result)), texts), heat: ""}
        shown = Opened(int(number), row.name, row.case(row.result))
        return {opened: shown, card: redrawn(shown, at, stated), heat: callbacks.heat(shown.case, METHODS[0])}

    def look_again(batch_: Batch | None, shown: Opened | None) -> None:
        """As on the tab for one photo: is it borderline?"""
        if batch_ is not None and shown is not None and shown.case.spread is None:
            callbacks.measure_spread(shown.case, batch_.source(shown.number))

    def redrawn(shown: Opened | None, at: float, stated: float | None) -> Any:
        if shown is None:
            return gr.skip()
        verdict = callbacks.verdict(shown.case, at, share_of(stated, facts.prevalence))
        return answer.named(shown.name, texts) + verdict

    def as_csv(batch_: Batch | None, at: float, stated: float | None, now: str) -> dict[Any, Any]:
        if batch_ is None:
            return {saved_csv: "", **forgotten()}
        point, model, on = callbacks.point(at), callbacks.screener.model, visitors_time(now)
        made = batch_csv(batch_.rows, point, share_of(stated, facts.prevalence), texts, model=model, on=on)
        # Without its mark, Excel spoils umlauts.
        return {saved_csv: base64.b64encode(made.encode("utf-8-sig")).decode()}

    def as_pdf(batch_: Batch | None, at: float, stated: float | None, now: str) -> dict[Any, Any]:
        if batch_ is None:
            return {saved_pdf: "", **forgotten()}
        made = callbacks.batch_report(batch_, at, share_of(stated, facts.prevalence), visitors_time(now))
        return {saved_pdf: base64.b64encode(made).decode()}

    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    at = [threshold.value, threshold.prevalence]
    anew = [found, opened, start, stop, controls, progress, table, card, heat]
    lost_with_it = [*anew, files]
    beginning = start.click(begun, files, [*anew, chosen, part], **private, queue=False)
    beginning.failure(forgotten, None, lost_with_it, **private, queue=False)
    # One batch at a time over all visitors, apart from the single photos, which must not wait for it.
    running = beginning.success(run, [files, found], progress, **private, concurrency_limit=1, concurrency_id="batch")
    for end in (running.then, running.failure):
        end(ended, [found, progress], lost_with_it, **private, queue=False)
    stop.click(halted, [found, progress], lost_with_it, cancels=running, **private, queue=False)
    card_anew: dict[str, Any] = {"fn": redrawn, "inputs": [opened, *at], "outputs": card}
    listing: dict[str, Any] = {
        "fn": listed,
        "inputs": [found, *at, progress, chosen, part],
        "outputs": [part, *lost_with_it],
    }
    for move in threshold.moves:
        move.then(**listing, **QUICK).then(**card_anew, **QUICK)
    gr.on([part.input, progress.change], **listing, **QUICK)
    chosen.input(listed_from_the_top, [found, *at, progress, chosen], listing["outputs"], **QUICK)
    opening = open_it.click(open_case, [found, pressed, *at], lost_with_it, js=_WHICH, **QUICK)
    opening.then(None, None, None, js=_SHOW_CASE, api_visibility="private")
    opening.then(look_again, [found, opened], None, **private, trigger_mode="always_last", **MODEL_AT_ONCE).then(
        **card_anew, **QUICK
    )
    csv.click(as_csv, [found, *at, saved_csv], [saved_csv, *lost_with_it], js=CLOCK_LAST, **private).then(
        None, saved_csv, None, js=_SAVE_CSV, api_visibility="private"
    )
    pdf.click(as_pdf, [found, *at, saved_pdf], [saved_pdf, *lost_with_it], js=CLOCK_LAST, **private).then(
        None, saved_pdf, None, js=_SAVE_PDF, api_visibility="private"
    )
