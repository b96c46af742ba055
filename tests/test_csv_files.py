"""How names and numbers are worded in messages about tables."""

from isic_screen.data.csv_files import counted, listed


def test_listed_and_counted() -> None:
    assert listed("abc") == "a, b, c"
    assert listed(range(1007)) == "0, 1, 2, 3, 4 and 1,002 more"
    assert (counted(1, "row"), counted(2000, "row")) == ("1 row", "2,000 rows")
