"""Spoilt files, always the same few hundred: only errors of ours come out. For more: `python -m benchmarks.fuzz`."""

from pathlib import Path
from random import Random

import pytest

from benchmarks import fuzz, mutations
from benchmarks.fuzz_targets import Files, Target
from benchmarks.fuzz_worker import TARGETS, Outcome, address_space, case_of, run_case
from isic_screen.errors import PhotoError

CASES = {"photos": 400, "archives": 300, "models": 60, "tables": 80, "recipes": 300}
MEGABYTES = 2000


class RudeError(PhotoError):
    def __str__(self) -> str:
        return "The file \x1b[2J is empty."


class Planted(Target):
    """Reads as its one file says."""

    def valid(self) -> list[Files]:
        return [{"file": b"read"}]

    def spoil(self, files: Files, random: Random) -> Files:
        return {"file": random.choice([b"read", b"refuse", b"fail", b"escape"])}

    def check(self, files: Files, folder: Path) -> None:
        match files["file"]:
            case b"refuse":
                raise PhotoError("The file is empty.")
            case b"escape":
                raise RudeError
            case b"fail":
                raise KeyError("not ours")


@pytest.mark.parametrize("kind", TARGETS)
def test_only_errors_of_ours_come_out(kind: str, tmp_path: Path) -> None:
    target, tally = TARGETS[kind](), fuzz.Tally(kind)
    for files in target.seeds:
        tally.add(run_case(target, files, tmp_path))
    assert tally.read == len(target.seeds), tally.findings
    with address_space(MEGABYTES):  # what asks for all memory must not end the whole run of tests
        for number in range(CASES[kind]):
            tally.add(run_case(target, case_of(target, kind, 0, number), tmp_path, number))
    assert not tally.findings, "\n\n".join(same[0].detail or finding for finding, same in tally.findings.items())
    assert tally.refused.total() > CASES[kind] / 4, "hardly a file was spoilt"
    assert tally.read > len(target.seeds), "no file was spoilt so lightly that it can be read"


def test_what_is_not_ours_is_found(tmp_path: Path) -> None:
    target = Planted()
    outcomes = {word: run_case(target, {"file": word}, tmp_path) for word in (b"read", b"refuse", b"fail", b"escape")}
    assert not outcomes[b"read"].finding
    assert not outcomes[b"refuse"].finding
    assert outcomes[b"refuse"].refused == "PhotoError"
    assert outcomes[b"fail"].finding.startswith("KeyError through test_fuzz.py")
    assert "not ours" in outcomes[b"fail"].detail
    assert "control characters" in outcomes[b"escape"].finding


@pytest.mark.parametrize("kind", ["photos", "archives", "tables", "recipes"])
def test_a_case_comes_out_the_same_again(kind: str) -> None:
    cases = [[case_of(TARGETS[kind](), kind, 7, number) for number in range(20)] for _ in range(2)]
    assert cases[0] == cases[1]
    assert len({repr(case) for case in cases[0]}) > 15


@pytest.mark.parametrize("mutation", mutations.BYTES)
@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 20])
def test_bytes_of_any_length_can_be_spoilt(mutation: mutations.Mutation, data: bytes) -> None:
    spoilt = [mutation(data, Random(number)) for number in range(50)]
    assert all(isinstance(result, bytes) for result in spoilt)
    assert len(data) < 2 or len(set(spoilt)) > 1


def test_a_large_chunk_is_not_repeated_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by benchmarks.fuzz: it made a file of 735 MB, and took its own memory for the program's."""
    monkeypatch.setattr(mutations, "MOST_REPEATED", 50_000)
    head, large, small = ((name, bytes(length)) for name, length in ((b"IHDR", 13), (b"tEXt", 20_000), (b"tIME", 7)))
    picture = bytes(8) + b"".join(
        len(body).to_bytes(4, "big") + name + body + bytes(4) for name, body in (head, large, small)
    )
    spoilt = [mutations.mix_png_chunks(picture, Random(number)) for number in range(300)]
    assert max(file.count(b"tEXt") for file in spoilt) == 1 + 2
    assert max(file.count(b"tIME") for file in spoilt) == 1 + 2000


def test_the_command_tells_and_keeps_what_it_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Inline:
        """A worker without a process."""

        def __init__(self, kind: str, seed: int, first: int, megabytes: int) -> None:
            self.stopped = False

        def next_case(self, number: int, seconds: float) -> tuple[Files, Outcome, float]:
            files = {"file": b"fail" if number == 3 else b"read"}
            return files, run_case(Planted(), files, tmp_path, number), 1500.0 if number == 5 else 1.0

        def stop(self) -> None:
            assert not self.stopped
            self.stopped = True

    monkeypatch.setattr(fuzz, "Worker", Inline)
    assert fuzz.main(["--only", "photos", "--cases", "8", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "--only photos --seed 0 --first 3 --cases 1" in told
    assert "took over 1000 MB" in told
    assert "8 cases, 6 read, 0 refused (), 2 findings of 2 kinds" in told
    assert (tmp_path / "photos-0-3" / "file").read_bytes() == b"fail"
    assert fuzz.main(["--only", "photos", "--cases", "3", "--out", str(tmp_path)]) == 0
