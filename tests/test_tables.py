"""Reading data sets: every layout people download, and what is made of it."""

from pathlib import Path

import pandas as pd
import pytest

from isic_screen.data.tables import DataSet, read_source, read_sources
from isic_screen.errors import DataError
from tests.small_sets import put_photos, put_plain, put_table, targets

KAGGLE_HEADER = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target"
OFFICIAL_HEADER = KAGGLE_HEADER.replace("patient_id,", "patient_id,lesion_id,")
ONE, TWO, THREE = "ISIC_0000001", "ISIC_0000002", "ISIC_0000003"


def photo_of(data: DataSet, image: str) -> str:
    return str(data.rows.set_index("image_id").loc[image, "path"])


# The layouts


@pytest.mark.parametrize("version", ["", "_v2"])
def test_official_isic_2020(tmp_path: Path, version: str) -> None:
    lesion, header = (",IL_0000001", OFFICIAL_HEADER) if version else ("", KAGGLE_HEADER)
    put_table(
        tmp_path,
        header,
        f"{ONE},IP_0000001{lesion},male,45.0,head/neck,unknown,benign,0",
        f"{TWO},IP_0000001{lesion},female,,,melanoma,malignant,1",
        name=f"ISIC_2020_Training_GroundTruth{version}.csv",
    )
    put_table(tmp_path, "image_name_1,image_name_2", name="ISIC_2020_Training_Duplicates.csv")
    put_photos(tmp_path, f"train/{ONE}.jpg", f"train/{TWO}.jpg")
    data = read_source(tmp_path)
    assert targets(data) == {ONE: 0, TWO: 1}
    assert data.warnings == ()
    first, second = data.rows.to_dict("records")
    assert first["path"] == str(tmp_path / "train" / f"{ONE}.jpg")
    assert (first["sex"], first["age"], first["site"], first["diagnosis"]) == ("male", 45.0, "head/neck", "")
    assert pd.isna(second["age"])
    assert second["site"] == ""
    assert second["diagnosis"] == "melanoma"
    assert first["group"] == second["group"] == "IP_0000001"
    assert first["lesion"] == lesion.removeprefix(",")


def put_kaggle(folder: Path) -> None:
    put_table(
        folder,
        KAGGLE_HEADER,
        f"{ONE},IP_0000001,male,45.0,torso,nevus,benign,0",
        f"{TWO},IP_0000002,female,50.0,torso,melanoma,malignant,1",
        name="train.csv",
    )
    put_table(folder, KAGGLE_HEADER.split(",diagnosis")[0], f"{THREE},IP_0000003,male,70.0,torso", name="test.csv")
    put_table(folder, "image_name,target", f"{THREE},0", name="sample_submission.csv")


def test_kaggle_isic_2020_reads_jpeg_and_not_dicom(tmp_path: Path) -> None:
    put_kaggle(tmp_path)
    put_photos(tmp_path, f"jpeg/train/{ONE}.jpg", f"jpeg/train/{TWO}.jpg", f"jpeg/test/{THREE}.jpg")
    for path in (f"train/{ONE}.dcm", f"test/{THREE}.dcm", "tfrecords/train00-2071.tfrec"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"not for us")
    data = read_source(tmp_path)
    assert targets(data) == {ONE: 0, TWO: 1}
    assert photo_of(data, ONE) == str(tmp_path / "jpeg" / "train" / f"{ONE}.jpg")
    passed_over, duplicates = data.warnings  # and nothing about photos of the test set, which have no row
    assert ".tfrec" in passed_over
    assert "ISIC_2020_Training_Duplicates.csv is not in the folder" in duplicates


def test_kaggle_resized_png(tmp_path: Path) -> None:
    put_kaggle(tmp_path)
    put_photos(tmp_path, f"train/{ONE}.png", f"train/{TWO}.png", f"test/{THREE}.png")
    assert photo_of(read_source(tmp_path), TWO) == str(tmp_path / "train" / f"{TWO}.png")


