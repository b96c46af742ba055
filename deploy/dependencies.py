"""List what is installed with the app: every package that requirements.txt brings in, with version and licence.

    python -m deploy.dependencies [OUT.md]

Read from the packages' own metadata in the running environment, so run it in one that holds nothing but
requirements.txt. The default OUT is docs/dependencies.md.
"""

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
_LONGEST = 60  # letters; some packages give the whole text as the name of their licence


def requirements(file: Path) -> list[Requirement]:
    """The requirements that a file of pip's asks for itself."""
    lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def installed(wanted: list[Requirement]) -> Iterator[Distribution]:
    """The installed packages that are wanted, and what they need in turn, each once, by name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()  # by name and extra, which one package may ask for and another not
    waiting = [(requirement, "") for requirement in wanted]
    while waiting:
        requirement, of_extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(requirement.name)
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # an optional one
            continue
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += [(Requirement(needed), extra) for needed in found[name].requires or []]
    yield from (found[name] for name in sorted(found))


def licence(package: Distribution) -> str:
    """What a package says of its licence: its SPDX expression, else its classifiers, else its licence field."""
    told = package.metadata
    if "License-Expression" in told:
        return told["License-Expression"]
    classified = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or [] if line.startswith("License")]
    if classified:
        return ", ".join(sorted(set(classified)))
    text = (told.get_all("License") or [""])[0].strip().splitlines()
    return text[0][:_LONGEST] if text and text[0] != "UNKNOWN" else "not stated"


def as_markdown(packages: list[Distribution]) -> str:
    """A table of packages, versions and licences."""
    rows = "".join(f"| {p.metadata['Name']} | {p.version} | {licence(p)} |\n" for p in packages)
    return (
        "<!-- Written by `python -m deploy.dependencies`. -->\n# What is installed with the app\n\n"
        f"{len(packages)} packages, installed by `requirements.txt` on Linux; "
        "versions and licences as in their metadata.\n\n"
        f"| package | version | licence |\n| --- | --- | --- |\n{rows}"
    )


def main() -> None:
    """Write the list to the file that was named, or to docs/dependencies.md."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "dependencies.md"
    packages = list(installed(requirements(ROOT / "requirements.txt")))
    out.write_text(as_markdown(packages), encoding="utf-8")
    print(f"{len(packages)} packages listed in {out}", file=sys.stderr)


if __name__ == "__main__":
    main()
