"""The tables of the model card and the README, in Markdown, each from the file that holds its figures."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.speed_rows import SPEED, engine_rows, speed_rows, stage_rows
from isic_screen.artifact import Model
from isic_screen.evaluation.ablation import SHIPPED
from isic_screen.evaluation.report import estimate, rounded, table
from isic_screen.operating_point import DEFAULT_SENSITIVITY, OperatingPoint, Proportion
from isic_screen.wording import percent

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def results_table(model: Model) -> str:
    """The paper's results beside ours."""
    paper = tomllib.loads((ROOT / "train" / "paper.toml").read_text(encoding="utf-8"))
    block = reference_block(model)
    point = block["operating_points"]["paper_0.5"]
    confusion = point["confusion"]
    rows = [
        ("Split", paper["split"], model.facts.metrics["basis"]),
        ("Source", "ISIC 2020", ", ".join(model.facts.training["calibrated_on"])),
        (
            "Evaluated on",
            f"{paper['images']:,} images, {paper['melanomas']} melanomas",
            f"{block['n']:,} images of {block['groups']:,} patients, {block['positives']} melanomas",
        ),
        ("ROC AUC", f"{paper['auc']}", estimate(block["metrics"]["roc_auc"])),
        ("ROC AUC without 6000 x 4000 originals", "not reported", _without_shortcut(block)),
        (
            "Recall at an uncalibrated score of 0.5",
            f"{paper['recall']} ({paper['caught']} of {paper['melanomas']})",
            share(point["sensitivity"]),
        ),
        (
            "Precision at an uncalibrated score of 0.5, in the sample",
            f"{paper['precision']} ({paper['false_alarms']:,} false alarms)",
            f"{share(point['precision'])}, {confusion['false_positives']} false alarms",
        ),
        (
            f"Precision at an uncalibrated score of 0.5, at {percent(model.facts.prevalence)} prevalence",
            f"{paper['precision']}",
            estimate(point["precision_at_prevalence"]),
        ),
        ("Partial AUC above 80 % sensitivity (0 to 0.2)", "not reported", estimate(block["metrics"]["partial_auc"])),
    ]
    return table(("", "paper", "bundled model (95 % interval)"), rows)


def threshold_table(model: Model) -> str:
    """What the shipped thresholds mean, from the model file's own table."""
    facts = model.facts
    return _thresholds(
        {name: facts.threshold_table.at(threshold) for name, threshold in facts.operating_points.items()}
    )


def threshold_table_without_camera(model: Model) -> str:
    """The same on the photos of other cameras than the one that nearly gives the class away."""
    counted, others = model.facts.threshold_table, model.facts.other_cameras
    if others is None:
        return ""
    points = {name: others.at(threshold) for name, threshold in model.facts.operating_points.items()}
    melanomas, benign = counted.positives - others.positives, counted.negatives - others.negatives
    return (
        f"{benign} of the {counted.negatives} benign photos behind these figures, but only {melanomas} of the "
        f"{counted.positives} melanomas, have one camera's size, 6000 x 4000. In a clinic the camera does not predict the "
        "diagnosis, so expect a specificity closer to that of the same thresholds on the other photos:\n\n"
        f"{_thresholds(points)}"
    )


def skin_tones_line() -> str:
    """What of the difference between skin tones is the camera's."""
    tones = result_of("without_camera")["skin_tones"]

    def of(which: str) -> str:
        return ", ".join(
            f"{tone} {proportion(Proportion(**found[which]['specificity']))}" for tone, found in tones.items()
        )

    return (
        f"Subgroups differ in how many of their photos have the camera's size of 6000 x 4000 pixels, and a difference "
        f"between subgroups can come from the camera. Specificity at the threshold for {percent(DEFAULT_SENSITIVITY)} "
        f"sensitivity by skin tone: {of('all')}; without that camera: {of('without')}. Too few photos show other tones. "
        "(`python -m benchmarks.without_camera`)"
    )


