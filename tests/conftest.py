"""Fixtures shared by all tests."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw

from isic_screen.artifact import BUNDLED_MODEL, Model, ModelFacts, load_model, save_model
from isic_screen.calibration import Calibration
from isic_screen.evaluation.evaluation import evaluate
from isic_screen.network import ScreenNet, build_network
from isic_screen.operating_point import ThresholdTable
from tests.simulated import SHIPPED, simulated_predictions

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many threads as cores in each of several processes would wait for one another; the programs they start as well.
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


_LONGEST = ("test_training_survives.py", "test_training_run.py", "test_processes.py", "test_earlier_runs.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that at the end no process is left alone with one of them."""
    items.sort(key=lambda item: _LONGEST.index(item.path.name) if item.path.name in _LONGEST else len(_LONGEST))


@pytest.fixture(scope="session")
def predictions() -> pd.DataFrame:
    """Simulated predictions, which no test may change."""
    return simulated_predictions()


@pytest.fixture(scope="session")
def found(predictions: pd.DataFrame) -> dict[str, Any]:
    """The evaluation of `predictions`."""
    return evaluate(predictions, operating_points=SHIPPED, resamples=200)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real dermoscopy images that lies beside the project where it is developed, or a skip."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real images in ../shared/data, which a plain clone does not have")
    return SHARED_DATA


@pytest.fixture(scope="session")
def bundled_model() -> Model:
    return load_model(BUNDLED_MODEL)


def lesion(seed: int, *, dark: bool = False, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A drawn lesion on noisy skin. `dark` ones are black and ragged, so that a head can learn to tell them."""
    random = np.random.default_rng(seed)
    width, height = size
    skin = np.array([222, 178, 155]) + random.normal(0, 6, (height, width, 3))
    photo = Image.fromarray(skin.clip(0, 255).astype(np.uint8))
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ragged = 0.35 if dark else 0.05
    radius = height * 0.3 * (1 + random.normal(0, ragged, angles.size)).clip(0.2, 1.6)
    outline = np.stack([width / 2 + radius * np.cos(angles), height / 2 + radius * np.sin(angles)], axis=1)
    colour = (40, 25, 30) if dark else (150, 95, 65)
    ImageDraw.Draw(photo).polygon([tuple(point) for point in outline], fill=colour)
    return photo


@pytest.fixture(scope="session")
def lesion_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain data set: 48 drawn lesions of 24 patients, a third of them "melanomas" that can be learnt."""
    folder = tmp_path_factory.mktemp("lesions")
    (folder / "images").mkdir()
    lines = ["image_name,patient_id,target"]
    for number in range(48):
        patient = number // 2
        melanoma = patient % 3 == 0
        name = f"lesion-{number:02}"
        lesion(number, dark=melanoma).save(folder / "images" / f"{name}.jpg", quality=90)
        lines.append(f"{name},patient-{patient:02},{int(melanoma)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def lite0() -> ScreenNet:
    """The bundled model's architecture with ImageNet weights and a random head. Do not train it in place."""
    torch.manual_seed(0)
    return build_network("tf_efficientnet_lite0", weights="imagenet")


def example_facts(network: ScreenNet, **changes: object) -> ModelFacts:
    """Facts of a model that was never trained; the counts are made up and small enough to check by hand."""
    table = ThresholdTable.from_predictions([0.01, 0.02, 0.03, 0.04, 0.05, 0.06], [0, 0, 1, 0, 1, 1], 0.018)
    facts = {
        "name": "test",
        "version": "0",
        "backbone": network.backbone_name,
        "hidden": network.head.hidden.out_features,
        "dropout": network.head.dropout.p,
        "input": network.input_spec,
        "calibration": Calibration(1.0, 0.0, 0.5),
        "threshold_table": table,
        "operating_points": {"0.90": 0.03, "0.95": 0.03, "0.98": 0.03},
        "default_threshold": 0.03,
        "training": {"sources": {"drawn": {"images": 6, "melanomas": 3, "groups": 6}}},
        "metrics": {},
        "intended_use": "Tests.",
        "limits": ("Knows nothing.",),
        "licence": "Apache-2.0",
        "citation": "none",
    }
    return ModelFacts(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def lite0_file(lite0: ScreenNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of `lite0`: real weights, an untrained head."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, lite0, example_facts(lite0))
    return path
