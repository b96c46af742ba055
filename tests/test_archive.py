"""Uploaded ZIPs: what is in them comes out, and nothing else does."""

import io
import struct
import time
import tracemalloc
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isic_screen import archive
from isic_screen.archive import Archive, clean, is_zip, stated_entries
from isic_screen.archive_names import names_of
from isic_screen.errors import PhotoError

JPEG = b"\xff\xd8\xff\xe0"  # as much of it as tells a picture


def _zip(folder: Path, members: dict[str, bytes], **options) -> Path:
    path = folder / "photos.zip"
    with zipfile.ZipFile(path, "w", **options) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def _photos(path: Path) -> list[tuple[str, bytes | PhotoError]]:
    with Archive(path, path.name) as archive:
        return list(archive)


def _errors(path: Path) -> dict[str, str]:
    return {name: str(found) for name, found in _photos(path) if isinstance(found, PhotoError)}


def test_photos_come_out_and_what_systems_add_does_not(tmp_path):
    path = _zip(tmp_path, {"a.jpg": b"A", "b/c.png": b"C", "b/": b"", "__MACOSX/a.jpg": b"x", "b/.DS_Store": b"x"})
    assert dict(_photos(path)) == {"a.jpg": b"A", "b/c.png": b"C"}
    assert stated_entries(path) == 5
    assert is_zip(path)
    assert not is_zip(tmp_path)
    (tmp_path / "empty").mkdir()
    empty = _zip(tmp_path / "empty", {})
    assert is_zip(empty)
    assert _photos(empty) == []


def test_names_never_lead_anywhere_and_are_told_apart(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in ("../../etc/passwd.jpg", "/etc/passwd.jpg", "..\\..\\etc\\passwd.jpg", "C\u202egpj.exe\n.jpg"):
            made.writestr(name, b"x")
    before = set(tmp_path.rglob("*"))
    assert [name for name, _ in _photos(path)] == [
        "etc/passwd.jpg",
        "etc/passwd.jpg (2)",
        "etc/passwd.jpg (3)",
        "C?gpj.exe?.jpg",
    ]
    assert set(tmp_path.rglob("*")) == before
    with zipfile.ZipFile(path, "w") as made:
        for name in ("a.jpg", "./a.jpg", "a.jpg (2)", "/a.jpg"):
            made.writestr(name, JPEG)
    found = [name for name, _ in _photos(path)]
    assert found == ["a.jpg", "a.jpg (2)", "a.jpg (2) (2)", "a.jpg (3)"]
    assert len(clean("x" * 500)) == 120


def test_a_bomb_is_told_by_what_comes_out_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 1000)
    path = _zip(tmp_path, {"bomb.jpg": bytes(1_000_000), "good.jpg": b"ok"}, compression=zipfile.ZIP_DEFLATED)
    found = dict(_photos(path))
    assert "more than" in str(found["bomb.jpg"])
    assert found["good.jpg"] == b"ok"


def test_many_small_files_may_not_add_up_to_a_flood(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 2500)
    path = _zip(tmp_path, {f"{n}.jpg": bytes(1000) for n in range(9)}, compression=zipfile.ZIP_DEFLATED)
    found = _photos(path)
    assert [len(content) for _, content in found[:2]] == [1000, 1000]
    assert len(found) == 3
    assert "unpacks to more than" in str(found[2][1])


def test_what_is_left_out_counts_as_well(tmp_path, monkeypatch):
    """Else thousands of members that are too large, or damaged at their end, would be unpacked for hours."""
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 1000)
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1_700_000)
    path = _zip(tmp_path, {f"{n}.jpg": bytes(2_000_000) for n in range(9)}, compression=zipfile.ZIP_DEFLATED)
    errors = [str(found) for _, found in _photos(path)]
    assert ["unpacks to more than" in error for error in errors] == [False, False, False, True]


def test_too_many_files_end_the_archive_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    path = _zip(tmp_path, {f"{n}.jpg": b"x" for n in range(5)})
    found = _photos(path)
    assert len(found) == 4
    assert "more than 3 files" in str(found[3][1])
    with Archive(path, "photos.zip") as opened:
        assert len(opened) == 4


def test_encrypted_linked_nested_and_damaged_members_have_their_sentences(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as made:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd.jpg")
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
    for name, found in _photos(path):
        assert name
        assert isinstance(found, bytes | PhotoError)
    assert stated_entries(path) >= 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip"])
def test_what_is_no_archive_is_a_sentence(tmp_path, content):
    path = tmp_path / "photos.zip"
    path.write_bytes(content)
    ((name, found),) = _photos(path)
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
            made.writestr(zipfile.ZipInfo(name), JPEG)
    assert dict(_photos(path)) == {"unnamed": JPEG, "b.jpg": JPEG}


def _list_of(entries: int, stated: int, *, large: bool = False, comment: bytes = b"") -> bytes:
    """A ZIP of one empty file, whose list names it `entries` times and whose end says `stated`."""
    file = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    listed = entry * entries
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, stated & 0xFFFF, stated & 0xFFFF, len(listed), len(file), len(comment)
    )
    if large:
        end = (
            struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, stated, stated, len(listed), len(file))
            + struct.pack("<4sLQL", b"PK\6\7", 0, len(file) + len(listed), 1)
            + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, len(comment))
        )
    return file + listed + end + comment


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (_list_of(300_000, 300_000, large=True), "more than 20,000 files"),
        (_list_of(300_000, 300_000, large=True, comment=b"c" * 0xFFFF), "more than 20,000 files"),
        (_list_of(300_000, 3, large=True), "a list of its files of more than 4 MB"),
        (_list_of(262_150, 262_150), "a list of its files of more than 4 MB"),  # its 16 bits say 6
        (_list_of(80_000, 3), "more than 20,000 files"),
        (b"a program that unpacks itself" + _list_of(80_000, 3, comment=b"from a camera"), "more than 20,000 files"),
    ],
    ids=["large", "commented", "large-lie", "wrapped", "lie", "prefixed"],
)
def test_a_list_of_too_many_files_is_refused_before_it_is_read(tmp_path, content, sentence):
    path = tmp_path / "photos.zip"
    path.write_bytes(content)
    tracemalloc.start()
    start = time.monotonic()
    ((name, found),) = _photos(path)
    seconds, (_, memory) = time.monotonic() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert name == "photos.zip"
    assert sentence in str(found)
    assert seconds < 1
    assert memory < 10_000_000


