"""The endpoints for programs. Hidden fields give them their types; nobody sees them."""

import gradio as gr

from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.photo_tab import MODEL_AT_ONCE
from isic_screen.ui.uploads import only_uploads


def endpoints(callbacks: Callbacks) -> None:
    """`/screen`, `/batch`, `/operating_point` and `/model`."""
    with gr.Row(visible=False):
        photo, threshold, prevalence, result = gr.File(), gr.Number(value=None), gr.Number(value=None), gr.JSON()
        photos = gr.File(file_count="multiple")
        for files in (photo, photos):
            only_uploads(files, callbacks.texts)
        gr.Button().click(callbacks.api_screen, [photo, threshold], result, api_name="screen", **MODEL_AT_ONCE)
        gr.Button().click(
            callbacks.api_batch,
            [photos, threshold],
            result,
            api_name="batch",
            concurrency_limit=1,
            concurrency_id="batch",
        )
        gr.Button().click(
            callbacks.api_operating_point, [threshold, prevalence], result, api_name="operating_point", queue=False
        )
        gr.Button().click(callbacks.api_model, None, result, api_name="model", queue=False)
