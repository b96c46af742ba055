"""The confusion matrix at the threshold: what was counted, and what to expect of 1,000 people."""

from isic_screen.operating_point import OperatingPoint, ThresholdTable
from isic_screen.ui.numbers import People, localised
from isic_screen.ui.texts import Texts


def confusion(point: OperatingPoint, table: ThresholdTable, texts: Texts) -> str:
    """An HTML table of the held-out images by truth and answer, each with the people of 1,000 at `point.prevalence`."""
    found, cleared = point.sensitivity.count, point.specificity.count
    missed, false_alarms = table.positives - found, table.negatives - cleared
    expected: tuple[str, ...] = ("",) * 4
    if point.per_1000 is not None:
        people = People.of(point.per_1000, texts)
        counts = (people.found, people.missed, people.recalled, people.cleared)
        expected = tuple(texts.CONFUSION_PER_1000.format(people=count) for count in counts)
    rows = (
        (texts.CONFUSION_MELANOMA, ("found", found, texts.FOUND), ("missed", missed, texts.MISSED), table.positives),
        (
            texts.CONFUSION_HEALTHY,
            ("recalled", false_alarms, texts.RECALLED),
            ("cleared", cleared, texts.CLEARED),
            table.negatives,
        ),
    )
    notes = iter(expected)
    body = "".join(
        f'<tr><th scope="row">{truth}</th>'
        + "".join(_cell(kind, localised(f"{count:,}", texts), name, next(notes)) for kind, count, name in cells)
        + f'<td class="total">{localised(f"{total:,}", texts)}</td></tr>'
        for truth, *cells, total in rows
    )
    totals = (found + false_alarms, missed + cleared, table.positives + table.negatives)
    summed = "".join(f'<td class="total">{localised(f"{total:,}", texts)}</td>' for total in totals)
    return (
        f'<div class="card confusion{" weak" if point.weak else ""}"><h3>{texts.CONFUSION_TITLE}</h3><table>'
        f"<caption>{texts.CONFUSION_CAPTION}</caption><thead><tr><td></td>"
        f'<th scope="col">{texts.REFER}</th><th scope="col">{texts.BELOW}</th>'
        f'<th scope="col">{texts.CONFUSION_ALL}</th></tr></thead><tbody>{body}<tr>'
        f'<th scope="row">{texts.CONFUSION_ALL}</th>{summed}</tr></tbody></table></div>'
    )


def _cell(kind: str, count: str, name: str, expected: str) -> str:
    return (
        f'<td class="{kind}"><span class="count">{count}</span><span class="name">{name}</span>'
        f'<span class="note">{expected}</span></td>'
    )