def _thresholds(points: Mapping[str, OperatingPoint]) -> str:
    """A row for each operating point, by the name of the sensitivity that it aims at."""
    rows = []
    for name, point in points.items():
        people = point.per_1000
        if people is None:
            raise ValueError("the operating points count no melanoma or no other image")
        rows.append(
            (
                percent(float(name)),
                f"{point.threshold:.4f}",
                proportion(point.sensitivity),
                proportion(point.specificity),
                f"{people.found:.1f} found, {people.missed:.1f} missed, {people.recalled_healthy:.0f} healthy recalled",
                _number_needed(point),
            )
        )
    head = (
        "target sensitivity",
        "threshold",
        "sensitivity",
        "specificity",
        "per 1,000 people",
        "referred per melanoma found",
    )
    return table(head, rows)


def reference_block(model: Model) -> Mapping[str, Any]:
    """The figures of the source that calibration and thresholds were taken from."""
    return model.facts.metrics["sources"][model.facts.training["calibrated_on"][0]]


def sources_table(model: Model) -> str:
    """Held-out figures of every source, each by itself, at the threshold that the model ships with."""
    rows = []
    for source, block in model.facts.metrics["sources"].items():
        point = block["operating_points"][f"shipped_{DEFAULT_SENSITIVITY:.2f}"]
        rows.append(
            (
                source,
                f"{block['n']:,} ({block['positives']:,})",
                estimate(block["metrics"]["roc_auc"]),
                _without_shortcut(block),
                estimate(block["metrics"]["partial_auc"]),
                share(point["sensitivity"]),
                share(point["specificity"]),
            )
        )
    head = (
        "source",
        "images (melanomas)",
        "ROC AUC",
        "ROC AUC without 6000 x 4000",
        "partial AUC",
        "sensitivity at the shipped threshold",
        "specificity at the shipped threshold",
    )
    return table(head, rows)


def same_lesion_line() -> str:
    """How photos of the same lesion that no table links affect the figures."""
    found = result_of("same_lesion")
    tried, torn = found["tried_on_lesions_that_are_named"], found["photos_with_a_partner_in_another_fold"]
    sources = "; ".join(
        f"{source} {count}, AUC {found['auc_without_them'][source]['value']:.3f} without them instead of "
        f"{found['auc'][source]['value']:.3f} (averaged over the folds)"
        for source, count in torn.items()
    )
    return (
        f"Some photos show the same lesion without any table saying so. `python -m benchmarks.same_lesion` found "
        f"{len(found['pairs'])} such pairs by comparing each photo, point by point, with the few that look most similar to "
        f"the model. In a test it recognised {tried['of_them_taken_for_the_same']:,} of {tried['pairs_of_one_lesion']:,} "
        f"known pairs of the same lesion and mistook {tried['of_them_taken_for_one']} of "
        f"{tried['pairs_of_two_lesions']:,} random pairs of different lesions. Similar photos are harder to tell apart than "
        "random ones, so some of the pairs found may show two lesions; photos that do not look similar to the model are "
        f"never compared, so there may be more. Photos with such a partner in another fold: {sources}."
    )


def ablation_table(*, shipped_only: bool = False) -> str:
    """The effect of each choice of the recipe on the AUC; the intervals are in assets/ABLATION.md.

    `shipped_only` leaves out what is not compared with the shipped model.
    """
    results = json.loads((ROOT / "assets" / "ablation.json").read_text(encoding="utf-8"))
    groups = list(next(iter(results.values()))["auc"])
    rows = []
    for name, result in results.items():
        if shipped_only and SHIPPED not in (name, result["against"]) and name != results[SHIPPED]["against"]:
            continue
        cells = []
        for group in groups:
            cell = f"{result['auc'][group]['value']:.3f}"
            if result["difference"]:
                change = result["difference"]["auc"][group]
                matters = change["low"] is not None and (change["low"] > 0 or change["high"] < 0)
                cell += f" ({change['value']:+.3f}{'*' if matters else ''} to {result['against']})"
            cells.append(cell)
        camera = result["camera"]
        rows.append((f"{name}: {result['why']}", *cells, f"{camera['value']:.3f}" if camera else "not probed"))
    return table(("entry", *groups, "camera probe"), rows)


