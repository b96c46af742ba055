"""Layouts that people have: a folder per class, Excel, a table elsewhere, names of other data sets, packed photos."""

import unicodedata
from pathlib import Path

import openpyxl
import pytest

from isic_screen.data.table_files import read_table
from isic_screen.data.tables import read_source
from isic_screen.errors import DataError
from tests.small_sets import put_photos, put_plain, put_table, targets

ONE, TWO, THREE = "ISIC_0000001", "ISIC_0000002", "ISIC_0000003"

# A folder per class


def test_benign_and_malignant_in_train_and_test(tmp_path: Path) -> None:
    put_photos(tmp_path, "train/benign/1.jpg", "train/malignant/1.jpg", "val/malignant/2.jpg")
    put_photos(tmp_path, "test/benign/3.jpg", "test/malignant/3.jpg", "example.png")
    data = read_source(tmp_path)
    assert targets(data) == {"train/benign/1.jpg": 0, "train/malignant/1.jpg": 1, "val/malignant/2.jpg": 1}
    assert data.rows["path"].map(lambda path: Path(path).relative_to(tmp_path).as_posix()).tolist() == [*targets(data)]
    malignant, aside, loose = data.warnings
    assert "2 malignant rows without a diagnosis counted as melanoma" in malignant
    assert "(photos train/malignant/1.jpg, val/malignant/2.jpg)" in malignant
    assert "2 photos in test folders left out (test/benign, test/malignant)" in aside
    assert "1 photo without a row left out: example.png" in loose
    assert targets(read_source(tmp_path / "test")) == {"benign/3.jpg": 0, "malignant/3.jpg": 1}


def test_the_folders_of_diagnoses(tmp_path: Path) -> None:
    folders = {
        "melanoma": 1,
        "nevus/images": 0,
        "basal cell carcinoma": 0,
        "actinic_keratosis/patient 7": 0,
        "Train/MEL": 1,
        "Malignant melanoma": 1,
        "Seborrheic keratoses": 0,
        "benign_lesions": 0,
        "Train/BKL": 0,
        "not_melanoma": 0,
        "malignant/bcc": 0,
        "malignant/melanoma": 1,
    }
    put_photos(tmp_path, *(f"{folder}/{place}.jpg" for place, folder in enumerate(folders)))
    data = read_source(tmp_path)
    assert targets(data) == {f"{folder}/{place}.jpg": value for place, (folder, value) in enumerate(folders.items())}
    assert data.warnings == ()
    told = data.rows.set_index("image_id")["diagnosis"]
    assert (told["malignant/bcc/10.jpg"], told["melanoma/0.jpg"]) == ("bcc", "melanoma")


def test_folders_that_are_not_called_as_classes(tmp_path: Path) -> None:
    put_photos(tmp_path, "melanoma/1.jpg", "Train/odd ones/2.jpg", "melanoma or nevus/3.jpg")
    with pytest.raises(
        DataError, match=r"Train/odd ones, melanoma or nevus are not .*Known are melanoma, not melanoma"
    ):
        read_source(tmp_path)


def test_only_test_folders(tmp_path: Path) -> None:
    put_photos(tmp_path, "test/melanoma/1.jpg", "test/nevus/2.jpg")
    with pytest.raises(DataError, match="photos in test folders only"):
        read_source(tmp_path)


def test_class_folders_with_a_table_of_patients(tmp_path: Path) -> None:
    put_photos(tmp_path, "melanoma/a.jpg", "nevus/b.jpg", "nevus/c.jpg")
    put_table(tmp_path, "image,patient_id,age", "a,p1,50", "c,p1,50", name="patients.csv")
    groups = read_source(tmp_path).rows.set_index("image_id")["group"]
    assert groups["melanoma/a.jpg"] == groups["nevus/c.jpg"] == f"{tmp_path.name}/patient p1"
    assert groups.nunique() == 2


def test_one_photo_of_the_archive_in_two_classes(tmp_path: Path) -> None:
    put_photos(tmp_path, f"melanoma/{ONE}.jpg", f"seborrheic keratosis/{ONE}_downsampled.jpg", f"nevus/{TWO}.jpg")
    with pytest.raises(DataError, match=rf"both as melanoma and as not: {ONE} \(photos melanoma/{ONE}\.jpg, seb"):
        read_source(tmp_path)


# Tables elsewhere, and of other kinds


def test_a_table_one_level_down_is_named(tmp_path: Path) -> None:
    put_table(tmp_path / "tables", "image,target", "a,1", "b,0", name="truth.csv")
    put_photos(tmp_path, "images/a.jpg", "images/b.jpg")
    with pytest.raises(DataError, match=r"one level down lies tables/truth\.csv\. Move it"):
        read_source(tmp_path)


