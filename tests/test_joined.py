"""Patients, lesions, sex, age and site that stand in another table of the folder."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from isic_screen.data.labels import read_labels
from isic_screen.data.splits import fold_rows, leak
from isic_screen.data.tables import read_source
from isic_screen.errors import DataError
from tests.small_sets import put_photos, put_plain, put_table, targets

ONE, TWO, THREE = "ISIC_0000001", "ISIC_0000002", "ISIC_0000003"


def put_isic_2018(folder: Path) -> None:
    put_table(
        folder,
        "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC",
        f"{ONE},1.0,0.0,0.0,0.0,0.0,0.0,0.0",
        f"{TWO},1.0,0.0,0.0,0.0,0.0,0.0,0.0",
        f"{THREE},0.0,1.0,0.0,0.0,0.0,0.0,0.0",
        name="ISIC2018_Task3_Training_GroundTruth.csv",
    )
    put_photos(folder, *(f"ISIC2018_Task3_Training_Input/{image}.jpg" for image in (ONE, TWO, THREE)))


def test_official_isic_2018(tmp_path: Path) -> None:
    put_isic_2018(tmp_path)
    put_table(
        tmp_path,
        "image,lesion_id,diagnosis confirm type",
        f"{THREE},HAM_0000002,histopathology",
        f"{TWO},HAM_0000001,histopathology",
        f"{ONE},HAM_0000001,single image expert consensus",
        name="ISIC2018_Task3_Training_LesionGroupings.csv",
    )
    data = read_source(tmp_path)
    assert targets(data) == {ONE: 1, TWO: 1, THREE: 0}
    assert list(data.rows["lesion"]) == ["HAM_0000001", "HAM_0000001", "HAM_0000002"]
    assert list(data.rows["group"]) == ["HAM_0000001", "HAM_0000001", "HAM_0000002"]
    assert list(data.rows["diagnosis"]) == ["mel", "mel", "nv"]
    [warning] = data.warnings
    assert "LesionGroupings.csv adds to ISIC2018_Task3_Training_GroundTruth.csv, in up to 3 rows: lesion." in warning


def test_official_isic_2019(tmp_path: Path) -> None:
    put_table(
        tmp_path,
        "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK",
        f"{ONE}_downsampled,0,1,0,0,0,0,0,0,0",
        f"{TWO},0,0,0,0,0,0,0,1,0",
        name="ISIC_2019_Training_GroundTruth.csv",
    )
    put_table(
        tmp_path,
        "image,age_approx,anatom_site_general,lesion_id,sex",
        f"{ONE}_downsampled,55.0,anterior torso,BCN_0000001,female",
        f"{TWO},,,,",
        name="ISIC_2019_Training_Metadata.csv",
    )
    put_photos(tmp_path, f"ISIC_2019_Training_Input/{ONE}_downsampled.jpg", f"ISIC_2019_Training_Input/{TWO}.jpg")
    first, second = read_source(tmp_path).rows.to_dict("records")
    assert (first["age"], first["site"], first["lesion"], first["sex"]) == (
        55,
        "anterior torso",
        "BCN_0000001",
        "female",
    )
    assert (second["site"], second["lesion"], second["sex"], second["diagnosis"]) == ("", "", "", "scc")
    assert (first["target"], second["target"]) == (0, 0)


def test_milk10k_has_its_diagnoses_and_types_in_tables_of_their_own(tmp_path: Path) -> None:
    put_table(tmp_path, "lesion_id,BCC,MEL,NV", "IL_0000001,0,1,0", name="MILK10k_Training_GroundTruth.csv")
    put_table(
        tmp_path,
        "isic_id,diagnosis_full",
        f'{ONE},"Melanoma Invasive"',
        f'{TWO},"Nevus, Reed"',
        f'{THREE},"Nevus, Reed"',
        name="MILK10k_Training_Supplement.csv",
    )
    put_table(
        tmp_path,
        "lesion_id,image_type,isic_id,age_approx,sex,skin_tone_class,site",
        f"IL_0000001,dermoscopic,{ONE},40,male,3,trunk",
        f"IL_0000002,clinical: close-up,{TWO},50,female,5,foot",
        f"IL_0000002,dermoscopic,{THREE},50,female,5,foot",
        name="MILK10k_Training_Metadata.csv",
    )
    put_photos(tmp_path, *(f"MILK10k_Training_Input/IL_000000{min(n, 2)}/ISIC_000000{n}.jpg" for n in (1, 2, 3)))
    data = read_source(tmp_path)
    assert targets(data) == {ONE: 1, THREE: 0}
    assert list(data.rows["group"]) == ["IL_0000001", "IL_0000002"]
    assert list(data.rows["skin_tone"]) == ["skin tone class 3", "skin tone class 5"]


def test_isic_2024_has_its_diagnoses_in_the_supplement(tmp_path: Path) -> None:
    put_table(tmp_path, "isic_id,malignant", f"{ONE},1", f"{TWO},1", f"{THREE},0", name="ISIC_2024_GroundTruth.csv")
    put_table(
        tmp_path,
        "isic_id,iddx_full,iddx_1",
        f'{ONE},"Malignant::Malignant melanocytic proliferations (Melanoma)::Melanoma, NOS",Malignant',
        f'{TWO},"Malignant::Malignant adnexal epithelial proliferations - Follicular::Basal cell carcinoma",Malignant',
        f"{THREE},Benign,Benign",
        name="A_Supplement.csv",
    )
    put_photos(tmp_path, *(f"{image}.jpg" for image in (ONE, TWO, THREE)))
    data = read_source(tmp_path)
    assert targets(data) == {ONE: 1, TWO: 0, THREE: 0}
    joined, counted = data.warnings
    assert "A_Supplement.csv adds to ISIC_2024_GroundTruth.csv, in up to 3 rows: iddx full." in joined
    assert "1 malignant row with a diagnosis other than melanoma" in counted


@pytest.mark.parametrize("other", ["a", "a.JPG", "./images/a.png", r"images\a"])
@pytest.mark.parametrize("own", ["a", "a.jpg", "train/a"])
def test_one_image_by_different_names(tmp_path: Path, own: str, other: str) -> None:
    path = put_table(tmp_path, "image,target", f"{own},1", "b,0")
    more = put_table(tmp_path, "file,patient_id", "c,p3", f"{other},p1", name="more.csv")
    assert list(read_labels(path, [more]).rows["patient"]) == ["p1", ""]


def test_a_name_that_two_images_end_with_is_nobodys(tmp_path: Path) -> None:
    path = put_table(tmp_path, "image,target", "one/a,1", "two/a,0", "b,0")
    more = put_table(tmp_path, "file,patient_id", "a,p1", "two/a,p2", "b,p3", name="more.csv")
    assert list(read_labels(path, [more]).rows["patient"]) == ["", "p2", "p3"]


@pytest.mark.parametrize(
    ("column", "own", "other"),
    [
        ("patient_id", "p1", "p2"),
        ("patient_id", "IP_0000001", "IP_0000002"),
        ("lesion_id", "HAM_0000001", "HAM_0000002"),
        ("sex", "male", "f"),
        ("age", "55", "60.0"),
        ("site", "back", "chest"),
        ("site", "torso", "head/neck"),
        ("diagnosis", "nevus", "melanoma"),
    ],
)
def test_tables_that_contradict_each_other(tmp_path: Path, column: str, own: str, other: str) -> None:
    put_plain(tmp_path, f"image,target,{column}", f"a,0,{own}", "b,1,")
    put_table(tmp_path, f"image,{column}", "b,", f"a.jpg,{other}", name="more.csv")
    with pytest.raises(DataError, match=rf"1 image: a \(labels.csv row 2: '{own}', more.csv row 3: '{other}'\)"):
        read_source(tmp_path)


def test_contradictions_between_and_within_further_tables(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target", "a,1", "b,0")
    put_table(tmp_path, "image,lesion_id", "b,l2", "a,l1", name="first.csv")
    put_table(tmp_path, "image,lesion_id", "a,l3", name="second.csv")
    with pytest.raises(DataError, match=r"lesion of 1 image: a \(first.csv row 3: 'l1', second.csv row 2: 'l3'\)"):
        read_source(tmp_path)
    put_table(tmp_path, "image,lesion_id", "a,l1", "a,l4", name="second.csv")
    with pytest.raises(DataError, match=r"second.csv row 2: 'l1', second.csv row 3: 'l4'"):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("own_column", "own", "other_column", "other"),
    [
        ("patient_id", "ip_0000001", "patient_id", "IP_0000001"),
        ("patient_id", "7", "patient_id", "7.0"),
        ("patient_id", "p1", "patient_id", "unknown"),
        ("lesion_id", "HAM_0000001", "lesion_id", "IL_0000001"),  # of another archive
        ("sex", "male", "gender", "M"),
        ("age", "55", "age_approx", "55.0"),
        ("age", "55", "age", ""),
        ("site", "head/neck", "site", "head_neck"),
        ("localization", "back", "anatom_site_general", "posterior torso"),
        ("dx", "nv", "dx", "bkl"),
    ],
)
def test_what_contradicts_nothing(tmp_path: Path, own_column: str, own: str, other_column: str, other: str) -> None:
    put_plain(tmp_path, f"image,target,{own_column}", f"a,0,{own}", f"b,0,{own}", "c,1,", photos=3)
    put_table(tmp_path, f"image,{other_column}", f"a,{other}", f"c,{other}", name="more.csv")
    rows = read_source(tmp_path).rows
    if own_column == "patient_id" and other != "unknown":
        assert list(rows["patient"]) == [own] * 3  # and one patient, whatever the spelling
    if own_column == "lesion_id":
        assert rows["group"].nunique() == 1


def test_ids_of_two_archives_tie_what_either_ties(tmp_path: Path) -> None:
    header = "image,target,lesion_id"
    own = ("a,0,HAM_0000001", "b,0,HAM_0000002", "c,1,HAM_0000003", "d,1,", "e,0,", "f,0,HAM_0000004")
    put_plain(tmp_path, header, *own, photos=6)
    put_table(tmp_path, "image,lesion_id", "a,IL_0000001", "b,IL_0000001", "c,IL_0000002", "d,IL_0000003", name="m.csv")
    groups = read_source(tmp_path).rows.set_index("image_id")["group"]
    assert groups["a"] == groups["b"]
    assert groups.nunique() == 5


def test_tables_that_know_nothing_of_the_images_change_nothing(tmp_path: Path) -> None:
    """Kaggle's pixels of HAM10000, a test set's patients, what macOS and Excel leave, an empty table."""
    put_plain(tmp_path, "image,target", "a,1", "b,0", photos=2)
    put_table(tmp_path, "pixel0000,pixel0001,label", "1,2,4", name="hmnist_8_8_L.csv")
    put_table(tmp_path, "image,patient_id", "x,p1", "y,p2", name="test.csv")
    put_table(tmp_path, "image,patient_id", name="empty.csv")
    for name in ("._labels.csv", "~$labels.xlsx"):
        (tmp_path / name).write_bytes(b"\0\5\26\7")
    data = read_source(tmp_path)
    assert list(data.rows["patient"]) == ["", ""]
    assert [warning.partition(": ")[2][:11] for warning in data.warnings] == ["Passed over"]  # the hidden ones


def test_ham10000_as_the_official_isic_2018(shared_data: Path, tmp_path: Path) -> None:
    """No lesion of its 7,470 is in two folds; without the second table 3,823 images would have theirs in several."""
    with (shared_data / "ham10000" / "HAM10000_metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    codes = ("mel", "nv", "bcc", "akiec", "bkl", "df", "vasc")
    put_table(
        tmp_path,
        "image," + ",".join(code.upper() for code in codes),
        *(f"{row['image_id']}," + ",".join(str(float(row["dx"] == code)) for code in codes) for row in rows),
        name="ISIC2018_Task3_Training_GroundTruth.csv",
    )
    (tmp_path / "ISIC2018_Task3_Training_Input").symlink_to(shared_data / "ham10000" / "images")
    alone = read_source(tmp_path).rows
    put_table(
        tmp_path,
        "image,lesion_id,diagnosis confirm type",
        *(f"{row['image_id']},{row['lesion_id']},{row['dx_type']}" for row in rows),
        name="ISIC2018_Task3_Training_LesionGroupings.csv",
    )
    data = read_source(tmp_path)
    assert (len(data.rows), data.rows["target"].sum(), data.rows["group"].nunique()) == (10_015, 1_113, 7_470)
    assert leak(data.rows, fold_rows(data.rows)) is None
    lesions = pd.Series({row["image_id"]: row["lesion_id"] for row in rows})
    of_lesion = alone["image_id"].map(lesions)
    folds = fold_rows(alone).groupby(of_lesion).transform("nunique")
    assert (folds > 1).sum() > 3_000
