"""How numbers are written on the page."""

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


def percent(share: float) -> str:
    """A share (0 to 1) in percent with two significant digits, never rounded to a certain 0 or 100."""
    value = 100 * share
    if 0 < value < 0.01:
        return f"< 0.01{NARROW_SPACE}%"
    if 99.99 < value < 100:
        return f"> 99.99{NARROW_SPACE}%"
    if value < 1:
        digits = 2
    elif value < 10 or value > 99:
        digits = 1
    else:
        digits = 0
    return f"{value:.{digits}f}{NARROW_SPACE}%"


def people(count: float) -> str:
    """An expected number of people; small ones keep a digit, as 0.4 missed is not none."""
    return f"{count:.1f}".removesuffix(".0") if count < 20 else f"{count:,.0f}"
