"""The report on disk: complete, strict, and saying nothing that metrics.json does not hold."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isic_screen.errors import DataError
from isic_screen.evaluation.evaluation import evaluate
from isic_screen.evaluation.report import METRIC_LABELS, estimate, write_report
from tests.simulated import simulated_predictions

SHIPPED = {"0.95": 0.007}
FIGURES = {
    "roc",
    "decision_curve",
    "precision_recall_threshold",
    "confusion_matrix",
    "reliability",
    "score_histogram",
}


def written(out: Path, predictions: pd.DataFrame, **given: Any) -> tuple[dict[str, Any], str]:
    metrics = write_report(
        out, predictions, prevalence=0.018, operating_points=SHIPPED, title="A model on a sample", resamples=50, **given
    )
    return metrics, (out / "report.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return simulated_predictions().assign(path="somewhere/on/this/machine.jpg", fold=1)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, predictions: pd.DataFrame) -> tuple[Path, dict[str, Any], str]:
    out = tmp_path_factory.mktemp("report") / "deep" / "er"
    return out, *written(out, predictions, notes=["One image was left out."], model_line="A backbone, SHA-256 abc")


def test_metrics_are_those_of_the_evaluation_in_strict_json(report, predictions):
    out, metrics, _ = report
    text = (out / "metrics.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail) == metrics
    assert metrics == evaluate(predictions, operating_points=SHIPPED, resamples=50)


def test_predictions_can_be_evaluated_again_and_name_no_path(report):
    out, metrics, _ = report
    again = pd.read_csv(out / "predictions.csv")
    assert list(again) == ["image_id", "source", "group", "target", "logit", "probability", "fold"]
    once_more = evaluate(again, operating_points=SHIPPED, resamples=50)
    assert once_more["overall"]["metrics"]["roc_auc"] == metrics["overall"]["metrics"]["roc_auc"]


def test_predictions_keep_the_novelty_and_the_look_of_a_camera_where_they_are_known(tmp_path, predictions):
    known = predictions.assign(novelty=np.arange(240) / 240, camera=np.arange(240) - 0.5)
    written(tmp_path, known)
    kept = pd.read_csv(tmp_path / "predictions.csv")
    assert kept["novelty"].to_numpy() == pytest.approx(known["novelty"].to_numpy())
    assert kept["camera"].tolist() == known["camera"].tolist()


def test_figures_are_pictures_and_all_are_shown(report):
    out, _, text = report
    shown = re.findall(r"!\[[^\]]+\]\((figures/\S+\.png)\)", text)
    assert {Path(file).stem for file in shown} == FIGURES
    assert {file.stem for file in (out / "figures").iterdir()} == FIGURES
    for file in shown:
        with Image.open(out / file) as picture:
            assert np.asarray(picture.convert("L")).std() > 10


def test_report_shows_title_model_notes_and_methods(report):
    _, metrics, text = report
    assert text.startswith("# A model on a sample\n\nA backbone, SHA-256 abc\n\n- One image was left out.\n")
    assert "Stated prevalence: 1.8 %." in text
    assert metrics["methods"]["intervals"] in text
    assert metrics["methods"]["proportions"] in text


def test_numbers_of_the_report_are_those_of_the_metrics(report):
    _, metrics, text = report
    block = metrics["overall"]
    for name, value in block["metrics"].items():
        assert f"| {METRIC_LABELS[name]} | {estimate(value)} |" in text
    for point in block["operating_points"].values():
        rows = [line for line in text.splitlines() if line.startswith(f"| {point['label']} |")]
        assert len(rows) == 2
        counted, stated = rows
        for rate in ("sensitivity", "specificity", "precision", "npv"):
            if point[rate]["value"] is not None:
                assert f"{estimate(point[rate])}, {point[rate]['count']} of {point[rate]['total']}" in counted
        per_1000 = [
            estimate(point[rate]) if point[rate]["value"] is not None else "not defined"
            for rate in ("flagged_per_1000", "missed_per_1000", "precision_at_prevalence", "npv_at_prevalence")
        ]
        assert stated == f"| {point['label']} | {' | '.join(per_1000)} |"
    assert "| operating point | flagged | melanomas missed | precision | NPV |" in text
    recall = block["operating_points"]["paper_0.5"]["classification_report"]["melanoma"]["recall"]
    assert f"{recall:.3f}" in text.split("### Classification report: Uncalibrated")[1]


def reasons_per_1000(text: str) -> list[str]:
    return re.findall("^Not defined: .*", text.split("Per 1,000 people")[1].split("\n##")[0], re.MULTILINE)


def test_the_table_per_1000_people_has_each_reason_for_its_gaps_once_below_it(tmp_path, predictions):
    _, text = written(tmp_path / "few", predictions.assign(probability=predictions["probability"] / 100, logit=-9.0))
    assert len(re.findall(r"\| not defined \|", text.split("Per 1,000 people")[1])) > 1
    assert reasons_per_1000(text) == ["Not defined: nobody is flagged."]
    _, text = written(tmp_path / "none", predictions[predictions["target"] == 0])
    assert reasons_per_1000(text) == ["Not defined: there is no melanoma among the 154 images."]


def test_images_that_nothing_groups_are_not_called_patients(tmp_path, predictions, report):
    metrics, text = written(tmp_path, predictions.assign(group=predictions["image_id"]))
    assert metrics["overall"]["groups"] == 240
    assert "240 images, no two known to be of one patient or lesion; " in text
    assert "Intervals treat the images as independent." in text
    assert f"240 images of {report[1]['overall']['groups']} patients or lesions; " in report[2]
    assert "independent." not in report[2]


def test_estimates_as_text():
    known = {"value": 0.8123, "low": 0.7, "high": 0.9, "reason": None}
    assert estimate(known) == "0.812 (0.700 to 0.900)"
    assert estimate({"value": 614.4, "low": 565.3, "high": 661.9}) == "614.4 (565.3 to 661.9)"
    assert estimate({"value": 0.00312, "low": 0.0, "high": 0.01}) == "0.0031 (0.0000 to 0.0100)"
    assert estimate(known | {"low": None, "high": None}) == "0.812 (no interval)"
    nearly = {"value": 0.99979, "low": 0.99957, "high": 0.99996}
    assert estimate(nearly) == "0.9998 (0.9996 to 0.9999)"  # 1.000 would say that none was missed
    assert estimate({"value": 1.0, "low": 0.9990, "high": 1.0}) == "1.000 (0.999 to 1.000)"
    undefined = {"value": None, "low": None, "high": None, "reason": "nobody is flagged"}
    assert estimate(undefined) == "not defined: nobody is flagged"


def test_several_sources_have_sections_and_figures_of_their_own(tmp_path, predictions):
    both = pd.concat([predictions, simulated_predictions(80, seed=3, source="my photos (2)")])
    metrics, text = written(tmp_path, both)
    assert metrics["overall"]["reason"] in text
    assert "## isic2020\n" in text
    assert "## my photos (2)\n" in text
    shown = re.findall(r"\]\((figures/\S+\.png)\)", text)
    assert "figures/my-photos-2-_roc.png" in shown
    assert len(shown) == 12
    assert all((tmp_path / file).is_file() for file in shown)


def test_the_decision_curve_stands_beside_the_roc_curve(report):
    shown = re.findall(r"!\[([^\]]+)\]", report[2])
    assert shown[:2] == ["ROC curve", "Decision curve"]


def test_subgroups_are_a_table_with_the_metrics_numbers(tmp_path, predictions, report):
    sites = np.where(np.arange(240) < 8, "nail | toe", "torso")
    metrics, text = written(tmp_path, predictions.assign(sex=["female", "male"] * 120, site=sites))
    by = metrics["overall"]["subgroups"]["by"]
    for group in by["sex"]:
        counts = f"{group['positives']} / {group['negatives']}"
        values = " | ".join(estimate(group[name]) for name in ("roc_auc", "sensitivity", "specificity"))
        assert f"| sex: {group['label']} | {counts} | {values} |" in text
    toe = by["body site"][1]
    few = f"{toe['positives']} / {toe['negatives']} | too few to say | too few to say | too few to say |"
    assert f"| body site: nail \\| toe | {few}" in text
    assert "at the threshold 0.007 (95 % sensitivity, as shipped)" in text
    assert "Subgroups of people" not in report[2]  # of a table that knows nothing of them


@pytest.mark.parametrize(("target", "reason"), [(0, "there is no melanoma"), (1, "images are melanomas")])
def test_one_class_is_reported_with_the_reason_for_what_is_missing(tmp_path, predictions, target, reason):
    metrics, text = written(tmp_path, predictions[predictions["target"] == target])
    assert metrics["overall"]["metrics"]["roc_auc"]["value"] is None
    assert "| ROC AUC | not defined |" in text
    assert reason in text
    assert "The other figures need both classes" in text
    assert re.findall(r"\]\((figures/\S+\.png)\)", text) == ["figures/score_histogram.png"]
    assert "nan" not in text.lower()
    json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_nothing_is_written_for_predictions_that_cannot_be_evaluated(tmp_path, predictions):
    with pytest.raises(DataError):
        written(tmp_path / "out", predictions.assign(probability=2.0))
    assert not (tmp_path / "out").exists()


def test_a_report_is_replaced_whole(tmp_path, predictions):
    written(tmp_path, predictions[:100])
    metrics, text = written(tmp_path, predictions)
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert "240 images" in text
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_sources_of_similar_names_have_their_own_figures(tmp_path):
    names = ["my set", "my-Set", "My Set", "my-set-2"]
    rows = pd.concat([simulated_predictions(40, source=name, seed=seed) for seed, name in enumerate(names)])
    _, text = written(tmp_path, rows)
    shown = re.findall(r"\]\((figures/.*?)\)", text)
    assert len(shown) == len({file.casefold() for file in shown}) == len(names) * len(FIGURES)
    assert {f"figures/{path.name}" for path in (tmp_path / "figures").iterdir()} == set(shown)


def test_one_melanoma_and_one_patient_are_singular(tmp_path, predictions):
    few = predictions.sort_values("target").groupby("target").head(1).assign(group="the only patient")
    _, text = written(tmp_path, few)
    assert "\n2 images of 1 patient or lesion; 1 melanoma (50 %).\n" in text
    assert not re.search(r"\b1 (images|melanomas|other images|patients)\b", text)
