"""Names of diagnoses: what the labels and the training make of them."""

from pathlib import Path

import pandas as pd
import pytest

from isic_screen.data.diagnoses import DIAGNOSES, OTHER, class_of
from isic_screen.data.labels import read_labels
from isic_screen.errors import DataError
from isic_screen.training.sampling import NO_DIAGNOSIS, diagnosis_targets
from tests.small_sets import put_table

ARCHIVE = "isic_id,diagnosis_1,diagnosis_2,diagnosis_3"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Melanoma in situ", "mel"),
        ("Melanoma, NOS", "mel"),
        ("lentigo maligna melanoma", "mel"),
        ("Malignant melanocytic proliferations (Melanoma)", "mel"),
        ("Nevus, Atypical, Dysplastic, or Clark", "nv"),
        ("naevus", "nv"),
        ("seborrheic_keratosis", "bkl"),
        ("Basal cell carcinoma, Nodular", "bcc"),
        ("basal_cell_carcinoma", "bcc"),
        ("Squamous cell carcinoma in situ", "akiec"),
        ("scc", "akiec"),
        ("AK", "akiec"),
        ("angioma", "vasc"),
        ("cafe-au-lait_macule", OTHER),
        ("Merkel cell carcinoma", OTHER),
        ("Malignant adnexal epithelial proliferations - Follicular", OTHER),
        ("MAL_OTH", OTHER),
        ("BEN_OTH", OTHER),
        ("SCCKA", "akiec"),
        ("ACK", "akiec"),
        ("SEK", "bkl"),
        ("NEV", "nv"),
        ("Bowen's disease", "akiec"),
        ("café-au-lait macule", OTHER),
        ("Benign soft tissue proliferations - Vascular", "vasc"),
        ("melanoma (in situ)", "mel"),
        ("melanoma (less than 0.76 mm)", "mel"),
        ("invasive melanoma", "mel"),
        ("Melanoma arising in a nevus", "mel"),
        ("clark nevus", "nv"),
        ("reed or spitz nevus", "nv"),
        ("Nevus sebaceus", OTHER),
        ("melanomas", "mel"),
        ("Benign::Benign melanocytic proliferations::Nevus", "nv"),
        ("Malignant::Malignant melanocytic proliferations (Melanoma)::of a kind that no table knows", "mel"),
        ("no melanoma", OTHER),
        ("non-melanoma", OTHER),
        ("melanoma excluded", OTHER),
        ("no evidence of malignant melanoma", OTHER),
        ("nevus without melanoma", "nv"),
        ("melanoma not excluded", None),
        ("rule out melanoma", None),
        ("melanoma?", None),
        ("suspected melanoma", None),
        ("melanoma vs nevus", None),
        ("nevus / melanoma", None),
        ("scar of a melanoma", None),
        ("not a nevus", None),
        ("basal cell carcinoma?", None),
        ("Collision - At least one malignant proliferation", None),
        ("", None),
        ("mela", None),
        ("metastasis", None),
        ("Nevus, melanoma not excluded", None),
    ],
)
def test_a_name_stands_for_a_class(name: str, found: str | None) -> None:
    assert class_of(name) == found


def test_what_counts_as_another_diagnosis_is_also_learnt_as_one(tmp_path: Path) -> None:
    """Labels and training go by one table, whatever the spelling."""
    known = {"ak": "akiec", "scc": "akiec", "naevus": "nv", "angioma": "vasc", "seborrheic_keratosis": "bkl"}
    path = put_table(tmp_path, "image,diagnosis", *(f"{name},{name}" for name in (*known, "cafe-au-lait macule")))
    rows = read_labels(path).rows
    assert set(rows["target"]) == {0}
    *found, last = diagnosis_targets(rows)
    assert [DIAGNOSES[place] for place in found] == list(known.values())
    assert last == NO_DIAGNOSIS


def test_other_cancers_of_the_archive_are_no_melanomas(tmp_path: Path) -> None:
    epidermal = "Malignant,Malignant epidermal proliferations"
    path = put_table(
        tmp_path,
        ARCHIVE,
        f'a,{epidermal},"Squamous cell carcinoma, Invasive"',
        f"b,{epidermal},Squamous cell carcinoma in situ",
        "c,Malignant,Malignant adnexal epithelial proliferations - Follicular,Basal cell carcinoma",
        "d,Malignant,,Merkel cell carcinoma",
        f"e,{epidermal},of a kind that no table knows",
        "f,Malignant,Malignant melanocytic proliferations (Melanoma),Melanoma Invasive",
        "g,Malignant,Malignant melanocytic proliferations (Melanoma),of a kind that no table knows",
        "h,Malignant,,",
        "i,Benign,,Nevus",
        name="metadata.csv",
    )
    labels = read_labels(path)
    targets = pd.Series(labels.rows["target"].to_numpy(), list(labels.rows["image_id"]))
    assert targets.to_dict() == {**dict.fromkeys("abcdei", 0), **dict.fromkeys("fgh", 1)}
    other, unsaid = labels.warnings
    assert other == (
        "metadata.csv, column diagnosis_1: 5 malignant rows with a diagnosis other than melanoma counted as 0, as in "
        "the 2020 challenge (rows 2, 3, 4, 5, 6)."
    )
    assert "1 malignant row without a diagnosis counted as melanoma" in unsaid
    assert "(rows 9)" in unsaid


@pytest.mark.parametrize("diagnosis", ["metastasis", "Nevus, melanoma not excluded"])
def test_a_malignant_row_of_unknown_diagnosis_is_not_taken_for_a_melanoma(tmp_path: Path, diagnosis: str) -> None:
    path = put_table(tmp_path, "image,malignant,diagnosis", "a,yes,melanoma", f'b,yes,"{diagnosis}"', "c,no,nevus")
    with pytest.raises(DataError, match=f"1 malignant row with a diagnosis .* row 3: '{diagnosis}'.*column target"):
        read_labels(path)
