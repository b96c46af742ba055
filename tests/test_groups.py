"""Groups: rows that any id ties together are never split."""

from pathlib import Path

import pandas as pd

from isic_screen.data.groups import join_groups
from isic_screen.data.tables import read_source, read_sources
from tests.small_sets import put_photos, put_plain, put_table

ARCHIVE = "isic_id,target,patient_id,lesion_id"


def test_groups_with_an_id_in_common_are_one() -> None:
    groups = pd.Series(["c", "b", "a", "d", "b"])
    assert list(join_groups(groups, pd.Series(["1", "1", "2", "", "2"]))) == ["a", "a", "a", "d", "a"]
    assert list(join_groups(groups, pd.Series([""] * 5))) == list(groups)


def test_a_lesion_whose_patient_is_known_for_one_photo_only(tmp_path: Path) -> None:
    rows = ["a,0,IP_0000001,IL_0000009", "b,0,,IL_0000009", "c,1,IP_0000001,", "d,1,IP_0000002,IL_0000003", "e,0,,"]
    put_plain(tmp_path / "clinic", ARCHIVE, *rows, photos=5)
    groups = read_source(tmp_path / "clinic").rows.set_index("image_id")["group"]
    assert groups["a"] == groups["b"] == groups["c"]
    assert groups["d"] == "IP_0000002"
    assert groups["e"] == "clinic/image e"
    assert groups.nunique() == 3


def test_rows_that_are_left_out_tie_others_together_first(tmp_path: Path) -> None:
    """One without a photo, and the second of two rows of one photo."""
    put_plain(tmp_path, ARCHIVE, "gone,0,p1,l1", "a,0,p1,", "b,0,,l1", "c,1,p2,", "c,1,p3,", "d,1,p3,", "c.jpg,1,p4,")
    groups = read_source(tmp_path).rows.set_index("image_id")["group"]
    assert groups["a"] == groups["b"]
    assert groups["c"] == groups["d"]
    assert groups.nunique() == 2
    put_table(tmp_path, ARCHIVE, "a,0,p1,", "a.jpg,0,p2,", "b,1,p2,", "c,1,p3,")
    groups = read_source(tmp_path).rows.set_index("image_id")["group"]
    assert groups["a"] == groups["b"] != groups["c"]


def test_sources_are_tied_by_the_ids_of_the_archive(tmp_path: Path) -> None:
    """By a photo that both have, of which one knows the patient and the other the lesion; and by a lesion."""
    put_table(tmp_path / "one", ARCHIVE, "ISIC_0000001,0,IP_0000001,", "ISIC_0000002,1,IP_0000002,IL_0000002")
    put_photos(tmp_path / "one", "ISIC_0000001.jpg", "ISIC_0000002.jpg")
    put_table(
        tmp_path / "two",
        ARCHIVE,
        "ISIC_0000001,0,,IL_0000001",
        "ISIC_0000003,0,,IL_0000001",
        "ISIC_0000004,1,,IL_0000002",
        "x,0,7,",
    )
    put_photos(tmp_path / "two", *(f"ISIC_000000{number}.jpg" for number in (1, 3, 4)), "x.jpg")
    rows = read_sources([tmp_path / "one", tmp_path / "two"]).rows
    groups = rows.set_index("image_id")["group"]
    assert len(rows) == 5  # the photo of both is there once
    assert groups["ISIC_0000001"] == groups["ISIC_0000003"]
    assert groups["ISIC_0000002"] == groups["ISIC_0000004"]
    assert groups.nunique() == 3


def test_sources_are_tied_by_a_patient_whose_group_bears_a_lesions_name_in_one_of_them(tmp_path: Path) -> None:
    put_table(tmp_path / "one", ARCHIVE, "ISIC_0000001,0,IP_0000001,IL_0000009", "ISIC_0000002,1,,IL_0000009")
    put_photos(tmp_path / "one", "ISIC_0000001.jpg", "ISIC_0000002.jpg")
    put_table(tmp_path / "two", ARCHIVE, "ISIC_0000003,0,IP_0000001,", "ISIC_0000004,1,IP_0000002,")
    put_photos(tmp_path / "two", "ISIC_0000003.jpg", "ISIC_0000004.jpg")
    assert set(read_source(tmp_path / "one").rows["group"]) == {"IL_0000009"}
    groups = read_sources([tmp_path / "one", tmp_path / "two"]).rows.set_index("image_id")["group"]
    assert groups["ISIC_0000001"] == groups["ISIC_0000002"] == groups["ISIC_0000003"] != groups["ISIC_0000004"]


def test_ids_of_a_clinic_mean_nothing_in_another(tmp_path: Path) -> None:
    for name in ("one", "two"):
        put_plain(tmp_path / name, ARCHIVE, "a,0,1,5", "b,1,2,6")
    assert read_sources([tmp_path / "one", tmp_path / "two"]).rows["group"].is_unique
