"""Tables as people have them: CSV with any separator and usual encoding, or an Excel workbook; every value a string.

Everything stays text, because an id such as ``0042`` is a name and not the number 42.
"""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import openpyxl
import pandas as pd
from openpyxl.utils.exceptions import InvalidFileException

from isic_screen.data.image_names import IMAGE_COLUMNS
from isic_screen.errors import DataError
from isic_screen.wording import listed

HEADER_BYTES = 1 << 16
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".xlsx", ".xlsm", ".xls"})
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"  # how .xlsx begins, and .xls or a workbook with a password

Record = list[str]


def read_table(path: Path) -> pd.DataFrame:
    """The table of a CSV file or workbook with a header, all columns ``str``, missing values ``""``.

    Of a workbook it is the first sheet with an image column, else the first that is not empty. The index holds row
    numbers as a spreadsheet shows them: the header is row 1, the first data row 2, and blank rows count. Column names
    are lower case. Comma, semicolon and tab are told apart by the header.

    Raises ``DataError`` for a file that cannot be read, is no table, is empty, has rows longer than its header or
    names a column twice.
    """
    content = _content(path)
    records = list(_sheet(path, content)) if content.startswith((_ZIP, _OLE)) else _records(path, content)
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
    """The column names of a table, lower case, without reading its rows: some tables weigh hundreds of megabytes."""
    start = _content(path, HEADER_BYTES)
    if start.startswith((_ZIP, _OLE)):
        return _names(next((record for record in _sheet(path, _content(path)) if any(record)), []))
    line = _header_line(_decode(path, start, errors="replace"))
    return _names(next(csv.reader([line], delimiter=_separator(line)), []))


def _names(header: Record) -> list[str]:
    return [name.strip().lower() for name in header]


def _records(path: Path, content: bytes) -> list[Record]:
    text = _decode(path, content)
    records: list[Record] = []
    try:
        records.extend(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True))
    except csv.Error as error:
        raise DataError(f"{path} is not a well-formed CSV file: {error}, after row {len(records)}.") from error
    return records


def _sheet(path: Path, content: bytes) -> Iterator[Record]:
    """The rows of the sheet with the images, cell by cell as text."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of styles and drop-down lists that openpyxl leaves out
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            first: list[Record] = []
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # some programs state them wrongly
                records = [[_cell(cell) for cell in row] for row in sheet.iter_rows()]
                header = next((record for record in records if any(record)), [])
                if not set(IMAGE_COLUMNS).isdisjoint(_names(header)):
                    return iter(records)
                first = first or (records if header else [])
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, SyntaxError) as error:
        raise DataError(
            f"{path} is a workbook or archive that cannot be read as a table (an old .xls, one with a password, or "
            "damaged). Save it as CSV (UTF-8), or as .xlsx without a password."
        ) from error
    return iter(first)


def _cell(cell: openpyxl.cell.Cell) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # An id is shown as 0042 where the number 42 has the format 0000.
    if isinstance(value, int) and not isinstance(value, bool) and re.fullmatch("0+", cell.number_format or ""):
        return str(value).zfill(len(cell.number_format))
    return str(value)


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


def map_once(texts: pd.Series, meaning: Callable[[str], object]) -> pd.Series:
    """``meaning`` of each text, asked once for each that differs."""
    return texts.map({text: meaning(text) for text in texts.unique()})
