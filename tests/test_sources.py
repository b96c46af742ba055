"""Several data sets at once: whose patients are the same, and which photo counts."""

import re
from pathlib import Path

import pytest

from isic_screen.data.tables import read_sources
from isic_screen.errors import DataError
from isic_screen.hashing import sha256_file
from tests.small_sets import put_photos, put_plain, put_table, targets

ONE, TWO, THREE = "ISIC_0000001", "ISIC_0000002", "ISIC_0000003"


def test_same_ids_in_two_sources_are_two_patients(tmp_path: Path) -> None:
    for name in ("one/data", "two/data"):
        put_plain(tmp_path / name, "image,target,patient_id", "a,1,7", "b,0,8", photos=2)
    data = read_sources([tmp_path / "one/data", tmp_path / "two/data"])
    assert data.name == "data+data-2"
    assert len(data.rows) == 4
    assert data.rows["group"].nunique() == 4
    assert list(data.rows["source"]) == ["data", "data", "data-2", "data-2"]
    assert list(data.rows.index) == [0, 1, 2, 3]


def test_archive_ids_mean_the_same_in_every_source(tmp_path: Path) -> None:
    header = "image,target,patient_id"
    put_table(tmp_path / "one", header, f"{ONE},1,IP_0000001", f"{TWO},0,IP_0000002")
    put_table(tmp_path / "two", header, f"{THREE},0,IP_0000001", f"{TWO}_downsampled,0,IP_0000002")
    put_photos(tmp_path, *(f"one/{image}.jpg" for image in (ONE, TWO)))
    put_photos(tmp_path, f"two/{THREE}.jpg", f"two/{TWO}_downsampled.jpg")
    data = read_sources([tmp_path / "one", tmp_path / "two"])
    assert targets(data) == {ONE: 1, TWO: 0, THREE: 0}
    groups = data.rows.set_index("image_id")["group"]
    assert groups[ONE] == groups[THREE] == "IP_0000001"
    assert any("1 photo held by several sources kept once" in warning for warning in data.warnings)


def test_sources_that_contradict_each_other(tmp_path: Path) -> None:
    for name, target in (("one", 1), ("two", 0)):
        put_table(tmp_path / name, "image,target", f"{ONE},{target}", "a,0")
        put_photos(tmp_path / name, f"{ONE}.jpg", "a.jpg")
    with pytest.raises(DataError, match=f"one, two disagree .*{ONE}"):
        read_sources([tmp_path / "one", tmp_path / "two"])


def test_one_folder_twice(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target", "a,1", "b,0")
    with pytest.raises(DataError, match="given twice"):
        read_sources([tmp_path, tmp_path / "x" / ".."])


def test_a_file_that_two_sources_name_is_one_photo(tmp_path: Path) -> None:
    """As it is where a folder is given, and its own table or a folder in it as well: else it would be on both sides."""
    put_plain(tmp_path / "all", "image,target,patient_id", "a,1,7", "in/b,0,8", "c,0,9")
    put_photos(tmp_path / "all" / "in", "b.jpg", "d.jpg")
    put_table(tmp_path / "all" / "in", "image,target,patient_id", "b,0,1", "d,1,1")
    for other, kept in (("all/labels.csv", "a c in/b"), ("all/in", "a c in/b d")):
        data = read_sources([tmp_path / "all", tmp_path / other])
        assert " ".join(data.rows["image_id"]) == kept
        assert any("held by several sources kept once" in warning for warning in data.warnings)
    groups = data.rows.set_index("image_id")["group"]
    assert groups["in/b"] == groups["d"]  # its patient, by another name
    put_table(tmp_path / "all" / "in", "image,target", "b,1", "d,0")
    with pytest.raises(DataError, match="all, in disagree"):
        read_sources([tmp_path / "all", tmp_path / "all" / "in"])


def test_hashes_follow_the_tables_content(tmp_path: Path) -> None:
    for name in ("one", "two"):
        put_plain(tmp_path / name, "image,target", "a,1", "b,0")
    one, two = tmp_path / "one", tmp_path / "two"
    put_table(two, "image,target", "a,1", "c,0")
    data = read_sources([one, two])
    assert data.hashes == {"one": sha256_file(one / "labels.csv"), "two": sha256_file(two / "labels.csv")}
    assert re.fullmatch("[0-9a-f]{64}", data.sha256)
    assert data.sha256 == read_sources([two, one]).sha256
    put_table(two, "image,target", "a,1", "d,0")
    assert data.sha256 != read_sources([one, two]).sha256
