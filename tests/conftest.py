"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real dermoscopy images that lies beside the project where it is developed, or a skip."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real images in ../shared/data, which a plain clone does not have")
    return SHARED_DATA
