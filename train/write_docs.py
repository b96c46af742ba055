"""Write every figure of the model card and the README from the files that hold it.

    python train/write_docs.py

Reads the bundled model file (its facts and the evaluation inside), the paper's results in train/paper.toml and the
benchmarks' results. Writes assets/MODEL_CARD.md, and in README.md and docs/speed.md what stands between
`<!-- generated: NAME -->` and `<!-- end -->`. A test checks that running it changes nothing.
"""

import json
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run from a clone: the package is not installed

from benchmarks.speed_rows import SPEED, engine_rows, speed_rows, stage_rows  # noqa: E402
from isic_screen.artifact import Model, load_model  # noqa: E402
from isic_screen.evaluation.report import METRIC_LABELS, camera_line, estimate, table  # noqa: E402
from isic_screen.operating_point import DEFAULT_SENSITIVITY, OperatingPoint, Proportion  # noqa: E402
from isic_screen.training.recipe import load_recipe  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
WITH_GENERATED = (ROOT / "README.md", ROOT / "docs" / "speed.md")
EVALUATION = ROOT / "assets" / "evaluation"
CORNERS_HARMLESS = 0.1
"""Drawn corners that change the mean logit by less than this, and hardly a decision, are not called a fault."""


def main() -> None:
    """Rewrite the files in place."""
    model = load_model()
    (ROOT / "assets" / "MODEL_CARD.md").write_text(model_card(model), encoding="utf-8")
    for file in WITH_GENERATED:
        file.write_text(with_generated(file.read_text(encoding="utf-8"), model), encoding="utf-8")


def with_generated(text: str, model: Model) -> str:
    """A document with its generated parts filled in; KeyError for a part that nobody knows how to write."""
    parts = {
        "results": results_table(model),
        "sources": sources_table(model),
        "ablation": ablation_table(),
        "novelty": novelty_table(),
        "thresholds": threshold_table(model),
        "speed": speed_table(),
        "engines": engine_table(),
        "stages": stage_table(),
    }

    def fill(match: re.Match[str]) -> str:
        return f"<!-- generated: {match[1]} -->\n{parts[match[1]]}\n<!-- end -->"

    return re.sub(r"<!-- generated: (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def results_table(model: Model) -> str:
    """The paper's results beside ours."""
    paper = tomllib.loads((ROOT / "train" / "paper.toml").read_text(encoding="utf-8"))
    block = reference_block(model)
    point = block["operating_points"]["paper_0.5"]
    confusion = point["confusion"]
    rows = [
        ("Split", paper["split"], f"by patient or lesion; {model.facts.metrics['basis']}"),
        ("Source", "ISIC 2020", ", ".join(model.facts.training["calibrated_on"])),
        (
            "Evaluated on",
            f"{paper['images']:,} images, {paper['melanomas']} melanomas",
            f"{block['n']:,} images of {block['groups']:,} patients, {block['positives']} melanomas",
        ),
        ("ROC AUC", f"{paper['auc']}", estimate(block["metrics"]["roc_auc"])),
        ("ROC AUC without 6000 x 4000 originals", "not reported", _without_shortcut(block)),
        (
            "Recall at its own 0.5",
            f"{paper['recall']} ({paper['caught']} of {paper['melanomas']})",
            share(point["sensitivity"]),
        ),
        (
            "Precision at its own 0.5, in the sample",
            f"{paper['precision']} ({paper['false_alarms']:,} false alarms)",
            f"{share(point['precision'])}, {confusion['false_positives']} false alarms",
        ),
        (
            f"Precision at its own 0.5, at {percent(model.facts.prevalence)} melanomas",
            f"{paper['precision']}",
            estimate(point["precision_at_prevalence"]),
        ),
        ("Partial AUC above 80 % sensitivity (0 to 0.2)", "not reported", estimate(block["metrics"]["partial_auc"])),
    ]
    return table(("", "paper", "bundled model (95 % interval)"), rows)


def threshold_table(model: Model) -> str:
    """What the shipped thresholds mean, from the model file's own table."""
    rows = []
    for name, threshold in model.facts.operating_points.items():
        point = model.facts.threshold_table.at(threshold)
        people = point.per_1000
        if people is None:
            raise ValueError("the model file's threshold table counts no melanoma or no other image")
        rows.append(
            (
                percent(float(name)),
                f"{threshold:.4f}",
                proportion(point.sensitivity),
                proportion(point.specificity),
                f"{people.found:.1f} found, {people.missed:.1f} missed, {people.recalled_healthy:.0f} healthy recalled",
                _number_needed(point),
            )
        )
    head = (
        "sensitivity aimed at",
        "threshold",
        "sensitivity",
        "specificity",
        "of 1,000 people",
        "referred per melanoma",
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
        "sensitivity as shipped",
        "specificity as shipped",
    )
    return table(head, rows)


def ablation_table() -> str:
    """What each choice of the recipe is worth, in AUC; the intervals are in assets/ABLATION.md."""
    results = json.loads((ROOT / "assets" / "ablation.json").read_text(encoding="utf-8"))
    groups = list(next(iter(results.values()))["auc"])
    rows = []
    for name, result in results.items():
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
    return table(("entry", *groups, "camera told"), rows)


def novelty_table() -> str:
    """What the distance to the training photos stops, and what it lets through."""
    result = _result("novelty")
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
    rows += [
        (
            name,
            str(group["pictures"]),
            f"{group['refused_by_distance']} by distance, {group['refused_by_distance_or_quality']} with the quality checks",
            f"{group['doubtful_or_refused_by_distance']} by distance, {group['not_called_fit']} with the quality checks",
            f"{group['auroc_against_held_out_dermoscopy']:.3f}",
        )
        for name, group in result["not dermoscopy"].items()
    ]
    return table(("pictures", "n", "refused", "doubtful or refused", "AUROC against held-out dermoscopy"), rows)


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
        for group in _result("dark_corners")["groups"]
    ]
    return table(("photos", "n", "mean shift of the logit", "scored higher", "flagged, without -> with"), rows)


