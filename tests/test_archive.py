"""Uploaded ZIPs: what is in them comes out, and nothing else does."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isic_screen import archive
from isic_screen.archive import clean, count_in, is_zip, photos_in
from isic_screen.errors import PhotoError


def _zip(folder: Path, members: dict[str, bytes], **options) -> Path:
    path = folder / "photos.zip"
    with zipfile.ZipFile(path, "w", **options) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def _errors(path: Path) -> dict[str, str]:
    return {name: str(found) for name, found in photos_in(path, path.name) if isinstance(found, PhotoError)}


def test_photos_come_out_and_what_systems_add_does_not(tmp_path):
    path = _zip(tmp_path, {"a.jpg": b"A", "b/c.png": b"C", "b/": b"", "__MACOSX/a.jpg": b"x", "b/.DS_Store": b"x"})
    assert dict(photos_in(path, "photos.zip")) == {"a.jpg": b"A", "b/c.png": b"C"}
    assert count_in(path) == 2
    assert is_zip(path)
    assert not is_zip(tmp_path)
    (tmp_path / "empty").mkdir()
    empty = _zip(tmp_path / "empty", {})
    assert is_zip(empty)
    assert list(photos_in(empty, "photos.zip")) == []


def test_names_never_lead_anywhere_and_are_told_apart(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in ("../../etc/passwd", "/etc/passwd", "..\\..\\etc\\passwd", "C\u202egpj.exe\n.jpg"):
            made.writestr(name, b"x")
    before = set(tmp_path.rglob("*"))
    assert [name for name, _ in photos_in(path, "photos.zip")] == [
        "etc/passwd",
        "etc/passwd (2)",
        "etc/passwd (3)",
        "C?gpj.exe?.jpg",
    ]
    assert set(tmp_path.rglob("*")) == before
    with zipfile.ZipFile(path, "w") as made:
        for name in ("a.jpg", "./a.jpg", "a.jpg (2)", "/a.jpg"):
            made.writestr(name, b"x")
    found = [name for name, _ in photos_in(path, "photos.zip")]
    assert found == ["a.jpg", "a.jpg (2)", "a.jpg (2) (2)", "a.jpg (3)"]
    assert len(clean("x" * 500)) == 120


def test_a_bomb_is_told_by_what_comes_out_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 1000)
    path = _zip(tmp_path, {"bomb.jpg": bytes(1_000_000), "good.jpg": b"ok"}, compression=zipfile.ZIP_DEFLATED)
    found = dict(photos_in(path, "photos.zip"))
    assert "more than" in str(found["bomb.jpg"])
    assert found["good.jpg"] == b"ok"


def test_many_small_files_may_not_add_up_to_a_flood(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 2500)
    path = _zip(tmp_path, {f"{n}.jpg": bytes(1000) for n in range(9)}, compression=zipfile.ZIP_DEFLATED)
    found = list(photos_in(path, "photos.zip"))
    assert [len(content) for _, content in found[:2]] == [1000, 1000]
    assert len(found) == 3
    assert "unpacks to more than" in str(found[2][1])


def test_what_is_left_out_counts_as_well(tmp_path, monkeypatch):
    """Else thousands of members that are too large, or damaged at their end, would be unpacked for hours."""
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 1000)
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 3_500_000)
    path = _zip(tmp_path, {f"{n}.jpg": bytes(2_000_000) for n in range(9)}, compression=zipfile.ZIP_DEFLATED)
    errors = [str(found) for _, found in photos_in(path, "photos.zip")]
    assert ["unpacks to more than" in error for error in errors] == [False, False, False, True]


def test_too_many_files_end_the_archive_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    path = _zip(tmp_path, {f"{n}.jpg": b"x" for n in range(5)})
    found = list(photos_in(path, "photos.zip"))
    assert len(found) == 4
    assert "more than 3 files" in str(found[3][1])
    assert count_in(path) == 3


def test_encrypted_linked_nested_and_damaged_members_have_their_sentences(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as made:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd")
        made.writestr("inner.zip", b"PK")
        made.writestr("INNER.7Z", b"7z")
        made.writestr("damaged.jpg", b"0123456789" * 20)
        made.writestr("locked.jpg", b"secret")
        made.writestr("good.jpg", b"good")
    content = bytearray(path.read_bytes())
    content[content.index(b"0123456789") + 3] ^= 0xFF  # the checksum no longer fits
    for place in (content.index(b"locked.jpg") - 24, content.rindex(b"locked.jpg") - 38):
        content[place] |= 1  # the mark of encryption, in the local and in the central header
    path.write_bytes(bytes(content))
    errors = _errors(path)
    assert "a link" in errors["link.jpg"]
    assert "archive inside" in errors["inner.zip"]
    assert "archive inside" in errors["INNER.7Z"]
    assert "damaged" in errors["damaged.jpg"]
    assert "encrypted" in errors["locked.jpg"]
    assert set(errors) == {"link.jpg", "inner.zip", "INNER.7Z", "damaged.jpg", "locked.jpg"}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutilated_archive_is_never_more_than_an_error(tmp_path, data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.jpg", b"A" * 300)
        made.writestr("b.jpg", b"B" * 300)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "photos.zip"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    for name, found in photos_in(path, "photos.zip"):
        assert name
        assert isinstance(found, bytes | PhotoError)
    assert count_in(path) >= 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip"])
def test_what_is_no_archive_is_a_sentence(tmp_path, content):
    path = tmp_path / "photos.zip"
    path.write_bytes(content)
    ((name, found),) = photos_in(path, "photos.zip")
    assert name == "photos.zip"
    assert "damaged ZIP" in str(found)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_method_that_may_take_any_memory_is_not_tried(tmp_path, method):
    """Found by benchmarks.fuzz: a header of LZMA asked for 4 GB."""
    path = _zip(tmp_path, {"a.jpg": b"A"}, compression=method)
    assert "packed in an unusual way" in _errors(path)["a.jpg"]


def test_a_member_without_a_name_is_read(tmp_path):
    """Found by benchmarks.fuzz: an empty name has no last letter."""
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in ("", "b.jpg"):
            made.writestr(zipfile.ZipInfo(name), name)
    assert dict(photos_in(path, "photos.zip")) == {"unnamed": b"", "b.jpg": b"b.jpg"}
    assert count_in(path) == 2
