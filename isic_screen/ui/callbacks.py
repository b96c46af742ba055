"""What a visitor's doings set off: the model runs for a new photo or heat-map method, never for the slider."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from isic_screen.errors import PhotoError
from isic_screen.explain import METHODS, Explainer
from isic_screen.operating_point import OperatingPoint
from isic_screen.photo import open_photo
from isic_screen.screener import Screener
from isic_screen.ui import answer
from isic_screen.ui.answer import Case
from isic_screen.ui.consequences import ThresholdPlot, consequences


@dataclass(frozen=True)
class Callbacks:
    """The page's callbacks around one screener, shared by all visitors; what is a visitor's own is an argument."""

    screener: Screener

    @cached_property
    def _plot(self) -> ThresholdPlot:
        return ThresholdPlot(self.screener.facts.threshold_table)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.screener.model.network)

    def screen(self, path: str | None, threshold: float, method: str) -> tuple[Case | None, str, str]:
        """A photo was given or taken away: the case, the verdict's HTML and the heat map's."""
        if path is None:
            return None, answer.waiting(), ""
        try:
            photo = open_photo(path)
        except PhotoError as error:
            return None, answer.problem(str(error)), ""
        case = Case.of(photo, self.screener.screen(photo))
        return case, answer.verdict(case.screening, self.point(threshold)), self.heat(case, method)

    def heat(self, case: Case | None, method: str) -> str:
        """The heat map of a case by one of METHODS, or nothing where there is none to show."""
        if case is None or case.screening.quality.verdict == "unfit":
            return ""
        if method == METHODS[0]:  # it came with the probability
            return answer.heat(case.photo, case.screening.heat_map)
        return answer.heat(case.photo, self._explainer.heat_map(case.photo, method))

    def move(self, case: Case | None, threshold: float) -> tuple[str, str, str]:
        """The threshold moved: the verdict's HTML, the consequences' and the plot's. Pure arithmetic."""
        point = self.point(threshold)
        shown = answer.waiting() if case is None else answer.verdict(case.screening, point)
        return shown, *self.meaning(point)

    def meaning(self, point: OperatingPoint) -> tuple[str, str]:
        """What an operating point means: the consequences' HTML and the plot's."""
        facts = self.screener.facts
        basis = facts.metrics.get("basis", "")
        return consequences(point, facts.threshold_table, basis), self._plot.svg(point)

    def point(self, threshold: float) -> OperatingPoint:
        return self.screener.facts.threshold_table.at(threshold)

    def threshold_for(self, sensitivity_percent: float) -> float:
        """The threshold that catches at least this percentage of melanomas."""
        return self.screener.facts.threshold_table.threshold_for_sensitivity(sensitivity_percent / 100)

    def api_screen(self, photo: str, threshold: float | None = None) -> dict[str, Any]:
        """One photo as JSON: `probability` at `prevalence`, `threshold` on its scale, `flagged`, `quality`, `error`.

        A photo that cannot be read, or is not fit to be screened, has no probability; `error` or `quality` says why.
        """
        facts = self.screener.facts
        chosen = facts.default_threshold if threshold is None else threshold
        result: dict[str, Any] = {
            "probability": None,
            "prevalence": facts.prevalence,
            "threshold": chosen,
            "flagged": None,
            "quality": None,
            "error": None,
            "model": f"{facts.name} {facts.version}, SHA-256 {self.screener.model.sha256}",
        }
        try:
            screening = self.screener.screen(open_photo(photo))
        except PhotoError as error:
            return {**result, "error": str(error)}
        result["quality"] = screening.quality.summary
        if screening.quality.verdict == "unfit":
            return result
        return {**result, "probability": screening.probability, "flagged": screening.flagged(chosen)}

    def api_operating_point(self, threshold: float | None = None, prevalence: float | None = None) -> dict[str, Any]:
        """What a threshold means, as JSON: `sensitivity` and `specificity` with their 95 % intervals and counts,
        `per_1000` people, `ppv`, `npv` and `number_needed_to_refer` at `prevalence` (0 to 1).

        `threshold` is a probability on the scale of `/screen`; without it the model's own. Without `prevalence` the
        model file's: another one changes the counts of people, not the threshold. `error` says what was out of range.
        """
        facts = self.screener.facts
        chosen = facts.default_threshold if threshold is None else threshold
        stated = facts.prevalence if prevalence is None else prevalence
        if not 0 <= chosen <= 1 or not 0 < stated < 1:
            return {
                "error": f"threshold must lie in 0 to 1 and prevalence between them, got {chosen:g} and {stated:g}."
            }
        point = replace(self.point(chosen), prevalence=stated)
        return {
            "threshold": chosen,
            "prevalence": stated,
            "sensitivity": asdict(point.sensitivity),
            "specificity": asdict(point.specificity),
            "per_1000": asdict(point.per_1000) if point.per_1000 else None,
            "ppv": point.ppv,
            "npv": point.npv,
            "number_needed_to_refer": point.number_needed_to_refer,
            "error": None,
        }

    def api_model(self) -> dict[str, Any]:
        """What the model file says about itself, as JSON; the threshold table is behind `/operating_point`."""
        facts = asdict(self.screener.facts)
        del facts["threshold_table"]
        return {**facts, "sha256": self.screener.model.sha256}
