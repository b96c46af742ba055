"""The components of the tab for many photos."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from isic_screen.ui.batch import FILTERS, MAX_PHOTOS
from isic_screen.ui.numbers import localised
from isic_screen.ui.texts import Texts
from isic_screen.ui.threshold import number_field
from isic_screen.ui.uploads import only_uploads

_ARRIVED = "() => { window.isicScreenArrived?.(); window.isicScreenArrived = null; }"


@dataclass(frozen=True)
class BatchParts:
    """In the order in which they stand."""

    files: gr.File
    start: gr.Button
    stop: gr.Button
    progress: gr.HTML
    controls: gr.Row
    chosen: gr.Radio
    part: gr.Textbox
    csv: gr.Button
    pdf: gr.Button
    note: gr.HTML
    """What became of the visitor's last doing, where it is not what they expect."""
    table: gr.HTML
    card: gr.HTML
    heat: gr.HTML
    open_it: gr.Button

    @property
    def results(self) -> list[Any]:
        """What a batch fills."""
        return [self.start, self.stop, self.controls, self.progress, self.table, self.card, self.heat]


def batch_parts(texts: Texts) -> BatchParts:
    """The components, in the context that they stand in."""
    gr.HTML(f'<p class="hint">{texts.BATCH_HINT.format(most=localised(f"{MAX_PHOTOS:,}", texts))}</p>')
    files = gr.File(
        file_count="multiple",
        label=texts.BATCH_FILES,
        height=160,
        elem_id="batch-files",
    )
    only_uploads(files, texts)
    files.upload(None, None, None, js=_ARRIVED, api_visibility="private")
    with gr.Row(elem_classes="batch-controls"):
        start = gr.Button(texts.BATCH_START, variant="primary", elem_id="batch-start")
        stop = gr.Button(texts.BATCH_STOP, elem_id="batch-stop", interactive=False)
    # Shown by assets/page.js.
    gr.HTML(
        f'<p id="batch-given" class="batch-progress" role="status" hidden>{texts.BATCH_GIVEN}</p>'
        f'<p id="batch-busy" class="number-note" role="alert" hidden>{texts.BATCH_BUSY}</p>'
    )
    note = gr.HTML("", elem_id="batch-note")
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
        part = number_field(1, texts, texts.BATCH_PART.format(most=1), info=None, elem_id="batch-part")
        csv = gr.Button(texts.BATCH_CSV, elem_id="batch-csv", scale=1, min_width=120)
        pdf = gr.Button(texts.BATCH_PDF, elem_id="batch-pdf", scale=1, min_width=120)
    table = gr.HTML("", elem_id="batch-table")
    card = gr.HTML("", elem_id="batch-case")
    heat = gr.HTML("", elem_id="batch-heat")
    with gr.Row(elem_classes="offstage"):
        open_it = gr.Button(texts.BATCH_FILE, elem_id="batch-open")  # pressed by assets/page.js for a row
    return BatchParts(files, start, stop, progress, controls, chosen, part, csv, pdf, note, table, card, heat, open_it)
