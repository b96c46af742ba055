"""`python train/run.py` from tables to a model file that the page can load."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from isic_screen import Screener, load_model, open_photo
from isic_screen.errors import DataError
from isic_screen.network import build_network
from isic_screen.operating_point import ThresholdTable
from isic_screen.training import run as training
from isic_screen.training.recipe import HeadRecipe, load_recipe
from isic_screen.training.setting import Setting
from tests import forks
from tests.conftest import ROOT, lesion
from tests.forks import Fork
from train.run import main

# A backbone that is small and needs no hub; the real one is trained in test_a_real_subset.
QUICK = [
    *("--recipe", "paper"),
    *("--set", "batch_size=8", "--set", "input_size=96", "--set", "epochs=3", "--set", "learning_rate=3e-3"),
    *("--backbone", "tf_efficientnet_lite0"),
]
OUTPUTS = {"model.safetensors", "recipe.toml", "history.csv", "curves.png", "split.csv", "metrics.json"}
OUTPUTS |= {"predictions.csv", "report.md", "figures", "checkpoint.safetensors"}


def _train(*arguments: object) -> subprocess.CompletedProcess[str]:
    return forks.run("train/run.py", *arguments)


@pytest.fixture
def refusal(monkeypatch, capsys):
    """What the command says when it refuses; in this process, as another one takes seconds to load its libraries."""

    def said(*arguments: object) -> str:
        monkeypatch.setattr("sys.argv", ["run.py", *map(str, arguments)])
        assert main() == 2
        return capsys.readouterr().err

    return said


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(lesion_folder, cache, tmp_path_factory) -> Path:
    """A finished run on drawn lesions, cross-validated."""
    out = tmp_path_factory.mktemp("runs") / "first"
    arguments = ["--data", lesion_folder, "--out", out, "--cache", cache, *QUICK, "--set", "folds=3"]
    command = [sys.executable, str(ROOT / "train" / "run.py"), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)  # as users start it
    assert done.returncode == 0, done.stderr
    assert "epoch  train loss" in done.stderr
    assert re.search(r"Training on 3\d images of \d+ patients or lesions, \d+ melanomas; validating on", done.stderr)
    return out


def test_a_fold_that_leaves_too_few_patients_for_a_validation_part_is_told_before_any_training():
    rows = pd.DataFrame({"group": [*"abcdefgh"], "target": [1, 1, 0, 0, 0, 0, 0, 0], "source": "drawn"})
    rows["image_id"] = rows["group"]
    recipe = load_recipe("paper", ["folds=2"])
    assert isinstance(recipe, HeadRecipe)
    with pytest.raises(DataError, match="Melanomas come from 1 group "):
        training._check_splits(rows, recipe, Setting(Path(), Path(), torch.device("cpu"), 1))


def test_nobody_is_called_a_patient_where_the_table_names_none():
    rows = pd.DataFrame({"target": [1, 1, 0], "group": ["image a", "image b", "image c"]})
    assert training._count(rows) == "3 images, no two known to be of one patient or lesion, 2 melanomas"
    known = rows.assign(group=["patient 1", "patient 1", "patient 2"])
    assert training._count(known) == "3 images of 2 patients or lesions, 2 melanomas"


def test_a_run_writes_everything(run):
    assert {path.name for path in run.iterdir()} >= OUTPUTS
    assert len(pd.read_csv(run / "history.csv")) == 3


def test_the_model_learnt_what_the_drawings_show(run):
    facts = load_model(run / "model.safetensors").facts
    assert facts.training["validation_auc"] > 0.9
    screener = Screener(load_model(run / "model.safetensors"))
    dark, light = (screener.screen(lesion(99, dark=dark)) for dark in (True, False))
    assert dark.probability > light.probability


def test_the_file_says_what_it_was_trained_on_and_how_good_it_was(run, lesion_folder):
    facts = load_model(run / "model.safetensors").facts
    (source,) = facts.training["sources"].values()
    assert source == {"images": 48, "melanomas": 16, "groups": 24}
    assert facts.training["command"].startswith("python ")
    assert facts.training["recipe"]["folds"] == 3
    assert facts.metrics["basis"].startswith("3-fold")
    metrics = json.loads((run / "metrics.json").read_text())
    assert {key: facts.metrics[key] for key in metrics} == metrics
    assert facts.threshold_table.positives + facts.threshold_table.negatives == 48
    assert facts.default_threshold == facts.operating_points["0.95"]
    held_out = pd.read_csv(run / "predictions.csv")  # by calibrations that did not see them, as the counts are
    counted = ThresholdTable.from_predictions(held_out["probability"], held_out["target"], facts.prevalence)
    assert facts.threshold_table.thresholds == pytest.approx(counted.thresholds)
    assert facts.threshold_table.true_positives == counted.true_positives
    assert facts.calibration.prevalence == 0.018


def test_no_patient_is_on_both_sides(run, lesion_folder):
    parts = pd.read_csv(run / "split.csv").set_index("image_id")["part"]
    patients = pd.read_csv(lesion_folder / "labels.csv").set_index("image_name")["patient_id"]
    assert (parts.groupby(patients).nunique() == 1).all()
    assert set(parts) == {"train", "validation"}


def test_out_of_fold_predictions_cover_every_image_once(run):
    predictions = pd.read_csv(run / "predictions.csv")
    assert len(predictions) == predictions["image_id"].nunique() == 48


def test_the_same_recipe_gives_the_same_auc_and_a_saved_split_is_kept(run, lesion_folder, cache, tmp_path):
    done = _train(
        *("--data", lesion_folder, "--out", tmp_path / "again", "--cache", cache, "--split", run / "split.csv"), *QUICK
    )
    assert done.returncode == 0, done.stderr
    first, again = (pd.read_csv(out / "history.csv") for out in (run, tmp_path / "again"))
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), again.drop(columns="seconds"))
    pd.testing.assert_frame_equal(pd.read_csv(run / "split.csv"), pd.read_csv(tmp_path / "again" / "split.csv"))


def test_a_run_is_not_overwritten_and_a_resumed_one_agrees(run, lesion_folder, cache, tmp_path):
    refused = _train("--data", lesion_folder, "--out", run, "--cache", cache, *QUICK, "--set", "folds=3")
    assert refused.returncode == 2
    assert "holds a run already" in refused.stderr
    before = load_model(run / "model.safetensors")
    resumed = _train("--data", lesion_folder, "--out", run, "--cache", cache, *QUICK, "--set", "folds=3", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    after = load_model(run / "model.safetensors")
    assert after.facts.metrics == before.facts.metrics
    assert after.facts.calibration == before.facts.calibration
    for name, tensor in before.network.state_dict().items():
        assert (after.network.state_dict()[name] == tensor).all(), name


def test_a_run_killed_outright_resumes_to_the_same_result(run, lesion_folder, cache, tmp_path):
    out = tmp_path / "killed"
    arguments = ["--data", lesion_folder, "--out", out, "--cache", cache, *QUICK, "--set", "folds=3"]
    running = Fork("train/run.py", *arguments)
    running.wait_for(out, "checkpoint.safetensors")
    assert running.sent(signal.SIGKILL).returncode == -signal.SIGKILL
    assert (out / "checkpoint.safetensors").exists()
    assert not (out / "model.safetensors").exists()

    resumed = _train(*arguments, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    for name in ("metrics.json", "predictions.csv", "split.csv"):
        assert (out / name).read_text() == (run / name).read_text(), name


def test_without_a_cache_the_backbone_runs_for_every_batch(run, lesion_folder, tmp_path):
    done = _train(
        *("--data", lesion_folder, "--out", tmp_path / "uncached", "--cache", tmp_path / "cache"),
        *(*QUICK, "--set", "feature_views=0", "--set", "epochs=2"),
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "cache").exists()
    assert pd.read_csv(tmp_path / "uncached" / "history.csv")["validation_auc"].max() > 0.9


def test_the_papers_image_split_says_that_it_leaks(lesion_folder, cache, tmp_path):
    out = tmp_path / "leaky"
    done = _train("--data", lesion_folder, "--out", out, "--cache", cache, *QUICK, "--set", "split=image")
    assert done.returncode == 0, done.stderr
    assert "This split leaks" in done.stderr
    assert "leak" in load_model(out / "model.safetensors").facts.metrics["basis"]


def test_a_corrupt_image_is_set_aside_and_training_goes_on(lesion_folder, cache, tmp_path):
    folder = shutil.copytree(lesion_folder, tmp_path / "data")
    (folder / "images" / "lesion-05.jpg").write_bytes(b"no photo")
    out = tmp_path / "out"
    done = _train("--data", folder, "--out", out, "--cache", cache, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "set aside, as they cannot be read: 1 of 48 images:" in done.stderr
    assert "lesion-05.jpg" in done.stderr
    assert load_model(out / "model.safetensors").facts.training["unreadable"] == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("one class", "melanoma"),
        ("no table", "label table"),
        ("no folder", "data"),
    ],
)
def test_data_that_cannot_be_trained_on_fail_before_training(change, sentence, lesion_folder, cache, tmp_path, refusal):
    folder = shutil.copytree(lesion_folder, tmp_path / "data")
    if change == "one class":
        (folder / "labels.csv").write_text((folder / "labels.csv").read_text().replace(",1\n", ",0\n"))
    elif change == "no table":
        (folder / "labels.csv").unlink()
    else:
        shutil.rmtree(folder)
    said = refusal("--data", folder, "--out", tmp_path / "out", "--cache", cache, *QUICK)
    assert said.count("error:") == 1
    assert sentence in said
    assert "epoch  train loss" not in said
    assert "Backbone features" not in said  # nor before the backbone ran
    assert not (tmp_path / "out").exists()  # so that the same command can be given again


def test_an_output_that_cannot_be_written_is_a_sentence(lesion_folder, cache, tmp_path, refusal):
    (tmp_path / "file").write_text("in the way")
    said = refusal("--data", lesion_folder, "--out", tmp_path / "file" / "out", "--cache", cache, *QUICK)
    assert "error: Not a directory" in said


def test_a_device_that_is_not_there_is_a_sentence(lesion_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    arguments = ["--data", lesion_folder, "--out", tmp_path / "out", "--device", "cuda"]
    monkeypatch.setattr("sys.argv", ["run.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as refused:
        main()
    assert refused.value.code == 2
    assert "no CUDA device" in capsys.readouterr().err


def test_a_device_of_no_kind_is_a_sentence(lesion_folder, tmp_path, refusal):
    said = refusal("--data", lesion_folder, "--out", tmp_path / "out", "--device", "gpu")
    assert "error: The device 'gpu' cannot be used" in said
    assert not (tmp_path / "out").exists()


def test_a_real_subset_trains_end_to_end(shared_data, cache, tmp_path):
    """60 real images at full input size: the AUC means nothing yet, the way from photo to model file does."""
    official = pd.read_csv(shared_data / "isic2020" / "train.csv")
    chosen = pd.concat([rows.head(30) for _, rows in official.groupby("target")])
    folder = tmp_path / "subset"
    (folder / "train").mkdir(parents=True)
    for name in chosen["image_name"]:
        (folder / "train" / f"{name}.jpg").symlink_to((shared_data / "isic2020" / "train" / f"{name}.jpg").resolve())
    chosen.to_csv(folder / "train.csv", index=False)
    out = tmp_path / "out"
    done = _train(
        *("--data", folder, "--out", out, "--cache", cache, "--backbone", "tf_efficientnet_lite0"),
        *("--recipe", "paper", "--set", "feature_views=1", "--set", "epochs=3"),
    )
    assert done.returncode == 0, done.stderr
    photo = next((folder / "train").iterdir())
    assert 0 < Screener(load_model(out / "model.safetensors")).screen(open_photo(photo)).probability < 1


FINE_TUNE = [
    *("--set", "input_size=64", "--set", "first_size=48", "--set", "train_size=64", "--set", "pixels=72"),
    *("--set", "epochs=2", "--set", "epoch_images=32", "--set", "batch_size=8", "--set", "learning_rate=2e-3"),
    *("--set", "folds=2", "--set", "hidden=16"),
]


def test_the_screen_recipe_is_the_default_and_a_killed_run_resumes_fold_by_fold(lesion_folder, cache, tmp_path):
    """One run in one go, another killed after its first fold: the same predictions and the same model file."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = _train("--data", lesion_folder, "--out", whole, "--cache", cache, *FINE_TUNE)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in whole.iterdir()} >= OUTPUTS
    facts = load_model(whole / "model.safetensors").facts
    assert facts.training["recipe"]["method"] == "fine-tune"
    assert facts.training["training_part"]["images"] == 48
    assert facts.metrics["basis"].startswith("2-fold")
    assert facts.training["calibrated_on"] == [lesion_folder.name]  # no isic2020 here: all sources, and it says so
    assert "calibrating on all sources" in done.stderr
    predictions = pd.read_csv(whole / "predictions.csv")
    assert len(predictions) == 48
    assert predictions["novelty"].between(0, 100, inclusive="neither").all()
    assert Screener(load_model(whole / "model.safetensors")).screen(lesion(3)).novelty > 0

    running = Fork("train/run.py", "--data", lesion_folder, "--out", killed, "--cache", cache, *FINE_TUNE)
    running.wait_for(killed, "folds/fold-1.csv")
    assert running.sent(signal.SIGKILL).returncode == -signal.SIGKILL
    assert not (killed / "model.safetensors").exists()
    done = _train("--data", lesion_folder, "--out", killed, "--cache", cache, *FINE_TUNE, "--resume")
    assert done.returncode == 0, done.stderr
    assert "finished before" in done.stderr
    resumed = pd.read_csv(killed / "predictions.csv")
    pd.testing.assert_frame_equal(resumed, predictions, rtol=1e-6)


