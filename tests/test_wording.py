from isic_screen.wording import counted, listed, percent


def test_listed_and_counted() -> None:
    assert listed("abc") == "a, b, c"
    assert listed(range(1007)) == "0, 1, 2, 3, 4 and 1,002 more"
    assert (counted(1, "row"), counted(2000, "row")) == ("1 row", "2,000 rows")
    assert [counted(number, "person", "people") for number in (1, 2)] == ["1 person", "2 people"]


def test_percent() -> None:
    assert [percent(share) for share in (0.018, 0.95, 0.00123456)] == ["1.8 %", "95 %", "0.123 %"]
