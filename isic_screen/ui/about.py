"""What the page says about its model; every figure is read from the model file."""

from collections.abc import Mapping
from html import escape
from typing import Any

from isic_screen.artifact import Model
from isic_screen.ui.numbers import percent
from isic_screen.ui.texts import Texts


def about(model: Model, texts: Texts) -> str:
    """Intended use, limits and facts as HTML."""
    facts = model.facts
    training, metrics = facts.training, facts.metrics
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in facts.limits)
    sources = [
        texts.SOURCE.format(source=escape(name), **{key: f"{value:,}" for key, value in counts.items()})
        for name, counts in training.get("sources", {}).items()
    ]
    aucs = [_auc(name, block, texts) for name, block in metrics.get("sources", {}).items()]
    rows = [
        (texts.FACT_NAME, f"{escape(facts.name)} {escape(facts.version)}"),
        (texts.FACT_BACKBONE, f"{escape(facts.backbone)}, {facts.input.size} x {facts.input.size}"),
        (texts.FACT_TRAINED, escape(training.get("date", texts.NOT_STATED))),
        (texts.FACT_DATA, "<br>".join(sources) or texts.NOT_STATED),
        (texts.FACT_AUC, "<br>".join(aucs) or texts.NOT_STATED),
        (texts.FACT_BASIS, escape(metrics.get("basis", texts.NOT_STATED))),
        (texts.FACT_PREVALENCE, percent(facts.prevalence, texts)),
        (texts.FACT_LICENCE, escape(facts.licence)),
        (texts.FACT_CITATION, escape(facts.citation)),
        (texts.FACT_FILE, f"<code>{model.sha256}</code>"),
    ]
    table = "".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows)
    return (
        f'<div class="about"><h3>{texts.INTENDED_USE}</h3><p>{escape(facts.intended_use)}</p>'
        f"<h3>{texts.LIMITS}</h3><ul>{limits}</ul><h3>{texts.FACTS}</h3><table>{table}</table></div>"
    )


def _auc(source: str, block: Mapping[str, Any], texts: Texts) -> str:
    auc = block["metrics"]["roc_auc"]
    if auc["value"] is None or auc["low"] is None:
        return f"{escape(source)}: {texts.UNKNOWN} ({escape(str(auc['reason']))})"
    return texts.AUC.format(
        source=escape(source),
        value=f"{auc['value']:.3f}",
        low=f"{auc['low']:.3f}",
        high=f"{auc['high']:.3f}",
        n=f"{block['n']:,}",
        positives=f"{block['positives']:,}",
    )