def speed_table() -> str:
    """The benchmarks' ratios, each measured in one run."""
    return table(("", "ratio", "measured by"), speed_rows({name: _result(name) for name in SPEED}))


def engine_table() -> str:
    """What every way to run the network gained, and what it cost."""
    head = ("engine", "one photo", "16 photos", "probability", "map", "AUC less fp32's", "")
    return table(head, engine_rows(_result("engines")))


def stage_table() -> str:
    """Where the time of one answer goes."""
    return table(("stage", "24 megapixels", "512 pixels"), stage_rows(_result("stages")))


def model_card(model: Model) -> str:
    """The whole card, in the sections of Mitchell et al., Model Cards for Model Reporting (2019)."""
    facts, training = model.facts, model.facts.training
    block = reference_block(model)
    metrics = block["metrics"]
    sources = [
        (
            name,
            f"{counts['images']:,}",
            f"{counts['melanomas']:,}",
            f"{counts['groups']:,}",
            training["table_sha256"][name],
        )
        for name, counts in training["sources"].items()
    ]
    figures = "\n\n".join(f"![{title}](evaluation/figures/{file.name})" for title, file in _figures())
    training_part = training["training_part"]
    return f"""<!-- Written by train/write_docs.py from the model file; edit that, not this. -->
# Model card: {facts.name} {facts.version}

{facts.intended_use}

| | |
|---|---|
| File | `model.safetensors`, SHA-256 `{model.sha256}` |
| Network | {_network(model)} |
| Weights | {_weights()} |
| Input | the whole photo resized to {facts.input.size} x {facts.input.size} pixels, {facts.input.interpolation} |
| Output | calibrated probability of melanoma at a prevalence of {percent(facts.prevalence)} |
| Trained | {training["date"]}, by {_commands(model)} |
| Licence | {facts.licence} |

## Limits

{_list(facts.limits)}

## Training data

{table(("source", "images", "melanomas", "patients or lesions", "SHA-256 of its table"), sources)}

The model was trained on all {training_part["images"]:,} images of {training_part["groups"]:,} patients or lesions \
({training_part["melanomas"]:,} melanomas). How good it is was measured on twins of it: {facts.metrics["basis"]}.

## Evaluation

On {", ".join(training["calibrated_on"])}, which calibration and thresholds come from; {facts.metrics["basis"]}. {block["n"]} images of {block["groups"]} patients, {block["positives"]} melanomas; \
{percent(block["sample_prevalence"])} of the sample are melanomas, which is why everything that depends on \
prevalence is restated at {percent(facts.prevalence)}.

{table(("", "value (95 % interval)"), [(label, estimate(metrics[name])) for name, label in METRIC_LABELS.items()])}

{camera_line(block)}

The Brier score of telling everyone the prevalence would be {facts.metrics["brier_reference"]:.4f}.

### By source

Each source by itself, never pooled, at the shipped threshold for {percent(DEFAULT_SENSITIVITY)} sensitivity. \
Thresholds do not carry over to other cameras and clinics unchecked: compare the sensitivity with the one aimed at. \
By sex, age, site, skin tone, camera and sharpness: [evaluation/report.md](evaluation/report.md).

{sources_table(model)}

### What each choice is worth

Shorter runs of the recipe than the shipped one, on the same folds: AUC, and in brackets the difference to another entry \
(* where its 95 % interval leaves out 0; all intervals are in [ABLATION.md](ABLATION.md)). *Camera told*: AUC with which \
a linear probe on the features tells 6000x4000 originals among benign photos; 0.5 would mean that it cannot.

{ablation_table()}

### Dark corners

The same photos scored without and with the dark corners of a round field of view drawn over them, by \
`python -m benchmarks.dark_corners`; the lesion stays as it was, so a sound model hardly moves. These photos are \
training photos of the shipped model. {_corners_verdict()}

{corners_table()}

### Photos that are not dermoscopy

The model file holds what its training photos look like to the network; a photo unlike them is doubtful, one too unlike them refused. Measured by \
`python -m benchmarks.novelty`, dermoscopy with cut-offs of folds that did not see it. Photos of skin without a \
dermatoscope were not at hand: that they are refused is not known.

{novelty_table()}

### Does the heat map mean anything?

{_result("heat_map_sanity")["conclusion"]} (`python -m benchmarks.heat_map_sanity`)

## Thresholds

{threshold_table(model)}

Sensitivity and specificity are counted on the same held-out predictions that the thresholds were chosen on; intervals \
are Wilson's.

## Against the paper

{results_table(model)}

The paper split by image, so that patients stood on both sides, and measured on the full set at 1.8 % melanomas. The \
two columns are therefore not a contest: ours is measured on few benign images, and on no patient it saw.

## Figures

{figures}

## Citation

{facts.citation}

Attribution: ISIC 2020: Rotemberg et al., Sci Data 8, 34 (2021), CC BY-NC 4.0. HAM10000: Tschandl et al., Sci Data 5, \
180161 (2018), CC BY-NC 4.0. ISIC 2017: Codella et al., ISBI 2018. Backbone weights: EfficientNet-Lite0, \
ImageNet, Apache-2.0.
"""


