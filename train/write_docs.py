"""Write every figure of the model card and the README from the file it is stored in.

    python train/write_docs.py

Reads the bundled model file (its facts and the evaluation stored in it), the paper's results in train/paper.toml and
the benchmark results. Writes assets/MODEL_CARD.md, assets/evaluation/report.md (except the notes of the training run
at its top), and the parts of README.md and docs/speed.md between `<!-- generated: NAME -->` and `<!-- end -->`. A test
checks that running it changes nothing.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run from a clone: the package is not installed

from isic_screen.artifact import Model, load_model  # noqa: E402
from isic_screen.evaluation.report import FIGURES, report  # noqa: E402
from train.card_tables import (  # noqa: E402
    ablation_table,
    engine_table,
    novelty_table,
    results_table,
    same_lesion_line,
    sources_table,
    speed_table,
    stage_table,
    threshold_table,
    threshold_table_without_camera,
)
from train.model_card import EVALUATION, model_card  # noqa: E402

WITH_GENERATED = (ROOT / "README.md", ROOT / "docs" / "speed.md")
REPORT = EVALUATION / "report.md"


def main() -> None:
    """Rewrite the files in place."""
    model = load_model()
    (ROOT / "assets" / "MODEL_CARD.md").write_text(model_card(model), encoding="utf-8")
    REPORT.write_text(evaluation_report(REPORT.read_text(encoding="utf-8"), model), encoding="utf-8")
    for file in WITH_GENERATED:
        file.write_text(with_generated(file.read_text(encoding="utf-8"), model), encoding="utf-8")


def with_generated(text: str, model: Model) -> str:
    """A document with its generated parts filled in; KeyError for a part that nobody knows how to write."""
    parts = {
        "results": results_table(model),
        "sources": f"{sources_table(model)}\n\n{same_lesion_line()}",
        "ablation": ablation_table(shipped_only=True),
        "novelty": novelty_table(),
        "thresholds": f"{threshold_table(model)}\n\n{threshold_table_without_camera(model)}",
        "speed": speed_table(),
        "engines": engine_table(),
        "stages": stage_table(),
    }

    def fill(match: re.Match[str]) -> str:
        return f"<!-- generated: {match[1]} -->\n{parts[match[1]]}\n<!-- end -->"

    return re.sub(r"<!-- generated: (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def evaluation_report(text: str, model: Model) -> str:
    """The report of the run that made the model, anew from the evaluation in the model file; its notes stay."""
    facts = model.facts
    notes = re.findall(r"^- (.+)$", text.split("\n## ")[0], flags=re.MULTILINE)
    pictures = {
        source: [
            (label, f"figures/{source}_{stem}.png")
            for stem, label in FIGURES.items()
            if (EVALUATION / "figures" / f"{source}_{stem}.png").is_file()
        ]
        for source in facts.metrics["sources"]
    }
    title = f"{facts.name}: {facts.backbone}, evaluated by {facts.metrics['basis']}"
    return report(facts.metrics, pictures, title, notes)


if __name__ == "__main__":
    main()
