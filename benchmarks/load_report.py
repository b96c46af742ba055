"""The load test's figures as a table in docs/serving.md, so that no figure there is typed."""

import re
from typing import Any

from benchmarks.measure import ROOT

DOCUMENT = ROOT / "docs" / "serving.md"
_TABLE = re.compile(r"(<!-- generated: load -->\n).*?(<!-- end -->)", re.DOTALL)


def as_markdown(result: dict[str, Any]) -> str:
    """What the run of `benchmarks/load.py` behind `result` held, injected and found, as a table."""
    seconds, memory, disk = result["seconds_to_an_answer"], result["memory_mb"], result["disk_mb"]
    rows = {
        "concurrent visitors, requests": f"{result['clients']}, {result['requests']:,}",
        "load sustained": f"{result['requests_per_second']:.1f} requests/s, for {result['seconds']:,.0f} s",
        "CPU cores, shared with the simulated visitors": f"{result['cores']}",
        "valid photo, from upload to answer": f"median {seconds['median']:.1f} s, 95 % in {seconds['95 %']:.1f} s",
        "answers compared with those for the file alone": f"{result['answers_compared']:,}",
        "**wrong answers**": f"**{result['wrong_answers']}**",
        "other findings": "; ".join(f for f in result["findings"] if not f.startswith("wrong")) or "none",
        "queue full, reported with its message": f"{result['queue_full_sentences']:,} times",
        **{f"injected: {fault}": f"{times:,}" for fault, times in result["faults_injected"].items()},
        "server memory, warmed up and at the end": (
            f"{memory['warm, after half of the requests']:,} and {memory['after all requests']:,} MB "
            f"({memory['growth']:+.1%}; the limit is {memory['limit']:+.0%})"
        ),
        "peak memory": f"{memory['peak']:,} MB",
        **{f"disk: {when}": f"{size:,}" + ("" if "files" in when else " MB") for when, size in disk.items()},
    }
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


def with_table(document: str, result: dict[str, Any]) -> str:
    """The document with the table of a result in its place; ValueError where it has no place for one."""
    filled, times = _TABLE.subn(lambda place: f"{place[1]}{as_markdown(result)}\n{place[2]}", document)
    if times != 1:
        raise ValueError(f"the document has {times} places for the table of the load test, not 1")
    return filled


def write_document(result: dict[str, Any]) -> None:
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(encoding="utf-8"), result), encoding="utf-8")