HAM_ROWS = (
    "lesion_id,image_id,dx,dx_type,age,sex,localization",
    f"HAM_0000001,{ONE},mel,histo,80.0,male,scalp",
    f"HAM_0000001,{TWO},mel,histo,80.0,male,scalp",
    f"HAM_0000002,{THREE},bcc,histo,,unknown,unknown",
)


@pytest.mark.parametrize("name", ["HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab"])
def test_ham10000(tmp_path: Path, name: str) -> None:
    put_table(tmp_path, *(line.replace(",", "\t") if name.endswith(".tab") else line for line in HAM_ROWS), name=name)
    put_table(tmp_path, "pixel0000,pixel0001,label", "1,2,4", name="hmnist_8_8_L.csv")
    put_photos(tmp_path, f"HAM10000_images_part_1/{ONE}.jpg", f"HAM10000_images_part_2/{TWO}.jpg")
    put_photos(tmp_path, f"HAM10000_images_part_2/{THREE}.jpg", f"masks/{ONE}_segmentation.png", f"masks/{THREE}.png")
    data = read_source(tmp_path)
    assert targets(data) == {ONE: 1, TWO: 1, THREE: 0}
    assert list(data.rows["group"]) == ["HAM_0000001", "HAM_0000001", "HAM_0000002"]
    assert photo_of(data, THREE).endswith(f"part_2/{THREE}.jpg")
    last = data.rows.iloc[2]
    assert (last["patient"], last["sex"], last["site"], last["diagnosis"]) == ("", "", "", "bcc")
    assert data.warnings == ()


def test_kaggle_ham10000_holds_each_photo_twice(tmp_path: Path) -> None:
    put_table(tmp_path, *HAM_ROWS, name="HAM10000_metadata.csv")
    for folder in ("HAM10000_images_part_1", "ham10000_images_part_1x"):
        put_photos(tmp_path, *(f"{folder}/{image}.jpg" for image in (ONE, TWO, THREE)))
    data = read_source(tmp_path)
    assert len(data.rows) == 3
    [warning] = data.warnings
    assert "3 images with several files of that name" in warning
    assert f"the first is used (HAM10000_images_part_1/{ONE}.jpg)" in warning


def test_one_hot_table(tmp_path: Path) -> None:
    put_table(tmp_path, "image,MEL,NV,BCC", f"{ONE},1.0,0.0,0.0", f"{TWO},0.0,1.0,0.0")
    put_photos(tmp_path, f"{ONE}.jpg", f"{TWO}.jpg")
    assert targets(read_source(tmp_path)) == {ONE: 1, TWO: 0}


def test_isic_archive_download_counts_only_melanoma(tmp_path: Path) -> None:
    put_table(
        tmp_path,
        "isic_id,attribution,age_approx,anatom_site_general,diagnosis_1,diagnosis_2,diagnosis_3,patient_id,sex",
        f'{ONE},"Hospital, Clinic",50,torso,Malignant,Malignant melanocytic proliferations (Melanoma),'
        '"Melanoma, NOS",IP_0000001,male',
        f"{TWO},,50,torso,Malignant,Malignant epidermal proliferations,Basal cell carcinoma,IP_0000002,male",
        f"{THREE},,50,torso,Benign,,,IP_0000003,male",
        name="metadata.csv",
    )
    put_photos(tmp_path, *(f"{image}.jpg" for image in (ONE, TWO, THREE)))
    data = read_source(tmp_path)
    assert targets(data) == {ONE: 1, TWO: 0, THREE: 0}
    assert any("1 malignant row with a diagnosis other than melanoma counted as 0" in text for text in data.warnings)
    assert list(data.rows["site"]) == ["torso"] * 3


@pytest.mark.parametrize(
    "image_column", ["image_name", "image_id", "image", "file", "filename", "path", "isic_id", "ID"]
)
@pytest.mark.parametrize("suffix", ["", ".jpg"])
def test_image_columns(tmp_path: Path, image_column: str, suffix: str) -> None:
    put_plain(tmp_path, f"{image_column},target", f"a{suffix},1", f"b{suffix},0", photos=2)
    data = read_source(tmp_path)
    assert targets(data) == {f"a{suffix}": 1, f"b{suffix}": 0}
    assert data.warnings == ()


