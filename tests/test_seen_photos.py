"""A model knows the photos that it was trained on, and an evaluation says so."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from isic_screen import load_model
from isic_screen.__main__ import main
from isic_screen.artifact import save_model
from isic_screen.data.tables import read_sources
from isic_screen.ensemble import Ensemble
from isic_screen.errors import ModelFileError
from isic_screen.seen_photos import SeenPhotos
from tests.conftest import example_facts, lesion


@pytest.fixture
def photos(tmp_path) -> dict[str, str]:
    """Paths of drawn photos by name."""
    paths = {name: tmp_path / f"{name}.png" for name in ("one", "two", "three")}
    for seed, path in enumerate(paths.values()):
        lesion(seed, size=(32, 24)).save(path)
    return {name: str(path) for name, path in paths.items()}


def test_photos_of_the_archive_are_known_by_their_ids_and_others_by_their_content(photos):
    one, two, three = photos.values()
    seen = SeenPhotos.of(["ISIC_0000001", "a"], [one, two])
    assert seen.among(["ISIC_0000001_downsampled", "ISIC_0000002"], [three, one]).tolist() == [True, False]
    assert seen.among(["another name", "a"], [two, three]).tolist() == [True, False]
    # A name that only begins with an id is not the archive's: two hospitals may both have made it.
    named_after = SeenPhotos.of(["ISIC_0000001-left"], [one])
    assert named_after.among(["ISIC_0000001-left", "b"], [two, one]).tolist() == [False, True]


def test_a_photo_that_cannot_be_read_is_not_seen_and_ends_nothing(photos, tmp_path):
    missing = str(tmp_path / "missing.png")
    seen = SeenPhotos.of(["a", "b"], [photos["one"], missing])
    assert len(seen.marks) == 1
    assert seen.among(["a", "b"], [photos["one"], missing]).tolist() == [True, False]


def test_a_model_file_holds_them(lite0, photos, tmp_path):
    seen = SeenPhotos.of(["c", "b", "a", "a"], [*photos.values(), photos["three"]])
    save_model(tmp_path / "model.safetensors", lite0, example_facts(lite0), None, seen)
    found = load_model(tmp_path / "model.safetensors").seen
    assert found is not None
    assert torch.equal(found.marks, seen.marks)
    assert len(found.marks) == 3
    wrong = replace(seen, marks=seen.marks.flip(0))
    save_model(tmp_path / "wrong.safetensors", lite0, example_facts(lite0), None, wrong)
    with pytest.raises(ModelFileError, match="marks of seen photos are not rising"):
        load_model(tmp_path / "wrong.safetensors")


def test_an_ensemble_has_seen_what_any_of_it_has(lite0_file, photos):
    model = load_model(lite0_file)
    first, second = (SeenPhotos.of([name], [photos[name]]) for name in ("one", "two"))
    ensemble = Ensemble([replace(model, seen=first), replace(model, seen=second)], ["a", "b"])
    assert ensemble.seen is not None
    assert ensemble.seen.among(list(photos), list(photos.values())).tolist() == [True, True, False]
    assert Ensemble([replace(model, seen=first), model], ["a", "b"]).seen is None


@pytest.fixture
def trained_on_half(lite0, lesion_folder, tmp_path) -> str:
    """A model file that knows 20 of the 48 drawn lesions."""
    rows = read_sources([lesion_folder]).rows.iloc[10:30]
    path = tmp_path / "model.safetensors"
    seen = SeenPhotos.of(rows["image_id"].tolist(), rows["path"].tolist())
    save_model(path, lite0, example_facts(lite0), None, seen)
    return str(path)


def test_an_evaluation_counts_them_and_leaves_them_out_when_it_is_told_to(
    trained_on_half, lesion_folder, tmp_path, capsys
):
    command = ["evaluate", "--data", str(lesion_folder), "--model", trained_on_half, "--out"]
    assert main([*command, str(tmp_path / "all")]) == 0
    assert "Warning: The model was trained on 20 of these 48 images" in capsys.readouterr().err
    assert "trained on 20 of these 48 images" in (tmp_path / "all" / "report.md").read_text()
    assert main([*command, str(tmp_path / "new"), "--unseen"]) == 0
    assert "as the model was trained on them: 20 of 48 images." in (tmp_path / "new" / "report.md").read_text()
    every, new = (pd.read_csv(tmp_path / name / "predictions.csv") for name in ("all", "new"))
    assert (len(every), len(new)) == (48, 28)
    left_out = read_sources([lesion_folder]).rows["image_id"].iloc[10:30]
    assert set(every["image_id"]) - set(new["image_id"]) == set(left_out)
    both = every.merge(new, on="image_id")
    np.testing.assert_allclose(both["probability_x"], both["probability_y"], rtol=1e-4)


def test_other_photos_of_the_same_patients_are_not_unseen(lite0, lesion_folder, tmp_path, capsys):
    rows = read_sources([lesion_folder]).rows
    known = rows.iloc[11:30]  # the first of them is the second photo of its patient
    assert rows["patient"].iloc[10] == rows["patient"].iloc[11]
    seen = SeenPhotos.of(known["image_id"].tolist(), known["path"].tolist())
    save_model(tmp_path / "model.safetensors", lite0, example_facts(lite0), None, seen)
    command = ["evaluate", "--data", str(lesion_folder), "--model", str(tmp_path / "model.safetensors"), "--out"]
    assert main([*command, str(tmp_path / "all")]) == 0
    said = "trained on 19 of these 48 images, and on others of the patients or lesions of 1 more"
    assert said in capsys.readouterr().err
    assert main([*command, str(tmp_path / "new"), "--unseen"]) == 0
    report = (tmp_path / "new" / "report.md").read_text()
    assert "as the model was trained on them: 19 of 48 images." in report
    assert "Left out as well, as it was trained on others of the same patients or lesions: 1." in report
    new = pd.read_csv(tmp_path / "new" / "predictions.csv")
    assert len(new) == 28
    assert not set(new["group"]) & set(known["group"])


def test_an_evaluation_on_new_photos_says_nothing(trained_on_half, lesion_folder, tmp_path, capsys):
    data = tmp_path / "new"
    (data / "images").mkdir(parents=True)
    table = pd.read_csv(lesion_folder / "labels.csv").drop(index=range(10, 30))
    for name in table["image_name"]:
        shutil.copy(lesion_folder / "images" / f"{name}.jpg", data / "images")
    table.to_csv(data / "labels.csv", index=False)
    command = ["evaluate", "--data", str(data), "--out", str(tmp_path / "out"), "--model", trained_on_half]
    assert main(command) == 0
    assert "Warning" not in capsys.readouterr().err


def test_without_a_new_photo_or_without_marks_nothing_can_be_unseen(
    trained_on_half, lite0_file, lesion_folder, tmp_path, capsys
):
    data = tmp_path / "seen"
    (data / "images").mkdir(parents=True)
    table = pd.read_csv(lesion_folder / "labels.csv").iloc[10:30]
    for name in table["image_name"]:
        shutil.copy(lesion_folder / "images" / f"{name}.jpg", data / "images" / f"again-{name}.jpg")
    table.assign(image_name="again-" + table["image_name"]).to_csv(data / "labels.csv", index=False)
    command = ["evaluate", "--data", str(data), "--out", str(tmp_path / "out"), "--unseen", "--model"]
    assert main([*command, trained_on_half]) == 2
    assert "error: The model was trained on all of these 20 images" in capsys.readouterr().err
    assert main([*command, str(lite0_file)]) == 2
    assert "does not say which photos it was trained on" in capsys.readouterr().err


def test_the_bundled_model_knows_its_photos(bundled_model, shared_data):
    counts = [source["images"] for source in bundled_model.facts.training["sources"].values()]
    assert bundled_model.seen is not None
    assert len(bundled_model.seen.marks) == sum(counts)
    ids = pd.read_csv(shared_data / "isic2020" / "train.csv")["image_name"].head(20).tolist()
    assert bundled_model.seen.among(ids, ids).all()
    assert not bundled_model.seen.among(["ISIC_9999999"], [""]).any()
