"""Splits: groups whole, classes even, the same for the same seed, and refused when they cannot work."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isic_screen.data.duplicates import drop_duplicates, read_duplicates
from isic_screen.data.splits import (
    check_both_classes,
    fold_rows,
    leak,
    load_split,
    save_split,
    split_rows,
)
from isic_screen.data.tables import read_labels
from isic_screen.errors import DataError


def patients(number: int, seed: int = 0, source: str = "s") -> pd.DataFrame:
    """Patients with 1 to 20 images each, about one in ten a melanoma; unequal, as real ones are."""
    random = np.random.default_rng(seed)
    images = random.integers(1, 21, number)
    group = np.repeat([f"{source}/{n}" for n in range(number)], images)
    target = (random.random(len(group)) < 0.1).astype("int64")
    image = [f"i{n:05}" for n in range(len(group))]
    return pd.DataFrame({"image_id": image, "source": source, "group": group, "target": target})


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return patients(200)


@pytest.fixture(scope="module")
def official(shared_data: Path) -> pd.DataFrame:
    """The official ISIC 2020 table without its duplicates: 32,701 images, 581 melanomas, 2,056 patients."""
    folder = shared_data / "isic2020"
    labels = read_labels(folder / "ISIC_2020_Training_GroundTruth_v2.csv").rows
    labels = labels.assign(group=labels["patient"], source="isic2020")
    return drop_duplicates(labels, read_duplicates(folder / "ISIC_2020_Training_Duplicates.csv"))[0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.25, 0.5])
def test_split(rows: pd.DataFrame, fraction: float, seed: int) -> None:
    parts = split_rows(rows, fraction=fraction, seed=seed)
    assert parts.index.equals(rows.index)
    assert set(parts) == {"train", "validation"}
    assert leak(rows, parts) is None
    validation = rows[parts == "validation"]
    assert len(validation) == pytest.approx(fraction * len(rows), rel=0.08)
    assert validation["target"].sum() == pytest.approx(fraction * rows["target"].sum(), abs=3)
    assert validation["group"].nunique() == pytest.approx(fraction * rows["group"].nunique(), abs=3)


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds(rows: pd.DataFrame, folds: int) -> None:
    parts = fold_rows(rows, folds)
    assert set(parts) == set(range(folds))
    assert leak(rows, parts) is None
    sizes = rows.groupby(parts)["target"].agg(["size", "sum"])
    assert sizes["size"].max() - sizes["size"].min() <= 0.08 * len(rows) / folds
    assert sizes["sum"].max() - sizes["sum"].min() <= 4


@pytest.mark.parametrize("by", ["group", "image"])
def test_same_seed_same_split_in_any_order(rows: pd.DataFrame, by: str) -> None:
    shuffled = rows.sample(frac=1, random_state=3)
    for make in (split_rows, fold_rows):
        parts = make(rows, by=by, seed=7)
        pd.testing.assert_series_equal(parts, make(rows, by=by, seed=7))
        pd.testing.assert_series_equal(parts, make(shuffled, by=by, seed=7).sort_index())
        assert not parts.equals(make(rows, by=by, seed=8))


def test_every_source_gets_its_share() -> None:
    rows = pd.concat([patients(100, 1, "a"), patients(40, 2, "b")], ignore_index=True)
    for seed in range(5):
        parts = split_rows(rows, seed=seed)
        for _, source in rows.groupby("source"):
            validation = source[parts[source.index] == "validation"]
            assert len(validation) == pytest.approx(0.2 * len(source), rel=0.12)
            assert validation["target"].sum() == pytest.approx(0.2 * source["target"].sum(), abs=2.5)


def test_large_patients_are_validated_on_as_often_as_small_ones() -> None:
    rows = patients(100, seed=5)
    largest = rows.groupby("group").size().nlargest(10).index
    chosen = [set(rows.loc[split_rows(rows, seed=seed) == "validation", "group"]) for seed in range(40)]
    share = np.mean([[group in validation for group in largest] for validation in chosen])
    assert 0.12 < share < 0.28  # 0.2 is fair; the standard error is 0.02


def test_split_by_image_leaks_and_says_so(rows: pd.DataFrame) -> None:
    parts = split_rows(rows, by="image")
    validation = rows[parts == "validation"]
    assert len(validation) == pytest.approx(0.2 * len(rows), abs=5)
    assert validation["target"].sum() == pytest.approx(0.2 * rows["target"].sum(), abs=1)
    warning = leak(rows, parts)
    spread = sum(1 for _, group in parts.groupby(rows["group"]) if group.nunique() > 1)
    assert warning is not None
    assert warning.startswith(f"This split leaks: {spread} of 200 groups")


def test_two_sources_may_use_one_image_id() -> None:
    rows = pd.concat([patients(30, 1, "a"), patients(30, 2, "b")], ignore_index=True)
    parts = split_rows(rows, by="image", seed=1)
    both = rows.assign(part=parts).pivot_table(index="image_id", columns="source", values="part", aggfunc="first")
    assert (both.dropna()["a"] != both.dropna()["b"]).any()


@settings(deadline=None, max_examples=60)
@given(
    table=st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=4, max_size=60),
    folds=st.integers(2, 5),
    seed=st.integers(0, 5),
)
def test_any_table_is_split_well_or_refused(table: list[tuple[int, bool]], folds: int, seed: int) -> None:
    rows = pd.DataFrame(table, columns=["group", "target"]).astype({"group": "str", "target": "int64"})
    rows = rows.assign(source="s", image_id=[f"i{n}" for n in range(len(rows))])
    for make in (lambda: split_rows(rows, seed=seed), lambda: fold_rows(rows, folds, seed=seed)):
        try:
            parts = make()
        except DataError:
            continue
        assert leak(rows, parts) is None
        assert (rows.groupby(parts)["target"].nunique() == 2).all()
        assert parts.nunique() in (2, folds)


@pytest.mark.parametrize("melanoma_patients", [2, 3, 5])
@pytest.mark.parametrize("seed", range(10))
def test_few_melanoma_patients_still_reach_every_part(melanoma_patients: int, seed: int) -> None:
    rows = patients(30, seed=1).assign(target=0)
    for group in rows["group"].unique()[:melanoma_patients]:
        rows.loc[rows.index[rows["group"] == group][0], "target"] = 1
    split_rows(rows, seed=seed)
    fold_rows(rows, melanoma_patients, seed=seed)  # each raises if a part has no melanoma


def test_the_last_melanomas_go_where_there_are_none() -> None:
    # Found by search: evening out alone leaves one of these four folds without a melanoma.
    groups, targets = "11400142126416400461", "01000101101011010001"
    rows = pd.DataFrame({"group": list(groups), "target": [int(target) for target in targets], "source": "s"})
    fold_rows(rows.assign(image_id=[f"i{n:02}" for n in range(len(rows))]), 4)  # raises if it does


# What cannot be split


def test_one_class_is_refused(rows: pd.DataFrame) -> None:
    for target, lacking in ((0, "no melanoma"), (1, "no image without melanoma")):
        with pytest.raises(DataError, match=lacking):
            split_rows(rows.assign(target=target))
        with pytest.raises(DataError, match=lacking):
            fold_rows(rows.assign(target=target))
    with pytest.raises(DataError, match="The exam has 0 images"):
        check_both_classes(rows.iloc[:0], "The exam")


def test_too_few_groups_are_refused(rows: pd.DataFrame) -> None:
    one = rows.assign(target=(rows["group"] == "s/0").astype("int64"))
    with pytest.raises(DataError, match=r"Melanomas come from 1 group .* 2 parts need"):
        split_rows(one)
    split_rows(one, by="image")
    four = rows.assign(target=rows["group"].isin(["s/0", "s/1", "s/2", "s/3"]).astype("int64"))
    with pytest.raises(DataError, match=r"Melanomas come from 4 groups .* 5 parts need"):
        fold_rows(four)
    fold_rows(four, 4)
    with pytest.raises(DataError, match="Images without melanoma come from 4 groups"):
        fold_rows(four.assign(target=1 - four["target"]))


def test_parameters_out_of_range(rows: pd.DataFrame) -> None:
    for fraction in (0, 1, -0.2, 0.001, float("nan")):
        with pytest.raises(DataError, match=r"between 0\.05 and 0\.95"):
            split_rows(rows, fraction=fraction)
    with pytest.raises(DataError, match="at least 2 folds, not 1"):
        fold_rows(rows, 1)
    with pytest.raises(DataError, match="by group or by image, not by 'patient'"):
        split_rows(rows, by="patient")


# Saved splits


def test_saved_split_comes_back(rows: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    for parts in (split_rows(rows), fold_rows(rows)):
        save_split(path, rows, parts)
        assert path.read_text().splitlines()[0] == "image_id,source,part"
        shuffled = rows.sample(frac=1, random_state=1)
        pd.testing.assert_series_equal(load_split(path, shuffled).sort_index(), parts)
    assert [file.name for file in tmp_path.iterdir()] == ["split.csv"]


def test_saved_split_with_images_set_aside_since(rows: pd.DataFrame, tmp_path: Path) -> None:
    parts = split_rows(rows)
    save_split(tmp_path / "split.csv", rows, parts)
    fewer = rows.iloc[5:]
    pd.testing.assert_series_equal(load_split(tmp_path / "split.csv", fewer), parts.iloc[5:])


def test_saved_split_that_leaks_is_loaded_and_told(rows: pd.DataFrame, tmp_path: Path) -> None:
    save_split(tmp_path / "split.csv", rows, split_rows(rows, by="image"))
    assert leak(rows, load_split(tmp_path / "split.csv", rows)) is not None


def test_saved_split_that_does_not_fit(rows: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    parts = split_rows(rows)
    save_split(path, rows.iloc[3:], parts.iloc[3:])
    with pytest.raises(
        DataError, match=r"split\.csv has no part for 3 images of the data: s/i00000, s/i00001, s/i00002"
    ):
        load_split(path, rows)
    save_split(path, rows.assign(source="other"), parts)
    with pytest.raises(DataError, match="folders have to be called the same"):
        load_split(path, rows)


def test_faulty_saved_split(rows: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    few = rows.iloc[:2]
    for text, sentence in (
        ("image_id,part\ni00000,train\n", "not a saved split: it has no column source"),
        ("image_id,source,part\ni00000,s,train\ni00001,s,exam\n", "other than train and validation .* rows 3"),
        ("image_id,source,part\ni00000,s,train\ni00000,s,validation\ni00001,s,train\n", "two parts: see rows 3"),
        ("image_id,source,part\n", "no part for 2 images"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=sentence):
            load_split(path, few)
    with pytest.raises(DataError, match="does not exist"):
        load_split(tmp_path / "gone.csv", few)


def test_saved_split_with_a_part_that_lacks_a_class(rows: pd.DataFrame, tmp_path: Path) -> None:
    by_class = rows["target"].map({0: "train", 1: "validation"})
    save_split(tmp_path / "split.csv", rows, by_class)
    with pytest.raises(DataError, match=r"The train part of the split has .* no melanoma"):
        load_split(tmp_path / "split.csv", rows)
    save_split(tmp_path / "split.csv", rows, rows["target"])
    with pytest.raises(DataError, match=r"Fold 0 of the split has .* no melanoma"):
        load_split(tmp_path / "split.csv", rows)
    save_split(tmp_path / "split.csv", rows, pd.Series("train", index=rows.index))
    with pytest.raises(DataError, match="one part only, 'train'"):
        load_split(tmp_path / "split.csv", rows)


# The whole official table


@pytest.mark.parametrize("seed", range(3))
def test_official_split_by_patient(official: pd.DataFrame, seed: int) -> None:
    parts = split_rows(official, seed=seed)
    assert leak(official, parts) is None
    validation = official[parts == "validation"]
    # a fifth of 32,701 images, 581 melanomas and 2,056 patients
    assert len(validation) == pytest.approx(6_540, abs=60)
    assert validation["target"].sum() == pytest.approx(116, abs=2)
    assert validation["group"].nunique() == pytest.approx(411, abs=2)
    assert validation["target"].mean() == pytest.approx(official["target"].mean(), rel=0.03)


def test_official_folds(official: pd.DataFrame) -> None:
    fold = fold_rows(official)
    assert leak(official, fold) is None
    assert official.groupby(fold)["target"].sum().between(114, 118).all()
    assert official.groupby(fold).size().between(6_480, 6_600).all()


def test_official_split_by_image_is_the_papers(official: pd.DataFrame, shared_data: Path) -> None:
    # The paper: 6,626 validation images of all 33,126 (20 %), 117 of them melanomas.
    table = shared_data / "isic2020" / "ISIC_2020_Training_GroundTruth_v2.csv"
    rows = read_labels(table).rows.assign(source="isic2020")
    rows["group"] = rows["patient"]
    parts = split_rows(rows, by="image")
    validation = rows[parts == "validation"]
    assert len(validation) == pytest.approx(6_626, abs=2)
    assert validation["target"].sum() == pytest.approx(117, abs=1)
    assert "of 2,056 groups" in str(leak(rows, parts))
