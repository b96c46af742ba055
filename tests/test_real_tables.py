"""Reading the real data sets, where they are at hand."""

from pathlib import Path

import pytest

from isic_screen.data.tables import read_labels, read_source, read_sources


def test_whole_official_table(shared_data: Path) -> None:
    labels = read_labels(shared_data / "isic2020" / "ISIC_2020_Training_GroundTruth_v2.csv")
    rows = labels.rows
    assert len(rows) == 33_126
    assert rows["target"].value_counts().to_dict() == {0: 32_542, 1: 584}
    assert rows["patient"].nunique() == 2_056
    assert labels.warnings == ()
    assert (rows["diagnosis"] == "").sum() == 27_124  # "unknown" in the table


@pytest.mark.parametrize(
    ("folder", "images", "melanomas", "groups"),
    [
        ("isic2020", 908, 464, 624),
        ("ham10000", 10_015, 1_113, 7_470),
        ("isic2017", 2_146, 400, 2_146),
        ("isic2020_benign", 1_458, 0, 115),
        ("milk10k", 3_123, 167, 3_123),
        ("isic_archive", 451, 265, 451),
        ("photos", 8, 4, 8),
    ],
)
def test_real_folders(shared_data: Path, folder: str, images: int, melanomas: int, groups: int) -> None:
    data = read_source(shared_data / folder)
    assert len(data.rows) == images
    assert data.rows["target"].sum() == melanomas
    assert data.rows["group"].nunique() == groups
    assert data.rows["path"].map(lambda path: Path(path).is_file()).all()
    assert not any("without a" in warning for warning in data.warnings)


def test_real_side_tables(shared_data: Path) -> None:
    rows = read_source(shared_data / "isic2020").rows
    assert rows["width"].notna().all()
    assert ((rows["width"] == 6000) & (rows["height"] == 4000)).sum() > 100
    assert set(rows["skin_tone"]) == {"Very light", "Light", "Intermediate", "Tan"}


def test_real_tables_tell_age_sex_site_and_skin_tone(shared_data: Path) -> None:
    rows = read_source(shared_data / "milk10k").rows
    assert rows["lesion"].is_unique
    assert set(rows["skin_tone"]) == {f"skin tone class {tone}" for tone in range(6)}
    assert (rows["age"].notna().sum(), (rows["site"] != "").sum(), set(rows["sex"])) == (
        3_116,
        3_110,
        {"male", "female"},
    )
    assert (read_source(shared_data / "isic2020_benign").rows[["sex", "patient"]] != "").all(axis=None)


def test_patients_of_isic_2020_are_one_over_both_folders(shared_data: Path) -> None:
    data = read_sources([shared_data / "isic2020", shared_data / "isic2020_benign"])
    assert (len(data.rows), data.rows["group"].nunique()) == (2_366, 687)
    assert (data.rows.groupby("group")["source"].nunique() == 2).sum() == 52


def test_real_photos_are_also_in_isic_2017(shared_data: Path) -> None:
    data = read_sources([shared_data / "isic2017", shared_data / "photos"])
    assert data.rows["group"].is_unique
    assert any("photos held by several sources kept once" in warning for warning in data.warnings)


def test_official_table_with_photos_for_few_rows(shared_data: Path) -> None:
    data = read_source(shared_data / "isic2020" / "ISIC_2020_Training_GroundTruth_v2.csv")
    assert len(data.rows) == 908
    assert len(data.warnings) == 1  # one sentence for 32,218 rows
    assert "32,218 rows of ISIC_2020_Training_GroundTruth_v2.csv without a photo left out" in data.warnings[0]
