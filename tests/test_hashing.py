"""Hashes of files."""

from pathlib import Path

import pytest

from isic_screen.errors import DataError
from isic_screen.hashing import sha256_file


def test_sha256_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(DataError, match="gone cannot be read"):
        sha256_file(tmp_path / "gone")
