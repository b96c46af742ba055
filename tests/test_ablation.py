import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import train.ablate
from isic_screen.data.splits import load_split
from isic_screen.data.tables import read_sources
from isic_screen.errors import DataError, RecipeError
from isic_screen.evaluation.ablation import compare, groups_of_interest, table_of
from isic_screen.evaluation.camera_probe import of_camera, probe_camera
from isic_screen.training.recipe import RECIPES, FineTuneRecipe, load_recipe
from tests.one_sample import specificity_at


@pytest.fixture
def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    count = 300
    return pd.DataFrame(
        {
            "source": np.where(np.arange(count) < 200, "a", "b"),
            "image_id": [f"i{number}" for number in range(count)],
            "target": random.integers(0, 2, count),
            "group": [f"g{number // 2}" for number in range(count)],
            "width": np.where(np.arange(count) < 100, 6000.0, np.where(np.arange(count) < 200, 1024.0, np.nan)),
            "height": np.where(np.arange(count) < 100, 4000.0, np.where(np.arange(count) < 200, 768.0, np.nan)),
        }
    )


def _scores(rows: pd.DataFrame, signal: float, seed: int, camera: float = np.nan) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(size=len(rows))
    fold = np.arange(len(rows)) // 2 % 2  # no group is in both
    return rows[["source", "image_id"]].assign(logit=signal * rows["target"] + noise, camera=camera, fold=fold)


def _mean_auc(rows: pd.DataFrame, table: pd.DataFrame) -> float:
    targets = rows.loc[table.index, "target"]
    return float(np.mean([roc_auc_score(targets[part.index], part["logit"]) for _, part in table.groupby("fold")]))


def test_entries_are_compared_on_the_same_images(rows):
    tables = {"base": _scores(rows, 1.0, 1), "better": _scores(rows, 3.0, 2).iloc[10:]}
    results = compare(tables, rows.sample(frac=1, random_state=0), against={"better": "base"}, resamples=100)
    expected = _mean_auc(rows, tables["base"].iloc[10:200])
    assert results["base"]["auc"]["a"]["value"] == pytest.approx(expected)
    assert results["base"]["auc"]["a"]["n"] == 190
    difference = results["better"]["difference"]["auc"]["a"]
    assert difference["value"] == pytest.approx(results["better"]["auc"]["a"]["value"] - expected)
    assert 0 < difference["low"] < difference["value"] < difference["high"]
    assert results["base"]["difference"] == {}
    text = table_of({name: {**result, "why": name} for name, result in results.items()})
    assert f"{expected:.3f}" in text
    assert f"{difference['value']:+.3f}" in text
    json.dumps(results, allow_nan=False)


def test_folds_whose_networks_speak_on_other_scales_are_not_held_against_a_recipe(rows):
    plain = _scores(rows, 2.0, 1)
    moved = plain.assign(logit=plain["logit"] * (1 + 9 * plain["fold"]) + 5 * plain["fold"])
    found = compare({"plain": plain, "moved": moved}, rows, against={"moved": "plain"}, resamples=50)
    assert found["moved"]["auc"] == found["plain"]["auc"]
    assert found["moved"]["difference"]["auc"]["a"]["value"] == 0
    pooled = roc_auc_score(rows["target"][:200], moved["logit"][:200])
    assert found["moved"]["auc"]["a"]["value"] > pooled + 0.01


