"""Removing duplicate photos."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from isic_screen.archive_ids import photo_name
from isic_screen.data.duplicates import connected, drop_duplicates, find_duplicates, read_duplicates
from isic_screen.data.splits import leak, split_rows
from isic_screen.data.tables import read_labels, read_source
from isic_screen.errors import DataError


def table(**images: tuple[int, str]) -> pd.DataFrame:
    """Rows of image_id=(target, group)."""
    return pd.DataFrame(
        [(image, target, group) for image, (target, group) in images.items()],
        columns=["image_id", "target", "group"],
    )


def test_one_of_a_pair_is_kept_whatever_the_order() -> None:
    rows = table(b=(0, "P1"), a=(0, "P1"), c=(1, "P2"))
    for order in (rows, rows.iloc[::-1]):
        for pair in (("a", "b"), ("b", "a")):
            kept, warnings = drop_duplicates(order, [pair])
            assert set(kept["image_id"]) == {"a", "c"}
            assert warnings == ("1 duplicate image removed: one of each of 1 set is kept.",)
    kept, _ = drop_duplicates(rows, [("a", "b")])
    assert list(kept.index) == [1, 2]  # rows keep their index and order


def test_the_list_knows_a_photo_in_every_size() -> None:
    rows = table(ISIC_0000001_downsampled=(0, "P1"), ISIC_0000002=(0, "P1"), c=(1, "P2"))
    kept, warnings = drop_duplicates(rows, [("ISIC_0000001", "ISIC_0000002")])
    assert list(kept["image_id"]) == ["ISIC_0000001_downsampled", "c"]
    assert len(warnings) == 1


def test_nothing_to_remove() -> None:
    rows = table(a=(0, "P1"), b=(1, "P2"))
    for pairs in ([], [("a", "x")], [("x", "y")], [("a", "a")]):
        kept, warnings = drop_duplicates(rows, pairs)
        assert kept.equals(rows)
        assert warnings == ()


def test_chains_are_one_set() -> None:
    rows = table(a=(0, "P"), b=(0, "P"), c=(0, "P"), d=(0, "P"), e=(1, "P"))
    kept, warnings = drop_duplicates(rows, [("d", "c"), ("b", "a"), ("c", "b")])
    assert list(kept["image_id"]) == ["a", "e"]
    assert warnings[0].startswith("3 duplicate images removed: one of each of 1 set")


def test_a_chain_through_an_absent_image() -> None:
    kept, _ = drop_duplicates(table(a=(0, "P"), c=(0, "P"), e=(1, "P")), [("a", "b"), ("b", "c")])
    assert list(kept["image_id"]) == ["a", "e"]


def test_where_labels_disagree_the_melanoma_stays_and_is_told() -> None:
    kept, warnings = drop_duplicates(table(a=(0, "P"), b=(1, "P"), c=(0, "P")), [("a", "b")])
    assert dict(zip(kept["image_id"], kept["target"], strict=True)) == {"b": 1, "c": 0}
    assert "1 set of duplicates labelled both melanoma and not; a melanoma was kept: a, b." in warnings


def test_duplicates_join_their_patients() -> None:
    rows = table(a=(0, "P1"), b=(0, "P2"), c=(0, "P2"), d=(1, "P3"), e=(0, "P3"), f=(1, "P4"))
    kept, warnings = drop_duplicates(rows, [("a", "b"), ("c", "d")])
    # a = b joins P1 with P2, c = d joins P2 with P3: one person; d, the melanoma, is kept of c and d
    assert dict(zip(kept["image_id"], kept["group"], strict=True)) == {"a": "P1", "d": "P1", "e": "P1", "f": "P4"}
    assert "2 patients joined with another" in warnings[-1]


def test_joined_patients_are_not_split() -> None:
    rows = table(
        **{f"x{n}": (n % 3 == 0, f"P{n:02}") for n in range(60)}, **{f"y{n}": (0, f"P{n:02}") for n in range(60)}
    ).assign(source="s")
    rows["target"] = rows["target"].astype("int64")
    kept, _ = drop_duplicates(rows, [(f"y{n}", f"y{n + 30}") for n in range(30)])
    assert kept["group"].nunique() == 30
    for seed in range(5):
        parts = split_rows(kept, seed=seed)
        patient = kept["image_id"].str[1:].astype(int) % 30
        assert (parts.groupby(patient).nunique() == 1).all()


def test_connected() -> None:
    assert connected([]) == {}
    assert connected([("c", "b"), ("d", "e"), ("b", "a")]) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("ISIC_0000001", "ISIC_0000001"),
        ("train/ISIC_0000001.jpg", "ISIC_0000001"),
        ("ISIC_0000001_downsampled", "ISIC_0000001"),
        ("ISIC_0000001_rotated", "ISIC_0000001_rotated"),
        ("photo.jpg", "photo.jpg"),
    ],
)
def test_photo_name(image: str, name: str) -> None:
    assert photo_name(image) == name


def write_set(folder: Path, *present: str) -> None:
    for image in present:
        Image.new("RGB", (16, 12)).save(folder / f"{image}.jpg")
    (folder / "train.csv").write_text(
        "image_name,patient_id,target\n"
        "ISIC_0000001,IP_0000001,0\nISIC_0000002,IP_0000001,0\nISIC_0000003,IP_0000002,1\n"
    )
    (folder / "ISIC_2020_Training_Duplicates.csv").write_text(
        "image_name_1,image_name_2\nISIC_0000001,ISIC_0000002\nISIC_0000003,ISIC_9999999\n"
    )


def test_the_official_file_beside_the_table_is_found_and_used(tmp_path: Path) -> None:
    write_set(tmp_path, "ISIC_0000001", "ISIC_0000002", "ISIC_0000003")
    data = read_source(tmp_path)
    assert list(data.rows["image_id"]) == ["ISIC_0000001", "ISIC_0000003"]
    assert data.warnings == (f"{tmp_path.name}: 1 duplicate image removed: one of each of 1 set is kept.",)


def test_the_duplicate_that_has_a_photo_is_kept(tmp_path: Path) -> None:
    write_set(tmp_path, "ISIC_0000002", "ISIC_0000003")
    assert list(read_source(tmp_path).rows["image_id"]) == ["ISIC_0000002", "ISIC_0000003"]


def test_faulty_file(tmp_path: Path) -> None:
    write_set(tmp_path, "ISIC_0000001", "ISIC_0000003")
    path = find_duplicates(tmp_path)
    assert path is not None
    path.write_text("image_name_1,image\na,b\n")
    with pytest.raises(DataError, match="no column image_name_2; it has image_name_1, image"):
        read_source(tmp_path)
    path.unlink()
    assert find_duplicates(tmp_path) is None


def test_whole_official_list(shared_data: Path) -> None:
    folder = shared_data / "isic2020"
    rows = read_labels(folder / "ISIC_2020_Training_GroundTruth_v2.csv").rows
    rows = rows.assign(group=rows["patient"], source="isic2020").reset_index(drop=True)
    path = find_duplicates(folder)
    assert path is not None
    pairs = read_duplicates(path)
    # 425 pairs of 850 different images, each pair of one patient and with one label.
    assert len(pairs) == 425
    assert len({image for pair in pairs for image in pair}) == 850
    patient, target = (rows.set_index("image_id")[column] for column in ("patient", "target"))
    assert all(patient[left] == patient[right] and target[left] == target[right] for left, right in pairs)

    kept, warnings = drop_duplicates(rows, pairs)
    # So one image of each pair goes (33,126 - 425), three of them melanomas (584 - 3), and every patient stays.
    assert warnings == ("425 duplicate images removed: one of each of 425 sets is kept.",)
    assert kept["target"].value_counts().to_dict() == {0: 32_120, 1: 581}
    assert len(kept) == 32_701
    assert kept["group"].nunique() == 2_056
    assert kept["group"].equals(rows.loc[kept.index, "group"])
    shuffled, _ = drop_duplicates(rows.sample(frac=1, random_state=1), reversed(pairs))
    assert set(shuffled["image_id"]) == set(kept["image_id"])
    assert leak(kept, split_rows(kept)) is None