@pytest.mark.parametrize(
    ("column", "melanoma", "other"),
    [
        ("target", "1", "0"),
        ("Target", "1.0", "0.0"),
        ("label", "Melanoma", "nevus"),
        ("label", "melanoma", "non-melanoma"),
        ("malignant", "True", "False"),
        ("malignant", "yes", "no"),
        ("benign_malignant", "malignant", "benign"),
        ("diagnosis", "melanoma", "Seborrheic keratosis"),
        ("diagnosis", "Melanoma in situ", "basal cell carcinoma"),
        ("dx", "mel", "akiec"),
    ],
)
def test_target_columns(tmp_path: Path, column: str, melanoma: str, other: str) -> None:
    put_plain(tmp_path, f"image,{column}", f"a,{melanoma}", f"b,{other}", photos=2)
    assert targets(read_source(tmp_path)) == {"a": 1, "b": 0}


def test_target_column_wins_over_malignancy(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,benign_malignant,target", "a,malignant,0", "b,benign,1", photos=2)
    assert targets(read_source(tmp_path)) == {"a": 0, "b": 1}


def test_paths_in_subfolders(tmp_path: Path) -> None:
    put_photos(tmp_path, "p1/a.jpg", "p2/a.jpg", "p2/b.JPG", "deep/p3/c.jpg")
    put_table(tmp_path, "path,target", "p1/a.jpg,1", r"p2\a.jpg,0", "./p2/b,1", "p3/c.png,0")
    data = read_source(tmp_path)
    assert data.warnings == ()
    found = {
        image: Path(path).relative_to(tmp_path).as_posix() for image, path in data.rows[["image_id", "path"]].values
    }
    assert found == {"p1/a.jpg": "p1/a.jpg", r"p2\a.jpg": "p2/a.jpg", "./p2/b": "p2/b.JPG", "p3/c.png": "deep/p3/c.jpg"}


def test_linked_folder_and_a_link_that_leads_back(tmp_path: Path) -> None:
    put_photos(tmp_path / "elsewhere", "a.jpg", "b.jpg")
    folder = tmp_path / "data"
    put_table(folder, "image,target", "a,1", "b,0")
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    (folder / "back").symlink_to(folder)
    data = read_source(folder)
    assert targets(data) == {"a": 1, "b": 0}
    assert data.warnings == ()  # each photo was met once


def test_the_suffix_decides_between_two_photos_of_one_name(tmp_path: Path) -> None:
    put_photos(tmp_path, "a.jpg", "a.png", "b.png")
    put_table(tmp_path, "file,target", "a.jpg,1", "a.png,0", "b.jpg,0")
    data = read_source(tmp_path)
    assert [Path(path).name for path in data.rows["path"]] == ["a.jpg", "a.png", "b.png"]
    assert data.warnings == ()


def test_a_photo_of_the_test_set_is_the_last_choice(tmp_path: Path) -> None:
    put_photos(tmp_path, "test/a.jpg", "train/2020/a.jpg", "test/b.jpg")
    put_table(tmp_path, "file,target", "a,1", "b,0")
    data = read_source(tmp_path)
    assert photo_of(data, "a") == str(tmp_path / "train" / "2020" / "a.jpg")
    assert photo_of(data, "b") == str(tmp_path / "test" / "b.jpg")


def test_a_table_in_place_of_its_folder(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target", "a,1", "b,0")
    other = put_table(tmp_path, "image,target", "c,1", "d,0", name="other.csv")
    assert targets(read_source(other)) == {"c": 1, "d": 0}
    assert read_source(other).name == tmp_path.name


# Which table


def test_train_csv_wins_and_the_others_are_named(tmp_path: Path) -> None:
    put_kaggle(tmp_path)
    put_table(
        tmp_path, "image_name,target", *(f"x{n},0" for n in range(50)), name="ISIC_2020_Training_GroundTruth_v2.csv"
    )
    put_photos(tmp_path, f"{ONE}.jpg", f"{TWO}.jpg")
    data = read_source(tmp_path)
    assert len(data.rows) == 2
    assert data.warnings[0].endswith("train.csv is used; not read: ISIC_2020_Training_GroundTruth_v2.csv.")


def test_a_known_name_without_labels_gives_way_to_a_table_with_them(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,age", "a,30")
    put_table(tmp_path, "image,target", "a,1", "b,0", name="mine.csv")
    assert targets(read_source(tmp_path)) == {"a": 1, "b": 0}


def test_several_unknown_tables_are_ambiguous(tmp_path: Path) -> None:
    for name in ("first.csv", "second.csv"):
        put_table(tmp_path, "image,target", "a,1", name=name)
    with pytest.raises(DataError, match=r"several label tables \(first.csv, second.csv\).*give the path"):
        read_source(tmp_path)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no label table.*holds no CSV file"):
        read_source(tmp_path)
    put_table(tmp_path, "age,sex", "4,male", name="people.csv")
    with pytest.raises(DataError, match=r"no label table.*its tables are people\.csv"):
        read_source(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        read_source(tmp_path / "nowhere")
    with pytest.raises(DataError, match="No data folder"):
        read_sources([])


# What a row holds


def test_groups(tmp_path: Path) -> None:
    put_plain(
        tmp_path / "clinic",
        "image,target,patient_id,lesion_id",
        "a,1,1,5",
        "b,0,1,6",
        "c,0,,1",
        "d,1,,",
    )
    rows = read_source(tmp_path / "clinic").rows.set_index("image_id")
    # A patient "1" and a lesion "1" are not one thing.
    assert dict(rows["group"]) == {
        "a": "clinic/patient 1",
        "b": "clinic/patient 1",
        "c": "clinic/lesion 1",
        "d": "clinic/image d",
    }


def test_side_tables(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target,width,height", "a,1,640,480", "b,0,,", "c,0,10,20", photos=3)
    put_table(tmp_path, "image_name,width,height", "a,6000,4000", name="original_size.csv")
    put_table(tmp_path, "image_name,ita,skin_tone_group", "b,41.2,Light", name="skin_tone.csv")
    rows = read_source(tmp_path).rows.set_index("image_id")
    assert rows["width"].fillna(-1).to_dict() == {"a": 6000, "b": -1, "c": 10}
    assert rows["height"].fillna(-1).to_dict() == {"a": 4000, "b": -1, "c": 20}
    assert rows["skin_tone"].to_dict() == {"a": "", "b": "Light", "c": ""}


def test_an_infinity_is_no_size_and_no_age(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target,age,width,height", "a,1,inf,inf,480", "b,0,-Infinity,640,1e999", photos=2)
    rows = read_source(tmp_path).rows
    assert rows["age"].isna().all()
    assert rows["width"].fillna(-1).tolist() == [-1, 640]
    assert rows["height"].fillna(-1).tolist() == [480, -1]
    put_table(tmp_path, "image,width,height", "a,inf,3000", "b,4000,inf", name="original_size.csv")
    rows = read_source(tmp_path).rows
    assert rows["width"].fillna(-1).tolist() == [-1, 4000]
    assert rows["height"].fillna(-1).tolist() == [3000, -1]


def test_faulty_side_table(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target", "a,1", "b,0")
    put_table(tmp_path, "image,tone", "a,Light", name="skin_tone.csv")
    with pytest.raises(DataError, match=r"skin_tone\.csv needs an image column and skin_tone_group"):
        read_source(tmp_path)


def test_a_photo_and_its_reduced_copy_are_one_group(tmp_path: Path) -> None:
    put_table(tmp_path, "image,target", f"{ONE},0", f"{ONE}_downsampled.jpg,0", f"{TWO},1")
    put_photos(tmp_path, f"{ONE}.jpg", f"{ONE}_downsampled.jpg", f"{TWO}.jpg")
    assert list(read_source(tmp_path).rows["group"]) == [ONE, ONE, TWO]