def _network(model: Model) -> str:
    facts = model.facts
    names = facts.backbone.split("+")
    head = f"head Dropout({facts.dropout:g}) -> Linear({facts.hidden // len(names)}) + ReLU -> Linear(1)"
    recipe = facts.training["recipe"]
    tuned = "frozen" if recipe["method"] == "head" else f"fine-tuned but for the first {recipe['frozen_stages']} stages"
    one = f"timm `{names[0]}` (ImageNet weights, {tuned}), {head}"
    if len(names) == 1:
        return one
    return f"a committee of {len(names)}, whose logit is the mean of theirs, each a {one}"


def _weights() -> str:
    """What storing the large weights in eight bits costs."""
    engines = _result("engines")["engines"]
    auc = next(engine["auc_less_fp32"] for engine in engines if "eight bits" in engine["engine"])
    return (
        "large ones in eight bits, the others in half precision; AUC less that of full precision "
        f"{auc['value']:+.4f} ({auc['low']:+.4f} to {auc['high']:+.4f}, on {auc['n']} photos that its network of cross-validation had not seen)"
    )


def _commands(model: Model) -> str:
    """What was typed to make the model, its members first, whose recipes bear the names of their runs."""
    training = model.facts.training
    last = training["command"]
    data = re.match(r"python train/run\.py((?: --data \S+)+)", last)
    if not training.get("members") or data is None:
        return f"`{last}`"
    typed = []
    for member in training["members"]:
        recipe = "" if _recipe_of("screen") == member["recipe"] else f" --recipe {member['run']}"
        if recipe and _recipe_of(member["run"]) != member["recipe"]:
            raise ValueError(f"train/recipes has no recipe of the member {member['run']}")
        typed.append(f"`python train/run.py{data[1]}{recipe} --out runs/{member['run']}`")
    return ", ".join(typed) + f", and then `{last}`"


def _recipe_of(name: str) -> dict[str, Any]:
    recipe = load_recipe(name)
    return {"method": recipe.method, **asdict(recipe)}


def _corners_verdict() -> str:
    groups = _result("dark_corners")["groups"]
    shift = max(abs(group["mean_logit_shift"]) for group in groups)
    changed = max(abs(group["flagged_with"] - group["flagged_without"]) / group["photos"] for group in groups)
    told = f"The mean logit moves by up to {shift:.2f}, and up to {percent(changed)} more or fewer photos are flagged"
    if shift < CORNERS_HARMLESS:
        return f"{told}."
    return f"**{told}**: corners still count. Crop them away where you can."


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


def percent(value: float) -> str:
    """A share as a percentage without needless digits."""
    return f"{100 * value:.3g} %"


def _without_shortcut(block: Mapping[str, Any]) -> str:
    auc = (block["camera_shortcut"] or {}).get("roc_auc")
    return "size not known" if auc is None else f"{estimate(auc)}, {auc['n']} images"


def _number_needed(point: OperatingPoint) -> str:
    needed = point.number_needed_to_refer
    return "unknown" if needed is None else f"{needed:.0f}"


def _figures() -> list[tuple[str, Path]]:
    folder = EVALUATION / "figures"
    return [(file.stem.replace("_", " "), file) for file in sorted(folder.glob("*.png"))]


def _result(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def _list(items: tuple[str, ...]) -> str:
    return "\n".join(f"- {item}" for item in items)


if __name__ == "__main__":
    main()