def test_a_fold_without_melanomas_is_left_out_of_the_mean(rows):
    rows["target"] = np.where(np.arange(len(rows)) // 2 % 2 == 0, 0, rows["target"])
    table = _scores(rows, 1.0, 1)
    found = compare({"base": table}, rows, against={}, resamples=50)["base"]["auc"]["b"]
    other = table[(table["fold"] == 1) & (rows["source"] == "b")]
    assert found["value"] == pytest.approx(roc_auc_score(rows.loc[other.index, "target"], other["logit"]))


def test_intervals_are_of_patients_not_of_images(rows):
    table = _scores(rows, 1.0, 1).assign(camera=np.random.default_rng(2).normal(size=len(rows)))
    ids = [f"{copy}-" + rows["image_id"] for copy in range(4)]  # four photos of everyone tell no more than one
    many_rows, many = (pd.concat([some.assign(image_id=name) for name in ids]) for some in (rows, table))
    one = compare({"base": table}, rows, against={}, resamples=50)["base"]
    four = compare({"base": many}, many_rows, against={}, resamples=50)["base"]
    for found, expected in ((four["auc"]["a"], one["auc"]["a"]), (four["camera"], one["camera"])):
        assert (found["low"], found["high"]) == pytest.approx((expected["low"], expected["high"]))


def test_specificities_are_those_at_their_sensitivities_and_the_probe_is_of_the_camera(rows):
    table = _scores(rows, 1.0, 1).assign(camera=of_camera(rows).astype(float), fold=0)
    found = compare({"base": table}, rows, against={}, resamples=10)["base"]
    for name, sensitivity in (("specificity_at_90", 0.9), ("specificity_at_95", 0.95)):
        expected = specificity_at(sensitivity, table["logit"][:200], rows["target"][:200])
        assert found[name]["a"]["value"] == pytest.approx(expected)
    assert found["camera"]["value"] == 1


def test_groups_split_sources_by_camera_where_sizes_are_known(rows):
    masks = groups_of_interest(rows)
    assert list(masks) == ["a", "a, without 6000x4000", "a, 6000x4000 alone", "b"]
    assert [int(mask.sum()) for mask in masks.values()] == [200, 100, 100, 100]


def test_nothing_in_common_is_an_error(rows):
    with pytest.raises(DataError, match="no image in common"):
        compare({"base": _scores(rows, 1, 1).assign(image_id="x")}, rows, against={}, resamples=10)


def test_the_camera_is_recognised_either_way_up():
    sizes = pd.DataFrame({"width": [6000, 4000, 6000, np.nan], "height": [4000, 6000, 6000, np.nan]})
    assert of_camera(sizes).tolist() == [True, True, False, False]


def test_the_probe_finds_a_camera_in_the_features_and_nothing_in_noise(rows):
    random = np.random.default_rng(1)
    size = of_camera(rows).to_numpy()
    noise = random.normal(size=(len(rows), 30)).astype(np.float32)
    told = noise + 2 * size[:, None]
    benign = (rows["target"] == 0).to_numpy() & rows["width"].notna().to_numpy()
    found = probe_camera(told.astype(np.float32), rows)
    assert np.isfinite(found[benign]).all()
    assert np.isnan(found[~benign]).all()
    assert roc_auc_score(size[benign], found[benign]) > 0.95
    assert abs(roc_auc_score(size[benign], probe_camera(noise, rows)[benign]) - 0.5) < 0.2


def test_the_probe_says_nothing_where_too_few_have_the_size(rows):
    features = np.random.default_rng(1).normal(size=(len(rows), 3)).astype(np.float32)
    assert np.isnan(probe_camera(features, rows.assign(width=np.nan))).all()
    # A fold needs two groups of either size: nine groups of two photos are too few, and ten are enough.
    for count, known in ((18, False), (20, True)):
        few = rows.assign(target=0, width=np.where(np.arange(len(rows)) < count, 6000, 1024), height=4000)
        assert np.isfinite(probe_camera(features, few)).all() == known


@pytest.fixture
def ablate(lesion_folder, tmp_path, monkeypatch):
    """`train/ablate.py` on drawn lesions, whose scores are invented, so that nothing is trained."""
    rows = read_sources([lesion_folder]).rows
    entries = ['[paper]\nwhy = "p"\nagainst = ""', '[old]\nwhy = "o, in new words"\nkept = true', '[base]\nwhy = "b"']
    (tmp_path / "entries.toml").write_text("\n".join(entries))
    scores = tmp_path / "scores"
    scores.mkdir()
    for seed, name in enumerate(("paper", "base")):
        _scores(rows, 1.0, seed).to_csv(scores / f"{name}.csv.gz", index=False)

    def run(*more: str, status: int = 0) -> dict:
        words = ["--data", lesion_folder, "--entries", tmp_path / "entries.toml", "--scores", scores]
        words += ["--json", tmp_path / "a.json", "--table", tmp_path / "a.md", "--shipped", tmp_path / "run", *more]
        monkeypatch.setattr("sys.argv", ["ablate", *map(str, words)])
        assert train.ablate.main() == status
        return json.loads((tmp_path / "a.json").read_text()) if status == 0 else {}

    return run, rows, tmp_path


def test_only_names_that_are_there_are_run(ablate, capsys):
    run, _, _ = ablate
    assert list(run()) == ["paper", "base"]
    run("--only", "bsae", status=2)
    assert "--only bsae:" in capsys.readouterr().err


def test_the_folders_that_the_table_goes_to_are_made(ablate):
    run, _, folder = ablate
    run()
    new = folder / "new" / "folder"
    run("--json", str(new / "a.json"), "--table", str(new / "tables" / "a.md"))
    assert json.loads((new / "a.json").read_text()) == json.loads((folder / "a.json").read_text())
    assert (new / "tables" / "a.md").read_text() == (folder / "a.md").read_text()


def test_a_table_of_entries_that_cannot_be_read_is_a_sentence(ablate, capsys):
    run, _, folder = ablate
    run("--entries", str(folder / "nowhere.toml"), status=2)
    assert "nowhere.toml cannot be read as a table of entries" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_a_sentence(ablate, capsys):
    run, _, folder = ablate
    run("--table", str(folder / "entries.toml" / "a.md"), status=2)
    assert f"error: File exists: {folder / 'entries.toml'}. Go on by the same command." in capsys.readouterr().err


def test_other_data_than_the_bundled_models_leave_the_projects_scores_alone(ablate, tmp_path, monkeypatch):
    _, rows, folder = ablate
    assets = train.ablate.ROOT / "assets"
    before = {file: file.read_bytes() for file in (assets / "ablation.json", assets / "ABLATION.md")}
    held_out = sorted((assets / "held_out").iterdir())
    mine = tmp_path / "mine" / "held_out"
    mine.mkdir(parents=True)
    _scores(rows, 1.0, 0).to_csv(mine / "base.csv.gz", index=False)
    data = str(Path(rows["path"].iloc[0]).parents[1])
    words = ["--data", data, "--entries", str(folder / "entries.toml"), "--only", "base", "--out", str(mine.parent)]
    monkeypatch.setattr("sys.argv", ["ablate", *words])
    assert train.ablate.main() == 0
    assert list(json.loads((mine.parent / "ablation.json").read_text())) == ["base"]
    assert (mine.parent / "ABLATION.md").is_file()
    assert {file: file.read_bytes() for file in before} == before
    assert sorted((assets / "held_out").iterdir()) == held_out


def test_the_shipped_run_is_compared_with_the_paper_and_its_scores_are_kept(ablate):
    run, rows, folder = ablate
    (folder / "run").mkdir()
    held_out = _scores(rows, 3.0, 5).assign(probability=0.5)
    held_out.to_csv(folder / "run" / "predictions.csv", index=False)
    found = run()
    assert found["shipped"]["against"] == "paper"
    (source,) = rows["source"].unique()
    assert found["shipped"]["auc"][source]["value"] > found["paper"]["auc"][source]["value"]
    kept = folder / "scores" / "shipped.csv.gz"
    first = kept.read_bytes()
    assert list(pd.read_csv(kept)) == ["source", "image_id", "logit", "camera", "fold"]
    assert run() == found
    assert kept.read_bytes() == first
    (folder / "run" / "predictions.csv").unlink()
    assert run() == found  # from what was kept


@pytest.fixture
def untrained(ablate, monkeypatch):
    """What each fine-tuned entry of `ablate` would have been trained with; nothing is."""
    _, rows, folder = ablate
    with (folder / "entries.toml").open("a") as entries:
        entries.write('\nrecipe = "lite0"\n')
    seen = []

    class Untrained:
        @classmethod
        def prepare(cls, data, recipe, setting):
            seen.append((recipe, setting))
            return cls()

        def folds(self):
            return []

        def cross_validate(self, folds, *, with_novelty):
            return _scores(rows, 1.0, 9)

    monkeypatch.setattr(train.ablate, "WholeNetwork", Untrained)
    return seen


def test_an_entry_with_another_seed_has_the_folds_of_the_one_it_names(ablate, untrained, capsys):
    run, rows, folder = ablate
    with (folder / "entries.toml").open("a") as entries:
        entries.write('[seed]\nwhy = "s"\nset = { seed = 1 }\nfolds = "base"\n')
    run("--out", str(folder / "runs"))
    base = pd.read_csv(folder / "scores" / "base.csv.gz")
    ((recipe, setting),) = untrained
    assert recipe.seed == 1
    folds = load_split(setting.split_file, rows)
    assert dict(zip(rows["image_id"], folds, strict=True)) == dict(zip(base["image_id"], base["fold"], strict=True))
    (folder / "scores" / "seed.csv.gz").unlink()
    (folder / "scores" / "base.csv.gz").unlink()
    run("--out", str(folder / "runs"), "--only", "seed", status=2)
    assert "run --only base first" in capsys.readouterr().err


def test_an_entry_can_start_from_random_weights(ablate, untrained):
    run, _, folder = ablate
    with (folder / "entries.toml").open("a") as entries:
        entries.write('[pretrained]\nwhy = "p"\n[random]\nwhy = "r"\npretrained = false\n')
    run("--out", str(folder / "runs"))
    assert [setting.weights for _, setting in untrained] == ["imagenet", None]


def test_what_goes_on_from_a_run_finds_it_among_the_starts_of_others(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, recipe in (
        (one, "screen"),
        (one / "start", "lite2-again"),
        (one / "start" / "start", "lite2"),
        (other, "open"),
        (other / "start", "open-first"),
    ):
        folder.mkdir()
        shutil.copy(RECIPES / f"{recipe}.toml", folder / "recipe.toml")
    for recipe, start in (
        ("screen", one / "start"),
        ("lite2-again", one / "start" / "start"),
        ("open", other / "start"),
    ):
        chosen = load_recipe(recipe)
        assert isinstance(chosen, FineTuneRecipe)
        assert train.ablate.start_of(chosen, [one, other]) == start
    with pytest.raises(RecipeError, match="one went on from a run by the recipe open-first"):
        train.ablate.start_of(chosen, [one])
