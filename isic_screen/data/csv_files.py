"""CSV files as people have them: any separator, any usual encoding, every value a string.

Everything stays text, because an id such as ``0042`` is a name and not the number 42.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from isic_screen.errors import DataError
from isic_screen.wording import listed

HEADER_BYTES = 1 << 16


def read_csv(path: Path) -> pd.DataFrame:
    """The table of a CSV file with a header, all columns ``str``, missing values ``""``.

    The index holds row numbers as a spreadsheet shows them: the header is row 1, the first data row 2, and blank
    rows count. Column names are lower case. Comma, semicolon and tab are told apart by the header.

    Raises ``DataError`` for a file that cannot be read, is no text, is empty, has rows longer than its header or
    names a column twice.
    """
    text = _decode(path, _content(path))
    records: list[list[str]] = []
    try:
        records.extend(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True))
    except csv.Error as error:
        raise DataError(f"{path} is not a well-formed CSV file: {error}, after row {len(records)}.") from error

    numbered = [
        (number, [value.strip() for value in record])
        for number, record in enumerate(records, start=1)
        if any(value.strip() for value in record)
    ]
    if not numbered:
        raise DataError(f"{path} is empty: a header row and one row per image are needed.")
    header = [name.lower() for name in numbered[0][1]]
    while header and not header[-1]:
        header.pop()
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise DataError(f"{path} has more than one column called {listed(repeated)}.")
    for number, record in numbered[1:]:
        if any(record[len(header) :]):
            raise DataError(f"{path}, row {number}: {len(record)} values under {len(header)} column names.")
    return pd.DataFrame(
        [(record + [""] * len(header))[: len(header)] for _, record in numbered[1:]],
        index=pd.Index([number for number, _ in numbered[1:]], dtype="int64"),
        columns=pd.Index(header, dtype="str"),
        dtype="str",
    )


def read_header(path: Path) -> list[str]:
    """The column names of a CSV file, lower case, without reading its rows: some tables weigh hundreds of megabytes."""
    text = _decode(path, _content(path, HEADER_BYTES), errors="replace")
    line = _header_line(text)
    return [name.strip().lower() for name in next(csv.reader([line], delimiter=_separator(line)), [])]


def _header_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


def _separator(text: str) -> str:
    return max(",;\t", key=_header_line(text).count)


def _content(path: Path, limit: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _decode(path: Path, content: bytes, errors: str = "strict") -> str:
    if content.startswith(b"PK\x03\x04"):
        raise DataError(f"{path} is a workbook or archive, not a CSV file. Save it as CSV (UTF-8).")
    # Windows-1252 is what Excel writes where it does not write UTF-8; ids and targets read the same in both.
    encodings = ["utf-16"] if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding, errors)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise DataError(f"{path} is not a text file. Save the table as CSV (UTF-8).")


def column_among(table: pd.DataFrame, names: Iterable[str]) -> str | None:
    """The first of ``names`` that is a column of ``table``."""
    return next((name for name in names if name in table.columns), None)