def test_a_recipe_that_the_backbone_cannot_follow_is_a_sentence(lesion_folder, cache, tmp_path, refusal):
    transformer = build_network("vit_tiny_patch16_224", weights=None, input_size=64)
    weights = tmp_path / "transformer.safetensors"
    save_file(transformer.backbone.state_dict(), weights)
    of_another_size = ("--backbone", "vit_tiny_patch16_224", "--backbone-weights", weights, "--set", "train_size=48")
    for wrong, sentence in (
        (("--set", "frozen_stages=50"), "stages that can be frozen, not 50"),
        (of_another_size, "--set train_size=64"),
    ):
        assert sentence in refusal(
            "--data", lesion_folder, "--out", tmp_path / "out", "--cache", cache, *FINE_TUNE, *wrong
        )


def test_folds_of_the_screen_recipe_keep_patients_whole(lesion_folder, tmp_path):
    from isic_screen.data.splits import fold_rows
    from isic_screen.data.tables import read_source

    rows = read_source(lesion_folder).rows
    folds = fold_rows(rows, folds=3, seed=0)
    assert rows.groupby(folds)["group"].apply(set).apply(len).sum() == rows["group"].nunique()


def test_the_bundled_models_texts_are_told_to_be_its(tmp_path, monkeypatch, capsys):
    """They speak of data, limits and a licence that another model need not have."""
    told = []
    monkeypatch.setattr("train.run.train", lambda folders, recipe, about, setting: told.append(about["licence"]))
    command = ["run.py", "--data", str(tmp_path), "--recipe", "paper", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", command)
    assert main() == 0
    assert re.search(r"about\.toml, which was written for the bundled model.*--about FILE", capsys.readouterr().err)
    own = (ROOT / "train" / "about.toml").read_text(encoding="utf-8").replace("CC BY-NC 4.0", "ours alone")
    (tmp_path / "about.toml").write_text(own, encoding="utf-8")
    monkeypatch.setattr("sys.argv", [*command, "--about", str(tmp_path / "about.toml")])
    assert main() == 0
    assert "bundled model" not in capsys.readouterr().err
    assert told[1].startswith("ours alone")