def put_workbook(path: Path, **sheets: list[list[object]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


def test_an_excel_table(tmp_path: Path) -> None:
    header = ["Image", "Target", "Patient_ID", "age"]
    rows = [["0042", 1, "007", 45.0], [], ["42", 0, 7, 45.5], ["1e3", 0.0, None, None]]
    put_workbook(tmp_path / "labels.xlsx", Notes=[["About", "this"]], Data=[header, *rows])
    put_photos(tmp_path, "0042.jpg", "42.jpg", "1e3.jpg")
    data = read_source(tmp_path)
    assert targets(data) == {"0042": 1, "1e3": 0, "42": 0}
    assert data.rows.set_index("image_id")["patient"].to_dict() == {"0042": "007", "1e3": "", "42": "7"}
    assert list(read_table(tmp_path / "labels.xlsx").index) == [2, 4, 5]
    assert data.warnings == ()


def test_an_id_that_excel_shows_with_zeros(tmp_path: Path) -> None:
    put_workbook(tmp_path / "t.xlsx", Data=[["image", "target"], [42, True]])
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    book.active["A2"].number_format = "0000"
    book.save(tmp_path / "t.xlsx")
    assert read_table(tmp_path / "t.xlsx").loc[2].tolist() == ["0042", "True"]


def test_excel_tables_are_joined_and_faulty_ones_are_told(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target", "a,1", "b,0")
    put_workbook(tmp_path / "patients.xlsx", Data=[["image", "patient_id"], ["a", "p1"], ["b", "p1"]])
    assert list(read_source(tmp_path).rows["patient"]) == ["p1", "p1"]
    put_workbook(tmp_path / "labels.xlsx", Data=[["image", "target"], ["a", 1], ["b", "maybe"]])
    with pytest.raises(DataError, match=r"labels\.xlsx, column target: 1 row .* row 3: 'maybe'"):
        read_source(tmp_path / "labels.xlsx")
    for content in (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", b"PK\x03\x04 damaged"):
        (tmp_path / "old.xls").write_bytes(content)
        with pytest.raises(DataError, match=r"old\.xls is a workbook .*Save it as CSV"):
            read_source(tmp_path / "old.xls")


# Other data sets


def test_pad_ufes_20(tmp_path: Path) -> None:
    put_table(
        tmp_path,
        "patient_id,lesion_id,smoke,age,gender,skin_cancer_history,fitspatrick,region,diagnostic,itch,img_id,biopsed",
        "PAT_1516,1765,,8,,,,ARM,NEV,FALSE,PAT_1516_1765_530.png,FALSE",
        "PAT_46,881,FALSE,55,FEMALE,TRUE,3.0,NECK,BCC,TRUE,PAT_46_881_939.png,TRUE",
        "PAT_47,882,FALSE,60,MALE,TRUE,2.0,FACE,MEL,TRUE,PAT_47_882_1.png,TRUE",
        *(f"PAT_48,{n},,60,,,,BACK,{code},TRUE,PAT_48_{n}_1.png,TRUE" for n, code in enumerate(("SCC", "ACK", "SEK"))),
        name="metadata.csv",
    )
    images = ("PAT_1516_1765_530", "PAT_46_881_939", "PAT_47_882_1", *(f"PAT_48_{n}_1" for n in range(3)))
    put_photos(tmp_path, *(f"images/{image}.png" for image in images))
    rows = read_source(tmp_path).rows.set_index("image_id")
    assert rows["target"].to_dict() == {f"{image}.png": int("_47_" in image) for image in images}
    one = rows.loc["PAT_46_881_939.png"]
    assert (one["patient"], one["lesion"], one["sex"], one["age"], one["site"]) == (
        "PAT_46",
        "881",
        "female",
        55,
        "NECK",
    )
    assert one["skin_tone"] == "fitspatrick 3.0"


def test_bcn20000(tmp_path: Path) -> None:
    put_table(
        tmp_path,
        "bcn_filename,age_approx,anatom_site_general,diagnosis,lesion_id,capture_date,sex,split",
        "BCN_0000000001.jpg,55.0,anterior torso,MEL,BCN_0003884,2012-05-16,male,train",
        "BCN_0000000003.jpg,50.0,anterior torso,NV,BCN_0000019,2015-07-09,female,train",
        name="bcn_20k_train.csv",
    )
    put_photos(tmp_path, "BCN_20k_train/BCN_0000000001.jpg", "BCN_20k_train/BCN_0000000003.jpg")
    data = read_source(tmp_path)
    assert targets(data) == {"BCN_0000000001.jpg": 1, "BCN_0000000003.jpg": 0}
    assert list(data.rows["group"]) == ["BCN_0003884", "BCN_0000019"]
    assert data.warnings == ()


@pytest.mark.parametrize(("table", "photo"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_with_composed_and_with_separate_accents(tmp_path: Path, table: str, photo: str) -> None:
    put_photos(tmp_path, unicodedata.normalize(photo, "Füße/Nävus é.jpg"), "b.jpg")
    put_table(tmp_path, "image,target", unicodedata.normalize(table, "Füße/Nävus é") + ",1", "b,0")
    data = read_source(tmp_path)
    assert sorted(data.rows["target"]) == [0, 1]
    assert data.warnings == ()


@pytest.mark.parametrize(
    ("packed", "sentence"),
    [
        ("train-image.hdf5", r"train-image\.hdf5 may hold them, but HDF5 is not read\. Give the JPEG files"),
        ("data/photos.zip", r"Unpack data/photos\.zip into this folder"),
        (None, "Unpack the photos into this folder, or give the folder with the photos"),
    ],
)
def test_photos_that_are_still_packed(tmp_path: Path, packed: str | None, sentence: str) -> None:
    put_table(tmp_path, "isic_id,target", f"{ONE},1", f"{TWO},0", name="train-metadata.csv")
    if packed:
        (tmp_path / packed).parent.mkdir(exist_ok=True)
        (tmp_path / packed).write_bytes(b"packed")
    with pytest.raises(DataError, match=sentence):
        read_source(tmp_path)


def test_only_isic_2020_is_told_of_its_list_of_duplicates(tmp_path: Path) -> None:
    header = "isic_id,target,patient_id,anatom_site_general"
    put_table(tmp_path, header, f"{ONE},1,IP_0000001,torso", f"{TWO},0,IP_0000002,torso", name="metadata.csv")
    put_photos(tmp_path, f"{ONE}.jpg", f"{TWO}.jpg")
    assert read_source(tmp_path).warnings == ()
