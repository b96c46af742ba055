"""Numbers as people type them, on the page and on the command line alike."""

import re

_GROUPED = re.compile(r"[+-]?\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)


def typed_number(text: str) -> float:
    """The number that was typed; ValueError where it is none.

    Comma and point are both decimal marks, whatever language the page, the browser or the shell has: of 0,43 and 0.43
    neither is 43. A mark that comes more than once, or before the other one, parts thousands: 1.000,5 is 1000.5.
    """
    bare = re.sub(r"\s", "", text).replace("\N{MINUS SIGN}", "-")
    end = max(bare.rfind(","), bare.rfind("."))
    whole, decimals = (bare, "") if end < 0 else (bare[:end], bare[end + 1 :])
    if re.search("[.,]", whole):
        if bare[end] in whole:  # the same mark again: there are no decimals
            whole, decimals = bare, ""
        if not _GROUPED.fullmatch(whole):
            raise ValueError(f"{text!r} is not a number")
        whole = re.sub("[.,]", "", whole)
    number = f"{whole}.{decimals}" if decimals or end >= 0 else whole
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"{text!r} is not a number")
    return float(number)
