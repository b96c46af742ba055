"""What a clinician types for the report on one photo, and the button that makes it."""

from dataclasses import dataclass

import gradio as gr

from isic_screen.ui.texts import Texts


@dataclass(frozen=True)
class ReportForm:
    """The components. It is shown where there is an answer."""

    box: gr.Accordion
    typed: list[gr.Textbox]
    """In the order of pdf.Context."""
    make: gr.Button
    note: gr.HTML
    """Why no file was saved."""


def report_form(texts: Texts) -> ReportForm:
    """The form, in the context that it stands in."""
    with gr.Accordion(texts.REPORT, open=False, visible=False, elem_id="report") as box:
        gr.HTML(f'<p class="hint">{texts.REPORT_HINT}</p>')
        with gr.Row():
            label = gr.Textbox(label=texts.CASE_LABEL, max_length=80, min_width=140)
            age = gr.Textbox(label=texts.AGE, max_length=20, min_width=80)
        with gr.Row():
            sex = gr.Textbox(label=texts.SEX, max_length=20, min_width=80)
            site = gr.Textbox(label=texts.SITE, max_length=60, min_width=140)
        note = gr.Textbox(label=texts.CLINICIANS_NOTE, lines=3, max_length=1200)
        make = gr.Button(texts.MAKE_PDF, variant="primary", elem_id="make-pdf")
        not_saved = gr.HTML("", elem_id="report-note")
    return ReportForm(box, [label, age, sex, site, note], make, not_saved)
