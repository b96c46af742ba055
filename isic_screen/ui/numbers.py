"""How numbers are written on the page."""

from isic_screen.ui.texts import Texts

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


def percent(share: float, texts: Texts) -> str:
    """A share (0 to 1) in percent with two significant digits, never rounded to a certain 0 or 100."""
    value = 100 * share
    if 0 < value < 0.01:
        return localised(f"< 0.01{NARROW_SPACE}%", texts)
    if 99.99 < value < 100:
        return localised(f"> 99.99{NARROW_SPACE}%", texts)
    if value < 1:
        digits = 2
    elif value < 10 or value > 99:
        digits = 1
    else:
        digits = 0
    return localised(f"{value:.{digits}f}{NARROW_SPACE}%", texts)


def people(count: float, texts: Texts) -> str:
    """An expected number of people; small ones keep a digit, as 0.4 missed is not none."""
    return localised(f"{count:.1f}".removesuffix(".0") if count < 20 else f"{count:,.0f}", texts)


def localised(number: str, texts: Texts) -> str:
    """A number as Python writes it, with the decimal and thousands marks of the language."""
    return number.translate(str.maketrans(".,", texts.DECIMAL_MARK + texts.THOUSANDS_MARK))