def test_one_place_that_many_members_share_is_not_unpacked_for_hours(tmp_path, monkeypatch):
    """Each unpacks to nothing, so that no limit on what comes out is ever reached."""
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 10_000_000)
    packed = b"\0\0\0\xff\xff" * 200_000 + b"\3\0"  # empty blocks of deflate
    file = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), 0, 1, 0) + b"a" + packed
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(packed), 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1000, 1000, 1000 * len(entry), len(file), 0)
    path = tmp_path / "photos.zip"
    path.write_bytes(file + entry * 1000 + end)
    ((_, found),) = _photos(path)
    assert "unpacks to more than" in str(found)


def _named(path: Path, names: list[bytes]) -> list[str]:
    """The names under which files with these raw names come out of a ZIP."""
    stand_ins = [chr(ord("A") + number) * len(name) for number, name in enumerate(names)]
    with zipfile.ZipFile(path, "w") as made:
        for stand_in in stand_ins:
            made.writestr(stand_in, JPEG)
    content = path.read_bytes()
    for stand_in, name in zip(stand_ins, names, strict=True):
        content = content.replace(stand_in.encode(), name)
    path.write_bytes(content)
    return [shown for shown, _ in _photos(path)]


NAMES = {
    "utf-8": ["M\u00fcller_R\u00fccken.jpg", "患者一_左手.jpg", "환자1.jpg", "症例01_黒子.jpg"],
    "gb18030": ["患者一_左手.jpg", "患者二_右手.jpg", "新建文件夹/图片1.jpg"],
    "cp932": ["症例01_黒子.jpg", "写真ソース表.jpg", "ほくろ/田中.jpg"],
    "cp949": ["환자1.jpg", "환자2_왼손.jpg", "새 폴더/사진.jpg"],
    "big5": ["病患一_左手.jpg", "照片/黑色素瘤.jpg"],
    "cp437": ["Müller_Rücken.jpg", "Schäfer_Fuß.jpg", "Größe.jpg"],
    "cp850": ["Müller_Rücken.jpg", "Übersicht/Läsion Fuß.jpg"],
    "cp1252": ["Müller_Rücken.jpg", "Größe_Läsion.jpg"],
    "cp866": ["Иванов_спина.jpg", "родинка.jpg"],
}


@pytest.mark.parametrize("encoding", NAMES)
def test_names_are_shown_as_whoever_made_the_zip_saw_them(tmp_path, encoding):
    names = NAMES[encoding]
    assert _named(tmp_path / "photos.zip", [name.encode(encoding) for name in names]) == names


def test_names_of_macos_are_composed_and_told_apart(tmp_path):
    """macOS writes UTF-8 without saying so, letters and their dots apart."""
    taken_apart = unicodedata.normalize("NFD", "Rücken é.jpg").encode()
    found = _named(tmp_path / "photos.zip", [taken_apart, "Rücken é.jpg".encode()])
    assert found == ["Rücken é.jpg", "Rücken é.jpg (2)"]


@pytest.mark.parametrize(
    ("of_name", "field", "shown"),
    [
        (b"R\x81cken.jpg", "背中.jpg".encode(), "背中.jpg"),
        (b"renamed.jpg", "背中.jpg".encode(), "Rücken.jpg"),  # the checksum is of another name
        (b"R\x81cken.jpg", b"\xff\xff", "Rücken.jpg"),
        (b"R\x81cken.jpg", b"", "Rücken.jpg"),
    ],
)
def test_a_name_given_in_unicode_beside_it_counts_where_it_belongs_to_it(of_name, field, shown):
    member = zipfile.ZipInfo(b"R\x81cken.jpg".decode("cp437"))
    body = struct.pack("<BL", 1, zlib.crc32(of_name)) + field
    member.extra = struct.pack("<HH", 0x5455, 1) + b"\0" + struct.pack("<HH", 0x7075, len(body)) + body
    assert names_of([member]) == [shown]


def test_two_chinese_letters_are_not_taken_for_greek():
    """The bytes of 图片, the usual name of a picture in Chinese, are UTF-8 as well."""
    names = ["图片1.jpg", "图片2.jpg"]
    assert names_of([zipfile.ZipInfo(name.encode("gbk").decode("cp437")) for name in names]) == names
