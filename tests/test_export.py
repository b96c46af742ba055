"""CSV files that a killed run left, cut anywhere, are gone on with."""

import csv
import io

import numpy as np
import pytest

from isic_screen.errors import PhotoError, ScreenError
from isic_screen.export import Resumed, resume_csv, write_csv
from isic_screen.quality import assess
from isic_screen.screener import Screening
from tests.conftest import lesion

NAMES = ("a.jpg", 'odd "name",\r\nin two lines.jpg', "ü\udce4.jpg", "d.jpg")


def _csv(names=NAMES, threshold: float = 0.01) -> bytes:
    out = io.StringIO(newline="")
    write_csv(out, [(name, PhotoError(f"{name} is empty, twice\r\n")) for name in names], threshold)
    return out.getvalue().encode("utf-8")


def test_a_row_says_what_was_found_and_whether_it_is_at_or_above_the_threshold():
    quality = assess(lesion(0, size=(400, 300)))
    found = [Screening(p, 0.0, quality, np.zeros((7, 7), np.float32)) for p in (0.0099999, 0.01, 0.123456789)]
    out = io.StringIO(newline="")
    unread = PhotoError("It is empty.")
    results = [("a", unread), *zip("bcd", found, strict=True), ("e", unread)]
    assert write_csv(out, results, 0.01) == 2
    assert list(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [
        ["file", "probability", "threshold", "flagged", "quality", "error"],
        ["a", "", "0.01", "", "", "It is empty."],
        ["b", "0.0099999", "0.01", "0", "fit", ""],
        ["c", "0.01", "0.01", "1", "fit", ""],
        ["d", "0.123457", "0.01", "1", "fit", ""],
        ["e", "", "0.01", "", "", "It is empty."],
    ]


def test_a_file_cut_at_any_byte_keeps_its_whole_rows_and_no_more(tmp_path):
    whole = _csv()
    ends = [0, *(len(_csv(NAMES[:count])) for count in range(len(NAMES) + 1))]
    path = tmp_path / "out.csv"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        left = resume_csv(path, NAMES, 0.01)
        kept = max(end for end in ends if end <= cut)
        assert path.read_bytes() == whole[:kept], cut
        assert left.rows == left.failures == max(0, ends.index(kept) - 1)


def test_going_on_gives_the_file_of_an_uninterrupted_run(tmp_path):
    path = tmp_path / "out.csv"
    path.write_bytes(_csv()[:100])
    done = resume_csv(path, NAMES, 0.01).rows
    with open(path, "a" if done else "w", newline="", encoding="utf-8") as out:
        left = [(name, PhotoError(f"{name} is empty, twice\r\n")) for name in NAMES[done:]]
        write_csv(out, left, 0.01, header=not done)
    assert 0 < done < len(NAMES)
    assert path.read_bytes() == _csv()
    assert len(list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))) >= len(NAMES)


@pytest.mark.parametrize(("names", "threshold"), [(("other.jpg", *NAMES[1:]), 0.01), (NAMES, 0.02), (NAMES[:2], 0.01)])
def test_a_file_of_another_run_is_refused_and_left_alone(tmp_path, names, threshold):
    path = tmp_path / "out.csv"
    path.write_bytes(_csv())
    with pytest.raises(ScreenError, match="other photos or at another threshold"):
        resume_csv(path, names, threshold)
    assert path.read_bytes() == _csv()
    header = "file,probability,threshold,flagged,quality,error\n"
    for row in ('a.jpg,"0,25",0.01,1,fit,', "a.jpg,0.01"):
        path.write_text(f"{header}{row}\n")
        with pytest.raises(ScreenError, match="other photos"):
            resume_csv(path, NAMES, 0.01)
        assert path.read_text() == f"{header}{row}\n"
    for strange in ("date,amount\r\n2026,3\r\n", "date,amount\n2026,3\n", "a letter", "\n", "file,probability\n"):
        path.write_text(strange, newline="")
        with pytest.raises(ScreenError, match="other photos"):
            resume_csv(path, NAMES, 0.01)
        assert path.read_bytes() == strange.encode()


def test_line_ends_that_became_those_of_unix_lose_nothing(tmp_path):
    path = tmp_path / "out.csv"
    names = ("a.jpg", "b.jpg", "c.jpg")
    rows = ["file,probability,threshold,flagged,quality,error", "a.jpg,0.25,0.01,1,fit,", "b.jpg,,0.01,,,empty", "c.j"]
    path.write_text("\n".join(rows), newline="")
    assert resume_csv(path, names, 0.01) == Resumed(2, 1, (0, 0.25))
    assert path.read_text() == "\n".join(rows[:3]) + "\n"


def test_a_blank_line_after_all_rows_is_not_ours(tmp_path):
    path = tmp_path / "out.csv"
    path.write_bytes(_csv() + b"\r\n")
    with pytest.raises(ScreenError, match="other photos"):
        resume_csv(path, NAMES, 0.01)


def test_a_file_that_is_not_there_has_no_rows(tmp_path):
    assert resume_csv(tmp_path / "out.csv", NAMES, 0.01) == Resumed()
