"""What the fuzzer feeds: for each kind of file, small valid ones, ways to spoil them, and what must hold when read.

A case is a handful of files, {name: content}. `check` reads them and returns when they were read; a ScreenError means
that they were refused, and everything else that comes out is a finding.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from random import Random

from benchmarks import mutations as ways

Files = dict[str, bytes]


class Target(ABC):
    """One kind of file."""

    @abstractmethod
    def valid(self) -> list[Files]:
        """Files that must be read."""

    @abstractmethod
    def spoil(self, files: Files, random: Random) -> Files:
        """The files with one fault more."""

    @abstractmethod
    def check(self, files: Files, folder: Path) -> None:
        """Read them, `folder` being empty or of the case before. AssertionError when what was read is not sound."""

    @cached_property
    def seeds(self) -> list[Files]:
        return self.valid()

    def make(self, random: Random) -> Files:
        """A case: a valid one with one to a few faults."""
        files = random.choice(self.seeds)
        for _ in range(random.choice((1, 1, 1, 2, 5))):
            files = self.spoil(files, random)
        return files


# ------------------------------------------------------------------------------------------------------------- tables


class Tables(Target):
    """A data folder: its label table, the tables beside it, and the CSV that a killed `screen` left."""

    _NAMES = tuple(f"ISIC_{number:07}" for number in range(8))
    _THRESHOLD = 0.02

    def valid(self) -> list[Files]:
        official = [
            "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target"
        ]
        ham = ["lesion_id\timage_id\tdx\tdx_type\tage\tsex\tlocalization"]
        own = ["Datei;file;melanoma"]
        one_hot = ["image,MEL,NV,BCC"]
        for number, name in enumerate(self._NAMES):
            melanoma = number % 3 == 0
            official.append(f"{name},IP_{number // 2:07},male,45.0,torso,{'melanoma' if melanoma else 'nevus'},"
                            f"{'malignant' if melanoma else 'benign'},{int(melanoma)}")  # fmt: skip
            ham.append(f"HAM_{number // 2:07}\t{name}\t{'mel' if melanoma else 'nv'}\thisto\t50\tfemale\tback")
            own.append(f'"{number}";"{name}.jpg";{int(melanoma)}')
            one_hot.append(f"{name},{float(melanoma)},{float(not melanoma)},0.0")
        side = {
            "ISIC_2020_Training_Duplicates.csv": "image_name_1,image_name_2\nISIC_0000001,ISIC_0000002\n",
            "original_size.csv": "image_name,width,height\nISIC_0000001,6000,4000\n",
            "skin_tone.csv": "isic_id,skin_tone_group\nISIC_0000001,light\n",
        }
        screened = ["file,probability,threshold,flagged,quality,error"]
        screened += [f"{name}.jpg,0.01,{self._THRESHOLD},0,good," for name in self._NAMES]
        resumed, whole = ({"screened.csv": "\r\n".join([*screened[:rows], ""]).encode()} for rows in (5, 9))
        beside = {name: text.encode() for name, text in side.items()}
        return [
            {"labels.csv": "\n".join(lines).encode(encoding), **more}
            for lines, encoding, more in (
                (official, "utf-8", beside),
                (ham, "utf-8-sig", resumed),
                (own, "cp1252", beside),
                (one_hot, "utf-16", whole),
            )
        ]

    def spoil(self, files: Files, random: Random) -> Files:
        name = random.choice(sorted(files))
        data = files[name]
        if random.random() < 0.4:
            return {**files, name: random.choice(ways.BYTES)(data, random)}
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        text = data.decode(encoding, "replace")
        mark = random.choice((max(",;\t", key=text.count), max(",;\t", key=text.count), ",", '"'))
        text = ways.mutate_lines(text, random, mark, ways.NASTY_TEXTS)
        if random.random() < 0.1:
            encoding = random.choice(("utf-16", "utf-16-be", "cp1252", "utf-8-sig", "utf-7", "utf-32"))
        return {**files, name: text.encode(encoding, "replace")}

    def check(self, files: Files, folder: Path) -> None:
        from isic_screen.data.tables import read_sources
        from isic_screen.errors import ScreenError
        from isic_screen.export import resume_csv

        for old in folder.glob("*.csv"):
            old.unlink()
        for name in self._NAMES:
            (folder / f"{name}.jpg").touch()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        fault = None
        if "screened.csv" in files:
            path = folder / "screened.csv"
            try:
                left = resume_csv(path, [f"{name}.jpg" for name in self._NAMES], self._THRESHOLD)
                assert 0 <= left.failures <= left.rows <= len(self._NAMES)
                assert path.stat().st_size <= len(files["screened.csv"])
            except ScreenError as error:
                fault = error
            path.unlink()
        found = read_sources([folder]).rows
        assert found["target"].isin((0, 1)).all()
        assert (found["group"] != "").all()
        assert all(Path(path).parent == folder.resolve() for path in found["path"])
        assert found["image_id"].is_unique
        if fault is not None:
            raise fault


# ------------------------------------------------------------------------------------------------------------ recipes


class Recipes(Target):
    _VALUES = (
        "", "nan", "-inf", "1e999", "-1", "0", "9" * 400, "9" * 5000, "0x" + "f" * 5000, "[]", "{}", "[" * 5000, "true",
        '""', '"a\\"b"', '"\\\\"', '"\\u001b[2J"', "'''\n'''", "1979-05-27", "{a=1}",
        '"patient"', '"balanced"', "2", "0.5",
    )  # fmt: skip

    def valid(self) -> list[Files]:
        from isic_screen.training.recipe import RECIPES

        shipped = [path.read_bytes() for path in sorted(RECIPES.glob("*.toml"))]
        assert shipped
        return [
            {"recipe.toml": content, "overrides": overrides} for content in shipped for overrides in (b"", b"epochs=2")
        ]

    def spoil(self, files: Files, random: Random) -> Files:
        way = random.random()
        text = files["recipe.toml"].decode("utf-8", "replace")
        if way < 0.3:
            return {**files, "recipe.toml": random.choice(ways.BYTES)(files["recipe.toml"], random)}
        if way < 0.8:
            text = ways.mutate_lines(text, random, " = ", [*self._VALUES, *ways.NASTY_TEXTS])
            return {**files, "recipe.toml": text.encode("utf-8", "replace")}
        names = [line.split(" = ")[0] for line in text.splitlines() if " = " in line] or ["epochs"]
        line = f"{random.choice(names)}={random.choice(self._VALUES)}".replace("\n", " ")
        return {**files, "overrides": files["overrides"] + b"\n" + line.encode()}

    def check(self, files: Files, folder: Path) -> None:
        from isic_screen.training.recipe import load_recipe

        path = folder / "recipe.toml"
        path.write_bytes(files["recipe.toml"])
        recipe = load_recipe(str(path), [line for line in files["overrides"].decode().split("\n") if line])
        path.write_text(recipe.to_toml(), encoding="utf-8")
        assert load_recipe(str(path)) == recipe, "the recipe does not read back equal"
