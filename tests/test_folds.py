"""Folds that are given: checked before anything is decoded, and the model file says what they were."""

import pandas as pd
import pytest
import torch

from isic_screen import load_model
from isic_screen.data.splits import fold_rows, save_split
from isic_screen.data.tables import read_source
from isic_screen.errors import DataError, TrainingError
from isic_screen.training.about import load_about
from isic_screen.training.folds import basis_of, check_split_file, folds_of
from isic_screen.training.recipe import load_recipe
from isic_screen.training.run import train
from isic_screen.training.setting import Setting
from tests.conftest import ROOT
from tests.small_recipe import small_recipe
from tests.small_sets import put_plain

ABOUT = load_about(ROOT / "train" / "about.toml")
RECIPE = small_recipe(folds=3, epochs=1, epoch_images=8, from_teacher=False, stem_uses=0, first_size=64)


@pytest.fixture(scope="module")
def rows(lesion_folder) -> pd.DataFrame:
    return read_source(lesion_folder).rows


def _torn(rows: pd.DataFrame) -> pd.Series:
    """Three folds that tear the two photos of every patient apart."""
    return pd.Series((rows.index + rows.index // 6) % 3, rows.index)


def test_the_basis_is_what_the_folds_were(rows):
    whole = "3-fold cross-validation by patient or lesion, where a source names them, otherwise by image"
    assert basis_of(rows.assign(fold=fold_rows(rows, 3))) == whole
    assert basis_of(rows.assign(fold=_torn(rows))).startswith("3-fold cross-validation; images of one patient")


def test_a_split_that_leaks_is_told_in_the_model_file_and_the_report(lesion_folder, rows, tmp_path):
    save_split(tmp_path / "torn.csv", rows, _torn(rows))
    setting = Setting(tmp_path / "out", tmp_path, torch.device("cpu"), 2, split_file=tmp_path / "torn.csv")
    facts = load_model(train([lesion_folder], RECIPE, ABOUT, setting)).facts
    assert facts.metrics["basis"].startswith("3-fold cross-validation; images of one patient or lesion stand on both")
    assert "- This split leaks: 24 of 24 groups" in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize("where", ["split", "teachers", "members"])
def test_other_folds_than_the_recipes_are_refused_before_anything_is_decoded(
    where, lesion_folder, rows, tmp_path, monkeypatch
):
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / "recipe.toml").write_text(RECIPE.to_toml())
    save_split(earlier / "split.csv", rows, _torn(rows))
    given = {"split_file": earlier / "split.csv"} if where == "split" else {where: (earlier,)}
    monkeypatch.setattr("isic_screen.training.whole_network.cached_pixels", lambda *_: pytest.fail("decoded"))
    setting = Setting(tmp_path / "out", tmp_path, torch.device("cpu"), 2, **given)
    with pytest.raises(TrainingError, match=r"has the folds 0, 1, 2, but the recipe's are 0 to 4: .*--set folds=3"):
        train([lesion_folder], small_recipe(folds=5), ABOUT, setting)
    assert not (tmp_path / "out").exists()


def test_a_split_is_of_the_recipes_kind(rows, tmp_path):
    save_split(tmp_path / "folds.csv", rows, _torn(rows))
    save_split(tmp_path / "parts.csv", rows, _torn(rows).map({0: "train", 1: "train", 2: "validation"}))
    check_split_file(tmp_path / "parts.csv", load_recipe("paper"))
    check_split_file(tmp_path / "folds.csv", RECIPE)
    with pytest.raises(TrainingError, match="has fold numbers: a head needs the parts train and validation"):
        check_split_file(tmp_path / "folds.csv", load_recipe("paper"))
    with pytest.raises(TrainingError, match="has two parts: fine-tuning needs fold numbers"):
        check_split_file(tmp_path / "parts.csv", RECIPE)


def test_a_fold_leaves_enough_to_train_on(tmp_path):
    put_plain(tmp_path, "image,target", *(f"{letter},{int(letter < 'd')}" for letter in "abcdefgh"), photos=8)
    rows = read_source(tmp_path).rows
    assert set(folds_of(rows, small_recipe(folds=2))) == {0, 1}
    with pytest.raises(DataError, match="A fold leaves 2 of 4 images to train on, and 3 are needed"):
        folds_of(rows.iloc[1:5], small_recipe(folds=2))
    # The largest fold leaves the fewest.
    save_split(tmp_path / "uneven.csv", rows, pd.Series([0, 0, 1, 0, 0, 0, 0, 1], rows.index))
    with pytest.raises(DataError, match="A fold leaves 2 of 8 images"):
        folds_of(rows, small_recipe(folds=2), tmp_path / "uneven.csv")
