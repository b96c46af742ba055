"""The model card, from the model file and the results of the benchmarks."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.engine_kinds import STORED
from isic_screen.artifact import Model
from isic_screen.compression import HALF
from isic_screen.evaluation.report import METRIC_LABELS, camera_line, estimate, table
from isic_screen.network import InputSpec
from isic_screen.novelty import REFUSED_FROM
from isic_screen.operating_point import DEFAULT_SENSITIVITY
from isic_screen.training.recipe import load_recipe
from isic_screen.ui.layout import kept
from isic_screen.ui.texts import LANGUAGES
from isic_screen.wording import percent
from train.card_tables import (
    ROOT,
    ablation_table,
    corners_table,
    novelty_table,
    reference_block,
    result_of,
    results_table,
    same_lesion_line,
    skin_tones_line,
    sources_table,
    threshold_table,
    threshold_table_without_camera,
)

EVALUATION = ROOT / "assets" / "evaluation"
CORNERS_HARMLESS = 0.1
"""Drawn corners that change the mean logit by less than this, and hardly a decision, are not called a fault."""


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
            f"{counts['groups']:,}" if counts["groups"] < counts["images"] else "not known",
            training["table_sha256"][name],
        )
        for name, counts in training["sources"].items()
    ]
    figures = "\n\n".join(f"![{title}](evaluation/figures/{file.name})" for title, file in _figures())
    training_part = training["training_part"]
    return f"""<!-- Written by train/write_docs.py from the model file; edit the script, not this file. -->
# Model card: {facts.name} {facts.version}

{facts.intended_use} {kept(LANGUAGES[0])}

| | |
|---|---|
| File | `model.safetensors`, SHA-256 `{model.sha256}` |
| Network | {_network(model)} |
| Weights | {_weights(model)} |
| Input | the whole photo resized to {facts.input.size} x {facts.input.size} pixels, {facts.input.interpolation}{_views(facts.input)} |
| Output | calibrated probability of melanoma at a prevalence of {percent(facts.prevalence)} |
| Trained | {training["date"]}, by {_commands(model)} |
| Licence | {facts.licence} |

## Limits

{_list(facts.limits)}

## Training data

{table(("source", "images", "melanomas", "patients or lesions", "SHA-256 of its table"), sources)}

The model was trained on all {training_part["images"]:,} images ({training_part["melanomas"]:,} melanomas), in \
{training_part["groups"]:,} groups. A group is all images of a patient, or of a lesion where the patient is not known, or \
a single image where neither is. Performance was measured on networks trained the same way on parts of these images: \
{facts.metrics["basis"]}.

## Evaluation

On {", ".join(training["calibrated_on"])}, the source of calibration and thresholds; {facts.metrics["basis"]}. \
{block["n"]} images of {block["groups"]} patients, {block["positives"]} melanomas. Melanomas make up \
{percent(block["sample_prevalence"])} of this sample, so every metric that depends on prevalence is restated at \
{percent(facts.prevalence)}.

{table(("", "value (95 % interval)"), [(label, estimate(metrics[name])) for name, label in METRIC_LABELS.items()])}

{camera_line(block)}

For comparison, predicting the prevalence for every image gives a Brier score of \
{facts.metrics["brier_reference"]:.4f}.

### By source

Each source separately, never pooled, at the shipped threshold for {percent(DEFAULT_SENSITIVITY)} sensitivity. A \
threshold does not necessarily transfer to other cameras and clinics: compare the sensitivity reached with the target. \
Results by sex, age, body site, skin tone, camera and sharpness: [evaluation/report.md](evaluation/report.md).

{sources_table(model)}

{skin_tones_line()}

{same_lesion_line()}

### What each choice is worth