def novelty_table() -> str:
    """What the out-of-distribution check stops, and what it lets through."""
    result, skin = result_of("novelty"), result_of("skin_photos")
    rows = [
        (
            f"dermoscopy, {name}",
            str(group["photos"]),
            f"{group['refused']} ({percent(group['share_refused'])})",
            f"{group['refused'] + group['doubtful']} ({percent(group['share_doubtful_or_refused'])})",
            "",
        )
        for name, group in result["dermoscopy"].items()
    ]
    others = [
        *((name, group, "") for name, group in result["not dermoscopy"].items()),
        *((f"without a dermatoscope: {name}", group, " *") for name, group in skin["not dermoscopy"].items()),
    ]
    rows += [
        (
            name,
            str(group["pictures"]),
            f"{group['refused_by_distance']} by distance, {group['refused_by_distance_or_quality']} with the quality checks",
            f"{group['doubtful_or_refused_by_distance']} by distance, {group['not_called_fit']} with the quality checks",
            f"{rounded(group['auroc'])}{mark}",
        )
        for name, group, mark in others
    ]
    known = skin["training photos"].values()
    photos, above = (
        sum(source["photos"] for source in known),
        sum(source["at_or_above_the_cut_off"] for source in known),
    )
    return (
        table(("pictures", "n", "refused", "doubtful or refused", "AUROC versus held-out dermoscopy"), rows)
        + f"\n\n\\* against {photos:,} training photos instead, {above} of them at or above the cut-off"
    )


def corners_table() -> str:
    """What drawing a dermoscope's dark corners does to the scores."""
    rows = [
        (
            f"{group['source']}, {'melanoma' if group['melanoma'] else 'other'}",
            str(group["photos"]),
            f"{group['mean_logit_shift']:+.2f}",
            str(group["scored_higher"]),
            f"{group['flagged_without']} -> {group['flagged_with']}",
        )
        for group in result_of("dark_corners")["groups"]
    ]
    return table(("photos", "n", "mean change of the logit", "scored higher", "flagged without -> with"), rows)


def speed_table() -> str:
    """The benchmarks' ratios, each measured in one run."""
    return table(("", "ratio", "measured by"), speed_rows({name: result_of(name) for name in SPEED}))


def engine_table() -> str:
    """Speed and accuracy of every way to run the network."""
    head = ("engine", "one photo", "16 photos", "probability", "map", "AUC minus fp32", "")
    return table(head, engine_rows(result_of("engines")))


def stage_table() -> str:
    """Where the time of one answer goes."""
    return table(("stage", "24 megapixels", "512 pixels"), stage_rows(result_of("stages")))


def share(value: Mapping[str, Any]) -> str:
    """A counted proportion of metrics.json, with its interval and counts."""
    return f"{estimate(value)}, {value['count']} of {value['total']}"


def proportion(value: Proportion) -> str:
    """A counted proportion in percent, with Wilson's interval."""
    if value.value is None or value.low is None or value.high is None:
        return "unknown"
    return (
        f"{100 * value.value:.1f} % ({100 * value.low:.1f} to {100 * value.high:.1f}; {value.count} of {value.total})"
    )


def _without_shortcut(block: Mapping[str, Any]) -> str:
    auc = (block["camera_shortcut"] or {}).get("roc_auc")
    return "size not known" if auc is None else f"{estimate(auc)}, {auc['n']} images"


def _number_needed(point: OperatingPoint) -> str:
    needed = point.number_needed_to_refer
    return "unknown" if needed is None else f"{needed:.0f}"


def result_of(name: str) -> dict[str, Any]:
    """What a benchmark found, by its name in benchmarks/results."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
