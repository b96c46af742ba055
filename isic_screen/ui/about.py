"""What the page says about its model; every figure is read from the model file."""

from collections.abc import Mapping
from html import escape
from typing import Any

from isic_screen.artifact import Model, ModelFacts
from isic_screen.ui.numbers import localised, percent
from isic_screen.ui.texts import Texts


def about(model: Model, texts: Texts) -> str:
    """Intended use, limits and facts as HTML."""
    facts = model.facts
    training, metrics = facts.training, facts.metrics
    limits = "".join(f"<li>{escape(texts.stated(limit))}</li>" for limit in facts.limits)
    sources = [_source(name, counts, texts) for name, counts in training.get("sources", {}).items()]
    aucs = [_auc(name, block, texts) for name, block in metrics.get("sources", {}).items()]
    without = filter(None, (_without_camera(name, block, texts) for name, block in metrics.get("sources", {}).items()))
    rows = [
        (texts.FACT_NAME, f"{escape(facts.name)} {escape(facts.version)}"),
        (texts.FACT_BACKBONE, f"{escape(_network(facts.backbone))}, {facts.input.size} x {facts.input.size}"),
        (texts.FACT_VIEWS, str(_turns(facts))),
        (texts.FACT_TRAINED, escape(training.get("date", texts.NOT_STATED))),
        (texts.FACT_DATA, "<br>".join(sources) or texts.NOT_STATED),
        (texts.FACT_AUC, "<br>".join(aucs) or texts.NOT_STATED),
        (texts.FACT_AUC_WITHOUT, "<br>".join(without)),
        (texts.FACT_BASIS, escape(texts.stated(metrics.get("basis", texts.NOT_STATED)))),
        (texts.FACT_PREVALENCE, percent(facts.prevalence, texts)),
        (texts.FACT_LICENCE, escape(texts.stated(facts.licence))),
        (texts.FACT_CITATION, escape(facts.citation)),
        (texts.FACT_FILE, f"<code>{model.sha256}</code>"),
    ]
    groups = "".join(_groups(name, block, texts) for name, block in metrics.get("sources", {}).items())
    table = "".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows if value)
    return (
        f'<div class="about"><h3>{texts.INTENDED_USE}</h3><p>{escape(texts.stated(facts.intended_use))}</p>'
        f"<h3>{texts.LIMITS}</h3><ul>{limits}</ul><h3>{texts.FACTS}</h3><table>{table}</table>{groups}</div>"
    )


def _turns(facts: ModelFacts) -> int:
    """How many turns of a photo are looked at, by whichever member of a committee."""
    members = facts.backbone.count("+") + 1 if facts.input.members_turned else 1
    return facts.input.views * members


def _network(backbone: str) -> str:
    """The backbone, and how many of it a committee has."""
    names = backbone.split("+")
    return names[0] if len(names) == 1 else f"{len(names)} x {names[0]}"


def _source(name: str, counts: Mapping[str, int], texts: Texts) -> str:
    written = {key: localised(f"{count:,}", texts) for key, count in counts.items()}
    grouped = counts["groups"] < counts["images"]
    return (texts.SOURCE if grouped else texts.SOURCE_UNGROUPED).format(source=escape(name), **written)


def _auc(source: str, block: Mapping[str, Any], texts: Texts) -> str:
    return _figure(source, block["metrics"]["roc_auc"], block["n"], block["positives"], texts)


def _without_camera(source: str, block: Mapping[str, Any], texts: Texts) -> str:
    """The AUC without the photos of the size that all but tells the class, where the report has it."""
    auc = (block.get("camera_shortcut") or {}).get("roc_auc")
    return _figure(source, auc, auc["n"], auc["positives"], texts) if auc and auc.get("value") is not None else ""


def _figure(source: str, auc: Mapping[str, Any], n: int, positives: int, texts: Texts) -> str:
    if auc["value"] is None or auc["low"] is None:
        return f"{escape(source)}: {texts.UNKNOWN} ({escape(str(auc['reason']))})"
    counts = {"n": localised(f"{n:,}", texts), "positives": localised(f"{positives:,}", texts)}
    return texts.AUC.format(source=escape(source), **_three_digits(auc, texts), **counts)


def _groups(source: str, block: Mapping[str, Any], texts: Texts) -> str:
    """AUC, sensitivity and specificity of groups of people and photos, folded; "" where the file has none."""
    found = block.get("subgroups")
    if not found:
        return ""
    rows = ""
    for characteristic, groups in found["by"].items():
        rows += f'<tr class="by"><th scope="rowgroup" colspan="5">{escape(characteristic)}</th></tr>'
        for group in groups:
            rates = "".join(f"<td>{_rate(group[name], texts)}</td>" for name in ("sensitivity", "specificity"))
            auc = group["roc_auc"]
            shown = _unknown(auc) if auc["value"] is None else _AUC.format(**_three_digits(auc, texts))
            size = "{} ({})".format(*(localised(f"{group[name]:,}", texts) for name in ("n", "positives")))
            rows += f'<tr><th scope="row">{escape(group["label"])}</th><td>{size}</td><td>{shown}</td>{rates}</tr>'
    heads = (texts.GROUP, texts.GROUP_IMAGES, "ROC AUC", texts.TILE_SENSITIVITY, texts.TILE_SPECIFICITY)
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    title = texts.GROUPS.format(source=escape(source), threshold=percent(found["threshold"], texts))
    return (
        f'<details><summary>{title}</summary><div class="scroll"><table class="groups"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


_AUC = "{value} ({low} – {high})"


def _three_digits(auc: Mapping[str, Any], texts: Texts) -> dict[str, str]:
    return {
        name: "?" if auc[name] is None else localised(f"{auc[name]:.3f}", texts) for name in ("value", "low", "high")
    }


def _rate(rate: Mapping[str, Any], texts: Texts) -> str:
    if rate["value"] is None:
        return _unknown(rate)
    low, high = (f"{100 * rate[name]:.0f}" for name in ("low", "high"))
    return f"{percent(rate['value'], texts)} ({low} – {high})"


def _unknown(figure: Mapping[str, Any]) -> str:
    return escape(str(figure["reason"]))
