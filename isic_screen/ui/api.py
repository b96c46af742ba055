"""The endpoints for programs: what they answer, and the hidden fields that give them their types."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import gradio as gr

from isic_screen.errors import PhotoError
from isic_screen.operating_point import OperatingPoint, out_of_range
from isic_screen.photo import open_photo
from isic_screen.screener import Screener, Screening
from isic_screen.ui import batch
from isic_screen.ui.photo_tab import MODEL_AT_ONCE
from isic_screen.ui.texts import Texts
from isic_screen.ui.upload import given_name
from isic_screen.ui.uploads import data_uris_too, only_uploads


def endpoints(screener: Screener, texts: Texts) -> None:
    """`/screen`, `/batch`, `/operating_point` and `/model`; over MCP, tools of these names."""
    api = Api(screener)
    with gr.Row(visible=False):
        photo, threshold, prevalence, result = gr.File(), gr.Number(value=None), gr.Number(value=None), gr.JSON()
        photos = gr.File(file_count="multiple")
        for files in (photo, photos):
            only_uploads(files, texts)
        data_uris_too(photos, texts)
        gr.Button().click(api.screen, [photo, threshold], result, api_name="screen", **MODEL_AT_ONCE)
        gr.Button().click(
            api.batch, [photos, threshold], result, api_name="batch", concurrency_limit=1, concurrency_id="batch"
        )
        gr.Button().click(api.operating_point, [threshold, prevalence], result, api_name="operating_point", queue=False)
        gr.Button().click(api.model, None, result, api_name="model", queue=False)


@dataclass(frozen=True)
class Api:
    """What the endpoints answer, as JSON.

    Every probability and every threshold (0 to 1), given or told, is on the model file's scale: it holds at the
    prevalence in the model file. `/operating_point` alone takes another prevalence, and it changes the counts of people
    and what follows from them, never the scale. A threshold that is no probability is answered with `error` alone.
    """

    screener: Screener

    def screen(self, photo: str, threshold: float | None = None) -> dict[str, Any]:
        """One photo as JSON: `probability` at `prevalence`, `threshold` on its scale, `flagged`, `quality`, `error`.

        A photo that cannot be read, or is not fit to be screened, has no probability; `error` or `quality` says why.
        Over MCP, send the photo as a data URI: addresses are not fetched.
        """
        chosen = self._threshold(threshold)
        if fault := out_of_range(chosen):
            return {**_unanswered(fault), **self._common(None)}
        found: Screening | PhotoError
        try:
            found = self.screener.screen(open_photo(photo, name=given_name(photo)))
        except PhotoError as error:
            found = error
        return {**_told(found, chosen), **self._common(chosen)}

    def batch(self, photos: list[str], threshold: float | None = None) -> dict[str, Any]:
        """Many photos, or ZIP files of photos, as JSON: `photos` holds for each what `/screen` says of one, and its
        `file`; `prevalence`, `threshold`, `model` and `error` hold for all. `passed_over` counts what is not looked at
        in ZIPs: files that are `hidden` or of a system, and `others` that are no pictures.

        A file that cannot be read has its reason in its own `error`, and the others go on. At most 1,000 photos in one
        call. Over MCP, send each as a data URI: addresses are not fetched.
        """
        chosen = self._threshold(threshold)
        if fault := out_of_range(chosen):
            return {"photos": [], "passed_over": None, "error": fault, **self._common(None)}
        uploads = batch.Uploads(photos)
        rows = (row for rows in batch.screen(self.screener, uploads) for row in rows)
        told = [{"file": row.name, **_told(row.result, chosen)} for row in rows]
        over = uploads.passed_over
        counts = {"hidden": over.hidden, "others": over.others.total()}
        return {"photos": told, "passed_over": counts, "error": None, **self._common(chosen)}

    def operating_point(self, threshold: float | None = None, prevalence: float | None = None) -> dict[str, Any]:
        """What a threshold means, as JSON: `sensitivity` and `specificity` with their 95 % intervals and counts,
        `per_1000` people, `ppv`, `npv` and `number_needed_to_refer` at `prevalence` (0 to 1).

        `threshold` is a probability on the scale of `/screen`, which holds at `threshold_prevalence`, the model file's;
        without it the model's own. Without `prevalence` the model file's: another one changes the counts of people,
        not the threshold or its scale. `other_cameras` holds `sensitivity`, `specificity` and `per_1000` without the
        photos of one camera that took almost no melanoma, or null; where the camera says nothing of the diagnosis,
        expect figures nearer to these. `error` says what was out of range.
        """
        facts = self.screener.facts
        chosen = self._threshold(threshold)
        if fault := out_of_range(chosen):
            return {"error": fault}
        stated = facts.prevalence if prevalence is None else prevalence
        if not 0 < stated < 1:
            return {"error": f"A prevalence must lie between 0 and 1, not {stated:g}."}
        point = replace(facts.operating_point(chosen), prevalence=stated)
        others = point.other_cameras and replace(point.other_cameras, prevalence=stated)
        return {
            "threshold": chosen,
            "threshold_prevalence": facts.prevalence,
            "prevalence": stated,
            **_counted(point),
            "other_cameras": others and _counted(others),
            "ppv": point.ppv,
            "npv": point.npv,
            "number_needed_to_refer": point.number_needed_to_refer,
            "error": None,
        }

    def model(self) -> dict[str, Any]:
        """What the model file says about itself, as JSON; its threshold tables are behind `/operating_point`."""
        facts = asdict(self.screener.facts)
        del facts["threshold_table"], facts["other_cameras"]
        return {**facts, "sha256": self.screener.model.sha256}

    def _threshold(self, given: float | None) -> float:
        return self.screener.facts.default_threshold if given is None else given

    def _common(self, threshold: float | None) -> dict[str, Any]:
        facts = self.screener.facts
        return {
            "prevalence": facts.prevalence,
            "threshold": threshold,
            "model": f"{facts.name} {facts.version}, SHA-256 {self.screener.model.sha256}",
        }


def _counted(point: OperatingPoint) -> dict[str, Any]:
    return {
        "sensitivity": asdict(point.sensitivity),
        "specificity": asdict(point.specificity),
        "per_1000": asdict(point.per_1000) if point.per_1000 else None,
    }


def _told(found: Screening | PhotoError, threshold: float) -> dict[str, Any]:
    if isinstance(found, PhotoError):
        return _unanswered(str(found))
    fit = found.quality.verdict != "unfit"
    return {
        "probability": found.probability if fit else None,
        "flagged": found.flagged(threshold) if fit else None,
        "quality": found.quality.summary,
        "error": None,
    }


def _unanswered(error: str) -> dict[str, Any]:
    return {"probability": None, "flagged": None, "quality": None, "error": error}