ROC AUC on the same cross-validation folds, averaged over the folds; in brackets the difference to another entry, with * \
if its 95 % interval excludes 0 (with this many comparisons, some do by chance). All intervals are in \
[ABLATION.md](ABLATION.md). The figures above are computed on the calibrated probabilities of all folds together and \
differ by a few thousandths. The recipes and ensemble members of the bundled model were selected by such figures on these \
same folds, so its results are slightly optimistic. Both `paper` entries, and `base` and all entries after it except \
`larger-backbone`, use the smaller EfficientNet-Lite0. *Camera probe*: AUC with which a linear probe on the features picks \
out 6000x4000 originals among benign photos; 0.5 would mean that it cannot. A *training round* is a fine-tuning run that \
starts from the weights of the round before it ([docs/training.md](../docs/training.md#building-on-earlier-runs)).

{ablation_table()}

### Dark corners

The same photos are scored as they are and with the dark corners of a round field of view drawn over them, by \
`python -m benchmarks.dark_corners`. The lesion does not change, so the score of a sound model should hardly change \
either. These photos are training photos of the bundled model. {_corners_verdict()}

{corners_table()}

### Photos that are not dermoscopy

The model file contains a statistical description of its training photos (a Gaussian fitted to features of a middle \
stage of the network). A photo whose distance from it reaches the cut-off is marked doubtful as out of distribution; from \
{REFUSED_FROM:g} times the cut-off on it is refused. Measured by `python -m benchmarks.novelty`, for dermoscopy with cut-offs from cross-validation folds that did not \
contain the photo. The distance for refusal was set with a margin above the farthest of these dermoscopy photos, so it \
means little that none of them is refused; that few are doubtful means more.

No photos of moles taken without a dermatoscope were available. The nearest substitute were portraits, tested whole and \
as close-ups of their skin (`python -m benchmarks.skin_photos`). More than half of the close-ups are within the cut-off; \
only the quality checks mark them as doubtful, mostly because they are small. **Do not rely on a photo of a mole taken \
without a dermatoscope being stopped.**

{novelty_table()}

### Is the heat map meaningful?

{result_of("heat_map_sanity")["conclusion"]} (`python -m benchmarks.heat_map_sanity`, without \
averaging over views{_shown_map(facts.input.views)}. The photos are training photos of the bundled model.)

## Thresholds

{threshold_table(model)}

The thresholds were chosen on the held-out predictions, on the scale of the shipped calibration, to catch at least the \
target. What they caught is counted as in the evaluation above, by calibrations that did not see the photo, so it can be a \
little less. Intervals are Wilson intervals, which treat \
images as independent; intervals by patient are in the evaluation's `metrics.json`. Each photo counts as one person: \
somebody with several lesions is recalled more often.

{threshold_table_without_camera(model)}

## Comparison with the paper

{results_table(model)}

The two columns are not directly comparable. The paper split by image, so images of one patient can be in both training \
and validation, and measured on a fifth of the full set, with 1.8 % melanomas. The bundled model was measured on few benign \
images, and never on a patient that the evaluated network was trained on.

## Figures

{figures}

## Citation

{facts.citation}

Attribution: ISIC 2020: Rotemberg et al., Sci Data 8, 34 (2021), CC BY-NC 4.0. HAM10000: Tschandl et al., Sci Data 5, \
180161 (2018), CC BY-NC 4.0. ISIC 2017: Codella et al., ISBI 2018. Backbone weights: \
`{facts.backbone.split("+")[0]}`, ImageNet, Apache-2.0.
"""


def _network(model: Model) -> str:
    facts = model.facts
    names = facts.backbone.split("+")
    head = f"head Dropout({facts.dropout:g}) -> Linear({facts.hidden // len(names)}) + ReLU -> Linear(1)"
    recipes = [member["recipe"] for member in facts.training.get("members", [])] or [facts.training["recipe"]]
    tuned = "fine-tuned " + " or ".join(dict.fromkeys(map(_tuned, recipes)))
    one = f"timm `{names[0]}` (ImageNet weights, {tuned}), {head}"
    if len(names) == 1:
        return one
    return f'an ensemble of {len(names)} networks with averaged logits (a "committee" in the code), each a {one}'


def _tuned(recipe: dict[str, Any]) -> str:
    if recipe["method"] == "head":
        return "in no stage"
    return f"except the first {count} stages" if (count := recipe["frozen_stages"]) else "in all stages"


def _views(spec: InputSpec) -> str:
    if spec.views == 1:
        return ""
    each = ", different for each network" if spec.members_turned else ""
    return f"; test-time augmentation: the output is averaged over {spec.views} orientations of the photo{each}"


def _shown_map(count: int) -> str:
    return f"; the map on the page is averaged over {count} views" if count > 1 else ""


def _weights(model: Model) -> str:
    """In what the file stores them, and what that costs."""
    typed = re.search(r"--bits (\d+)", model.facts.training["command"])
    bits = int(typed[1]) if typed else HALF
    if bits == HALF:
        return "in half precision"
    auc = next(e["auc_less_fp32"] for e in result_of("engines")["engines"] if e["engine"] == STORED[bits])
    return (
        f"{'large tensors in 6 bits, medium ones in 8' if bits == 6 else 'large tensors in 8 bits'}, the others in half "
        f"precision; change in AUC from full precision {auc['value']:+.4f} ({auc['low']:+.4f} to {auc['high']:+.4f}, on "
        f"{auc['n']} photos held out in cross-validation)"
    )


def _commands(model: Model) -> str:
    """What was typed to make the model, its members first, whose recipes bear the names of their runs."""
    training = model.facts.training
    last = training["command"]
    data = re.match(r"python train/run\.py((?: --data \S+)+)", last)
    if training.get("teachers") and "--teacher" not in last:
        return f"`{last}`, which first trains the networks that this one starts from"
    if not training.get("members") or data is None:
        return f"`{last}`"
    typed = []
    first = training["members"][0]
    for member in training["members"]:
        recipe = "" if _trained_by("screen", member) else f" --recipe {member['run']}"
        if recipe and not _trained_by(member["run"], member):
            raise ValueError(f"train/recipes has no recipe of the member {member['run']}")
        # Folds come from the seed, and those of a committee must be the same.
        other_folds = member["recipe"]["seed"] != first["recipe"]["seed"]
        split = f" --split runs/{first['run']}/split.csv" if other_folds else ""
        typed.append(f"`python train/run.py{data[1]}{recipe}{split} --out runs/{member['run']}`")
    return ", ".join(typed) + f", and then `{last}`"


def _trained_by(name: str, member: dict[str, Any]) -> bool:
    """Whether a recipe gives the network of this member; how many views it was judged by is no matter of training.

    A model file of an earlier version lacks the lines that recipes got since.
    """
    recipe = load_recipe(name)
    lines = {"method": recipe.method, **asdict(recipe), "views": member["recipe"]["views"]}
    return member["recipe"].items() <= lines.items()


def _corners_verdict() -> str:
    groups = result_of("dark_corners")["groups"]
    shift = max(abs(group["mean_logit_shift"]) for group in groups)
    changed = max(abs(group["flagged_with"] - group["flagged_without"]) / group["photos"] for group in groups)
    told = f"The mean logit changes by up to {shift:.2f}, and the share of photos flagged by up to {100 * changed:.3g} percentage points"
    if shift < CORNERS_HARMLESS:
        return f"{told}."
    return f"**{told}**: dark corners still affect the score. Crop them away where you can."


def _figures() -> list[tuple[str, Path]]:
    folder = EVALUATION / "figures"
    return [(file.stem.replace("_", " "), file) for file in sorted(folder.glob("*.png"))]


def _list(items: tuple[str, ...]) -> str:
    return "\n".join(f"- {item}" for item in items)
