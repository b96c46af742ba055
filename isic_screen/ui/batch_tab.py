"""The tab for many photos: they are screened one after the other, and the table follows the threshold."""

import base64
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import gradio as gr

from isic_screen.errors import PhotoError
from isic_screen.photo import PHOTO_SUFFIXES
from isic_screen.ui import answer, batch
from isic_screen.ui.batch import FILTERS, MAX_PHOTOS, Batch
from isic_screen.ui.batch_csv import batch_csv
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.photo_tab import QUICK, SESSION_SECONDS, Threshold, share_of
from isic_screen.ui.uploads import only_uploads

_BETWEEN_UPDATES = 0.5  # seconds: a table that changes more often cannot be read
_SAVE_CSV = "(csv) => window.isicScreenSave(csv, 'isic-screen-batch.csv', 'text/csv')"
_WHICH = "(found, opened, ...rest) => [found, window.isicScreenOpened, ...rest]"
_SAVE_PDF = "(pdf) => window.isicScreenSave(pdf, 'isic-screen-batch.pdf', 'application/pdf')"


def batch_tab(callbacks: Callbacks, threshold: Threshold) -> None:
    """The components and events of the tab, inside the tab's context."""
    texts, facts = callbacks.texts, callbacks.screener.facts
    # Held by the visitor's session; updated in place while a run goes on, so that what is done survives a cancel.
    found = gr.State(None, time_to_live=SESSION_SECONDS)

    gr.HTML(f'<p class="hint">{texts.BATCH_HINT.format(most=f"{MAX_PHOTOS}")}</p>')
    files = gr.File(
        file_count="multiple",
        file_types=[*sorted(PHOTO_SUFFIXES), ".zip"],
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
        part = gr.Number(1, precision=0, minimum=1, label=texts.BATCH_PART, elem_id="batch-part", scale=1, min_width=90)
        csv = gr.Button(texts.BATCH_CSV, elem_id="batch-csv", scale=1, min_width=120)
        pdf = gr.Button(texts.BATCH_PDF, elem_id="batch-pdf", scale=1, min_width=120)
    table = gr.HTML("", elem_id="batch-table")
    case = gr.HTML("", elem_id="batch-case")
    opened, saved_csv, saved_pdf = (gr.Textbox(visible=False) for _ in range(3))
    with gr.Row(elem_classes="offstage"):
        open_it = gr.Button(texts.BATCH_FILE, elem_id="batch-open")  # pressed by assets/page.js for a row

    def shown(batch_: Batch | None, at: float, stated: float | None, only: str, page: float | None) -> str:
        if batch_ is None:
            return ""
        prevalence = share_of(stated, facts.prevalence)
        return batch.table(batch_, callbacks.point(at), prevalence, only, int(page or 1), texts)

    def follow(batch_: Batch | None, at: float, stated: float | None, only: str, page: float | None) -> tuple[str, Any]:
        most = 1 if batch_ is None else batch.parts(batch_, at, only)
        page = min(max(int(page or 1), 1), most)
        return shown(batch_, at, stated, only, page), gr.Number(page, maximum=most)

    nothing = f'<p class="batch-progress" role="alert">{texts.BATCH_NOTHING}</p>'

    def begun(paths: list[str] | None) -> dict[Any, Any]:
        if not paths:
            return {progress: nothing}
        return {
            found: Batch(),
            start: gr.Button(interactive=False),
            stop: gr.Button(interactive=True),
            controls: gr.Row(visible=False),
            chosen: FILTERS[0],
            part: 1,
            table: "",
            case: "",
        }

    def run(
        paths: list[str] | None, batch_: Batch | None, at: float, stated: float | None
    ) -> Iterator[tuple[str, str]]:
        if not paths or batch_ is None:
            yield nothing, ""  # without a value, Gradio would empty what `begun` has filled
            return
        expected, started, told = batch.count(paths), time.monotonic(), 0.0
        yield batch.progress(0, expected, 0, texts), ""
        for rows in batch.screen(callbacks.screener, batch.sources(paths)):
            batch_.rows += rows
            now = time.monotonic()
            if now - told >= _BETWEEN_UPDATES:
                told = now
                yield (
                    batch.progress(len(batch_.rows), max(expected, len(batch_.rows)), now - started, texts),
                    shown(batch_, at, stated, FILTERS[0], 1),
                )
        batch_.complete = True

    def ended(paths: list[str] | None, batch_: Batch | None, at: float, stated: float | None) -> dict[Any, Any]:
        """After the last photo, or after a stop: then this comes for the run and for the button, in any order."""
        if not paths or batch_ is None:
            return {found: gr.skip()}
        sentence = texts.BATCH_DONE if batch_.complete else texts.BATCH_STOPPED
        listed, number = follow(batch_, at, stated, FILTERS[0], 1)
        return {
            found: batch_,
            start: gr.Button(interactive=True),
            stop: gr.Button(interactive=False),
            controls: gr.Row(visible=bool(batch_.rows)),
            progress: f'<p class="batch-progress">{sentence.format(photos=len(batch_.rows))}</p>',
            table: listed,
            part: number,
        }

    def open_case(batch_: Batch | None, number: str, at: float, stated: float | None) -> str:
        if batch_ is None or not number.isdigit() or int(number) >= len(batch_.rows):
            return ""
        row = batch_.rows[int(number)]
        if isinstance(row.result, PhotoError):
            return answer.problem(texts.fault(str(row.result)), texts)
        prevalence = share_of(stated, facts.prevalence)
        return answer.named(row.name, texts) + "".join(callbacks.show(row.case(row.result), at, prevalence))

    def as_csv(batch_: Batch | None, at: float, stated: float | None) -> str:
        if batch_ is None:
            return ""
        made = batch_csv(batch_.rows, callbacks.point(at), share_of(stated, facts.prevalence))
        return base64.b64encode(made.encode()).decode()

    def as_pdf(batch_: Batch | None, at: float, stated: float | None) -> str:
        if batch_ is None:
            return ""
        made = callbacks.batch_report(batch_, at, share_of(stated, facts.prevalence), date.today())
        return base64.b64encode(made).decode()

    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    at = [threshold.value, threshold.prevalence]
    ends = [found, start, stop, controls, progress, table, part]
    # One batch at a time over all visitors, apart from the single photos, which must not wait for it.
    running = start.click(
        begun, files, [found, start, stop, controls, progress, chosen, part, table, case], **private, queue=False
    ).success(run, [files, found, *at], [progress, table], **private, concurrency_limit=1, concurrency_id="batch")
    running.then(ended, [files, found, *at], ends, **private, queue=False)
    stop.click(ended, [files, found, *at], ends, cancels=running, **private, queue=False)
    listing: dict[str, Any] = {"fn": follow, "inputs": [found, *at, chosen, part], "outputs": [table, part]}
    for move in threshold.moves:
        move.then(**listing, **QUICK)
    gr.on([chosen.input, part.input], **listing, **QUICK)
    open_it.click(open_case, [found, opened, *at], case, js=_WHICH, **QUICK)
    csv.click(as_csv, [found, *at], saved_csv, **private).then(
        None, saved_csv, None, js=_SAVE_CSV, api_visibility="private"
    )
    pdf.click(as_pdf, [found, *at], saved_pdf, **private).then(
        None, saved_pdf, None, js=_SAVE_PDF, api_visibility="private"
    )
