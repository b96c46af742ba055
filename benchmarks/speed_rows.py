"""The speed benchmarks' figures as rows of tables: what was compared, the ratio, and the command that measures it."""

from collections.abc import Mapping
from typing import Any

from isic_screen.wording import counted

SPEED = (
    *("answer", "latency", "stages", "sizes", "decode", "heat_map", "engines", "batch", "startup"),
    *("feature_cache", "training_step"),
)
"""The benchmarks of speed; results are keyed by these names."""

Rows = list[tuple[str, ...]]


def speed_rows(results: Mapping[str, Mapping[str, Any]]) -> Rows:
    """(what, ratio, command) of whichever of SPEED are in `results`, each ratio measured in one run."""
    rows: Rows = []
    for name in SPEED:
        if name in results and name in _ROWS:
            command = f"`python -m benchmarks.{name}`"
            rows += [(what, ratio, command) for what, ratio in _ROWS[name](results[name])]
    return rows


def engine_rows(result: Mapping[str, Any]) -> Rows:
    """(engine, ratio of one photo, of 16, largest differences, AUC less fp32's, what became of it)."""
    rows: Rows = []
    for engine in result["engines"]:
        if "absent" in engine:
            rows.append((engine["engine"], "", "", "", "", "", f"not measured: {engine['absent']}"))
            continue
        auc = engine["auc_less_fp32"]
        rows.append(
            (
                engine["engine"],
                ratio(engine["one_photo"]),
                ratio(engine["batch_of_16"]),
                f"{engine['largest_probability_difference']:.1g}",
                f"{engine['largest_map_difference']:.1g}",
                f"{auc['value']:+.4f} ({auc['low']:+.4f} to {auc['high']:+.4f})" if auc else "",
                "kept" if engine["kept"] else "" if engine["within_tolerance"] else "out of tolerance",
            )
        )
    return rows


def stage_rows(result: Mapping[str, Any]) -> Rows:
    """(stage, share of a 24-megapixel photo's time, of a 512-pixel photo's)."""
    large, small = result["24 megapixels"]["share"], result["512 pixels"]["share"]
    return [(stage, f"{100 * large[stage]:.1f} %", f"{100 * small[stage]:.1f} %") for stage in large]


def ratio(value: float) -> str:
    """A ratio as tables show it."""
    return f"{value:.3g} x"


def _answer(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    sizes = ("24 megapixels", "512 pixels")
    photo = "Photo of {}, from file to answer on the page: "
    naive = [
        (photo.format(size) + "naive pipeline / isic-screen", ratio(result[size]["naive_over_page"])) for size in sizes
    ]
    least = "isic-screen / decode + forward pass + overlay alone"
    return naive + [(photo.format(size) + least, ratio(result[size]["page_over_parts"])) for size in sizes]


def _latency(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"Photo of 512 pixels, {counted(int(threads), 'thread')}: current / first bundled model", ratio(value))
        for threads, value in result["now_over_first_by_threads"].items()
    ]


def _decode(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("Decoding a 24-megapixel JPEG: full / with `draft`", ratio(result["24 megapixels"]["ratio"]))]


def _heat_map(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("Probability and heat map: grad-cam library / closed form", ratio(result["library_over_closed_form"]))]


def _engines(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    kept = next(engine for engine in result["engines"] if engine.get("kept"))
    return [
        ("Forward pass and heat map of one photo: network as trained / as served", ratio(kept["one_photo"])),
        ("The same for 16 photos", ratio(kept["batch_of_16"])),
    ]


def _batch(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    rate = result["rate"]
    mix = f"{rate['photos']} photos, {rate['of_24_megapixels']} of them of 24 megapixels"
    rows = [
        (f"Photos per second ({mix}): isic-screen / naive loop", ratio(rate["ours_over_naive"])),
        ("CPU time for the same: naive loop / isic-screen", ratio(rate["naive_over_ours_processor_time"])),
    ]
    return rows + [
        (
            f"Memory after {run['photos']:,} photos / after a tenth of them ({run['network']})",
            ratio(run["end_over_tenth"]),
        )
        for run in result["memory"]
    ]


def _startup(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            "Page start with model loaded / imports of its libraries alone",
            ratio(result["import_app_and_model_over_bare"]),
        ),
        (
            "Command-line start with model loaded / imports of its libraries alone",
            ratio(result["command_line_and_model_over_bare"]),
        ),
    ]


def _feature_cache(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    auc = result["auc_cached_minus_uncached"]
    return [
        ("Ten epochs of `paper`: without / with cached features", ratio(result["epochs_uncached_over_full_cache"])),
        (
            "Full run of `paper`, from reading data to report: no cache / empty cache",
            ratio(result["whole_run_uncached_over_empty_cache"]),
        ),
        ("Full run: no cache / full cache", ratio(result["whole_run_uncached_over_full_cache"])),
        (
            f"AUC, cached minus uncached ({result['validation_images']:,} validation images, "
            f"{counted(result['seeds'], 'split')})",
            f"{auc['value']:+.3f} ({auc['low']:+.3f} to {auc['high']:+.3f})",
        ),
    ]


def _training_step(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    step = "Training step of `screen`: "
    return [
        (step + "PyTorch's backward pass / the project's own", ratio(result["backward_pytorchs_over_ours"])),
        (step + "frozen stages computed every time / once for all folds", ratio(result["anew_over_from_maps"])),
    ]


_ROWS = {
    "answer": _answer,
    "latency": _latency,
    "decode": _decode,
    "heat_map": _heat_map,
    "engines": _engines,
    "batch": _batch,
    "startup": _startup,
    "feature_cache": _feature_cache,
    "training_step": _training_step,
}
