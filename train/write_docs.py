"""Write every figure of the model card and the README from the files that hold it.

    python train/write_docs.py

Reads the bundled model file (its facts and the evaluation inside), the paper's results in train/paper.toml and the
benchmarks' results. Writes assets/MODEL_CARD.md, assets/evaluation/report.md but for the notes of the run that stand at
its top, and in README.md and docs/speed.md what stands between `<!-- generated: NAME -->` and `<!-- end -->`. A test
checks that running it changes nothing.
"""

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run from a clone: the package is not installed

from benchmarks.engine_kinds import STORED  # noqa: E402
from isic_screen.artifact import Model, load_model  # noqa: E402
from isic_screen.compression import HALF  # noqa: E402
from isic_screen.evaluation.report import FIGURES, METRIC_LABELS, camera_line, estimate, report, table  # noqa: E402
from isic_screen.network import InputSpec  # noqa: E402
from isic_screen.operating_point import DEFAULT_SENSITIVITY  # noqa: E402
from isic_screen.training.recipe import load_recipe  # noqa: E402
from train.card_tables import (  # noqa: E402
    ablation_table,
    corners_table,
    engine_table,
    novelty_table,
    percent,
    reference_block,
    result_of,
    results_table,
    same_lesion_line,
    skin_tones_line,
    sources_table,
    speed_table,
    stage_table,
    threshold_table,
    threshold_table_without_camera,
)

WITH_GENERATED = (ROOT / "README.md", ROOT / "docs" / "speed.md")
EVALUATION = ROOT / "assets" / "evaluation"
REPORT = EVALUATION / "report.md"
CORNERS_HARMLESS = 0.1
"""Drawn corners that change the mean logit by less than this, and hardly a decision, are not called a fault."""


def main() -> None:
    """Rewrite the files in place."""
    model = load_model()
    (ROOT / "assets" / "MODEL_CARD.md").write_text(model_card(model), encoding="utf-8")
    REPORT.write_text(evaluation_report(REPORT.read_text(encoding="utf-8"), model), encoding="utf-8")
    for file in WITH_GENERATED:
        file.write_text(with_generated(file.read_text(encoding="utf-8"), model), encoding="utf-8")


