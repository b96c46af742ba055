"""What a visitor's doings set off: the model runs for a new photo or heat-map method, never for the slider."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from isic_screen.errors import PhotoError, ScreenError
from isic_screen.explain import METHODS, Explainer, FloatMap
from isic_screen.hashing import short_hash
from isic_screen.operating_point import OperatingPoint, restate
from isic_screen.photo import open_photo
from isic_screen.screener import Screener
from isic_screen.ui import answer
from isic_screen.ui.answer import Case
from isic_screen.ui.batch import Batch
from isic_screen.ui.confusion import confusion
from isic_screen.ui.consequences import ThresholdPlot, consequences
from isic_screen.ui.roc import RocPlot
from isic_screen.ui.texts import Texts
from isic_screen.ui.upload import given_name

if TYPE_CHECKING:
    from isic_screen.ui.pdf import Context

_PREVALENCES_KEPT = 64


@dataclass(frozen=True)
class Callbacks:
    """The page's callbacks around one screener, shared by all visitors; what is a visitor's own is an argument.

    Thresholds are probabilities on the model file's scale everywhere in here; `prevalence` (0 to 1) is the clinic's,
    and what is shown is restated at it.
    """

    screener: Screener
    texts: Texts

    @cached_property
    def _plot_at(self) -> Callable[[float], ThresholdPlot]:
        table, texts = self.screener.facts.threshold_table, self.texts
        return lru_cache(_PREVALENCES_KEPT)(lambda prevalence: ThresholdPlot(table, prevalence, texts))

    @cached_property
    def _roc(self) -> RocPlot:
        return RocPlot(self.screener.facts.threshold_table, self.texts)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.screener.model.network)

    def screen(
        self, path: str | None, threshold: float, prevalence: float, method: str
    ) -> tuple[Case | None, str, str]:
        """A photo was given or taken away: the case, the verdict's HTML and the heat map's."""
        if path is None:
            return None, answer.waiting(self.texts), ""
        try:
            name = given_name(path)
            photo = open_photo(path, name=name)
            case = Case.of(photo, self.screener.screen(photo), name, short_hash(path))
        except ScreenError as error:
            return None, answer.problem(self.texts.fault(str(error)), self.texts), ""
        return case, self.verdict(case, threshold, prevalence), self.heat(case, method)

    def measure_spread(self, case: Case | None, source: str | Path | bytes | None) -> None:
        """Fill in the spread of a case's photo, where it has a probability. `source` is the photo as it was given.

        In place: by now the visitor may have another case, which must not be replaced by this one.
        """
        if case is None or source is None or case.screening.quality.verdict == "unfit":
            return
        try:
            case.spread = self.screener.spread(open_photo(source))
        except PhotoError:  # deleted since: the answer stands without it
            return

    def verdict(self, case: Case | None, threshold: float, prevalence: float) -> str:
        """The verdict's HTML, or what stands in its place while there is no case."""
        if case is None:
            return answer.waiting(self.texts)
        return answer.verdict(case, self.point(threshold), prevalence, self.texts)

    def heat(self, case: Case | None, method: str) -> str:
        """The heat map of a case by one of METHODS, or nothing where there is none to show."""
        if case is None or case.screening.quality.verdict == "unfit":
            return ""
        return answer.heat(case.photo, self._heat_map(case, method), method, self.texts)

    def _heat_map(self, case: Case, method: str) -> FloatMap:
        """Where no place spoke for melanoma, there is no map by any method: others than Grad-CAM would glow all the
        same."""
        screening = case.screening
        if method == METHODS[0] or screening.heat_map_empty:  # it came with the probability
            return screening.heat_map
        return self._explainer.heat_map(case.photo, method)

    def move(self, case: Case | None, threshold: float, prevalence: float) -> tuple[str, ...]:
        """The threshold or prevalence moved: the verdict's HTML and all of `meaning`. Pure arithmetic."""
        return self.verdict(case, threshold, prevalence), *self.meaning(threshold, prevalence)

    def meaning(self, threshold: float, prevalence: float) -> tuple[str, ...]:
        """What a threshold means, as HTML: the consequences, precision and recall, ROC curve, confusion matrix."""
        facts = self.screener.facts
        point = self.point(threshold).restated(prevalence)
        basis = self.texts.stated(facts.metrics.get("basis", ""))
        return (
            consequences(point, facts.threshold_table, basis, self.texts),
            self._plot_at(prevalence).svg(point),
            self._roc.svg(point),
            confusion(point, facts.threshold_table, self.texts),
        )

    def report(
        self, case: Case, threshold: float, prevalence: float, method: str, context: "Context", on: datetime
    ) -> bytes:
        """The case as a one-page PDF, with what was typed for it."""
        # Here and not above: the writer of PDFs takes its time to import, and few answers are printed.
        from isic_screen.ui.pdf import case_pdf

        unfit = case.screening.quality.verdict == "unfit"  # then no map is printed
        heat_map = case.screening.heat_map if unfit else self._heat_map(case, method)
        point = self.point(threshold)

        def restated(spread: tuple[float, float]) -> tuple[float, float]:
            low, high = (restate(probability, point.prevalence, prevalence) for probability in spread)
            return low, high

        return case_pdf(
            case.photo,
            case.screening,
            heat_map,
            point.restated(prevalence),
            restate(case.screening.probability, point.prevalence, prevalence),
            self.screener.model,
            context,
            self.texts,
            name=case.name,
            sha256=case.sha256,
            on=on,
            method=method,
            spread=None if case.spread is None else restated(case.spread),
        )

    def batch_report(self, batch: Batch, threshold: float, prevalence: float, on: datetime) -> bytes:
        """A batch as a PDF list."""
        from isic_screen.ui.pdf_batch import BatchRow, batch_pdf

        point = self.point(threshold)
        rows = []
        for row in batch.rows:
            if isinstance(row.result, PhotoError):
                fault = self.texts.fault(str(row.result))
                rows.append(BatchRow(row.name, None, None, fault, sha256=row.sha256))
                continue
            screened = row.answer(threshold) != "unscreened"
            rows.append(
                BatchRow(
                    row.name,
                    restate(row.result.probability, point.prevalence, prevalence) if screened else None,
                    row.result.flagged(threshold) if screened else None,
                    "; ".join(self.texts.reason(reason) for reason in row.result.quality.reasons),
                    Image.open(io.BytesIO(row.thumbnail)).convert("RGB"),
                    row.sha256,
                )
            )
        return batch_pdf(rows, point.restated(prevalence), self.screener.model, self.texts, on=on)

    def point(self, threshold: float) -> OperatingPoint:
        """What a threshold means, at the model file's prevalence."""
        return self.screener.facts.operating_point(threshold)

    def threshold_for(self, sensitivity_percent: float) -> float:
        """The threshold that stands for catching this percentage of melanomas."""
        return self.screener.facts.threshold_for_sensitivity(sensitivity_percent / 100)