def with_generated(text: str, model: Model) -> str:
    """A document with its generated parts filled in; KeyError for a part that nobody knows how to write."""
    parts = {
        "results": results_table(model),
        "sources": f"{sources_table(model)}\n\n{same_lesion_line()}",
        "ablation": ablation_table(shipped_only=True),
        "novelty": novelty_table(),
        "thresholds": f"{threshold_table(model)}\n\n{threshold_table_without_camera(model)}",
        "speed": speed_table(),
        "engines": engine_table(),
        "stages": stage_table(),
    }

    def fill(match: re.Match[str]) -> str:
        return f"<!-- generated: {match[1]} -->\n{parts[match[1]]}\n<!-- end -->"

    return re.sub(r"<!-- generated: (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def evaluation_report(text: str, model: Model) -> str:
    """The report of the run that made the model, anew from the evaluation in the model file; its notes stay."""
    facts = model.facts
    notes = re.findall(r"^- (.+)$", text.split("\n## ")[0], flags=re.MULTILINE)
    pictures = {
        source: [
            (label, f"figures/{source}_{stem}.png")
            for stem, label in FIGURES.items()
            if (EVALUATION / "figures" / f"{source}_{stem}.png").is_file()
        ]
        for source in facts.metrics["sources"]
    }
    title = f"{facts.name}: {facts.backbone}, evaluated by {facts.metrics['basis']}"
    return report(facts.metrics, pictures, title, notes)


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
    return f"""<!-- Written by train/write_docs.py from the model file; edit that, not this. -->
# Model card: {facts.name} {facts.version}

{facts.intended_use}

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
{training_part["groups"]:,} groups: the images of a patient, or of a lesion where the patient is not known, or a single \
image where neither is. How good it is was measured on twins of it: {facts.metrics["basis"]}.

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

{skin_tones_line()}

{same_lesion_line()}

### What each choice is worth

On the same folds: AUC, and in brackets the difference to another entry (* where its 95 % interval leaves out 0, as some do \
by chance; all intervals are in [ABLATION.md](ABLATION.md)), mean of the folds; the figures above are of all folds' calibrated \
probabilities at once, and differ by a few thousandths. The recipes and members of the shipped model were chosen by such \
figures on these same folds, so that they flatter it a little. `paper` by either split, and from `base` on all but \
`larger-backbone`, are of the smaller EfficientNet-Lite0. *Camera told*: AUC with which a linear probe on the features tells 6000x4000 originals among benign photos; \
0.5 would mean that it cannot.

{ablation_table()}

### Dark corners

The same photos scored without and with the dark corners of a round field of view drawn over them, by \
`python -m benchmarks.dark_corners`; the lesion stays as it was, so a sound model hardly moves. These photos are \
training photos of the shipped model. {_corners_verdict()}

{corners_table()}

### Photos that are not dermoscopy

The model file holds what its training photos look like to the network; a photo unlike them is doubtful, one too unlike them refused. Measured by \
`python -m benchmarks.novelty`, dermoscopy with cut-offs of folds that did not see it. From how many times the cut-off on \
a photo is refused was set with a margin over the farthest of these very photos: that none of them is refused says little, \
that few are doubtful says more. Photos of moles without a dermatoscope were not at hand. The nearest were portraits, \
asked about whole and in close-ups of their skin (`python -m benchmarks.skin_photos`): more than half of the close-ups \
are near enough to the training photos, and only the quality checks, mostly as they are small, doubt them. **Do not count \
on a photo of a mole without a dermatoscope being stopped.**

{novelty_table()}

### Does the heat map mean anything?

{result_of("heat_map_sanity")["conclusion"]} (`python -m benchmarks.heat_map_sanity`, which looks at each photo \
as it is{_shown_map(facts.input.views)}. The photos are training photos of the shipped model.)

## Thresholds

{threshold_table(model)}

Sensitivity and specificity are counted on the same held-out predictions that the thresholds were chosen on, all put on \
one scale by the shipped calibration. The evaluation above takes each fold's probabilities from a calibration that did \
not see it, so that its counts at the same thresholds differ by a few photos. Intervals are Wilson's, which take images as \
independent; those by patient are in the evaluation's `metrics.json`. \
Each photo counts as one person: somebody with several lesions is recalled more often.

{threshold_table_without_camera(model)}

## Against the paper

{results_table(model)}

The paper split by image, so that patients stood on both sides, and measured on a fifth of the full set, at 1.8 % \
melanomas. The two columns are therefore not a contest: ours is measured on few benign images, and on no patient that the \
judged network saw.

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
    return f"a committee of {len(names)}, whose logit is the mean of theirs, each a {one}"


def _tuned(recipe: dict[str, Any]) -> str:
    if recipe["method"] == "head":
        return "in no stage"
    return f"but for the first {count} stages" if (count := recipe["frozen_stages"]) else "in all stages"


def _views(spec: InputSpec) -> str:
    if spec.views == 1:
        return ""
    each = ", each member being shown other turns" if spec.members_turned else ""
    return f"; the answer is the mean over {spec.views} turns of it{each}"


def _shown_map(count: int) -> str:
    return f"; the map on the page is the mean over its {count} views" if count > 1 else ""


def _weights(model: Model) -> str:
    """In what the file stores them, and what that costs."""
    typed = re.search(r"--bits (\d+)", model.facts.training["command"])
    bits = int(typed[1]) if typed else HALF
    if bits == HALF:
        return "in half precision"
    auc = next(e["auc_less_fp32"] for e in result_of("engines")["engines"] if e["engine"] == STORED[bits])
    return (
        f"{'large ones in six bits, middling ones in eight' if bits == 6 else 'large ones in eight bits'}, the others in "
        f"half precision; AUC less that of full precision {auc['value']:+.4f} ({auc['low']:+.4f} to {auc['high']:+.4f}, "
        f"on {auc['n']} photos that its network of cross-validation had not seen)"
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
    told = f"The mean logit moves by up to {shift:.2f}, and up to {percent(changed)} more or fewer photos are flagged"
    if shift < CORNERS_HARMLESS:
        return f"{told}."
    return f"**{told}**: corners still count. Crop them away where you can."


def _figures() -> list[tuple[str, Path]]:
    folder = EVALUATION / "figures"
    return [(file.stem.replace("_", " "), file) for file in sorted(folder.glob("*.png"))]


def _list(items: tuple[str, ...]) -> str:
    return "\n".join(f"- {item}" for item in items)


if __name__ == "__main__":
    main()
