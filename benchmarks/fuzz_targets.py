"""What the fuzzer feeds: for each kind of file, small valid ones, ways to spoil them, and what must hold when read.

A case is a handful of files, {name: content}. `check` reads them and returns when they were read; a ScreenError means
that they were refused, and everything else that comes out is a finding.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image

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


# ------------------------------------------------------------------------------------------------------------- photos


class Photos(Target):
    _FOREIGN = (
        b"%PDF-1.7\n", bytes(128) + b"DICM" + bytes(90), b"\0\0\0\x18ftypheic" + bytes(40),
        b"\0\0\0\x18ftypmp42" + bytes(40), b"PK\x03\x04" + bytes(60),
        b"\x1f\x8b" + bytes(30), b"8BPS" + bytes(30), b"<svg/>", b"\xff\xfea\0", b"\0" * 40,
    )  # fmt: skip

    def valid(self) -> list[Files]:
        colour = picture()
        grey, palette, clear = colour.convert("L"), colour.quantize(16), colour.convert("RGBA")
        clear.putalpha(grey)
        orientation = Image.Exif()
        orientation[274] = 6
        saved: list[tuple[Image.Image, str, dict[str, object]]] = [
            (colour, "JPEG", {"exif": orientation}),
            (colour, "JPEG", {"progressive": True, "subsampling": 2, "restart_marker_rows": 1}),
            (colour.convert("CMYK"), "JPEG", {}),
            (colour, "MPO", {"save_all": True, "append_images": [colour]}),
            (clear, "PNG", {"exif": orientation}),
            (palette, "PNG", {"transparency": 3}),
            (grey.convert("I;16"), "PNG", {}),
            (colour, "WEBP", {"quality": 80, "exif": orientation}),
            (clear, "WEBP", {"lossless": True}),
            (colour, "TIFF", {"compression": "jpeg"}),
            (grey.convert("I;16"), "TIFF", {}),
            (grey.convert("1"), "TIFF", {"compression": "group4"}),
            (colour, "BMP", {}),
            (palette, "BMP", {}),
            (clear, "BMP", {}),
        ]
        saved += [
            (colour, "TIFF", {"compression": name}) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
        ]
        return [{"photo": _saved(image, kind, options)} for image, kind, options in saved]

    @cached_property
    def _others(self) -> list[bytes]:
        return [*self._FOREIGN, _saved(picture().quantize(8), "GIF", {}), *(files["photo"] for files in self.seeds)]

    def spoil(self, files: Files, random: Random) -> Files:
        data = files["photo"]
        way = random.random()
        if way < 0.15:
            data = ways.declare_size(data, random)
        elif way < 0.4 and data.startswith(b"\x89PNG"):
            data = ways.mix_png_chunks(data, random)
        elif way < 0.4 and data.startswith(b"\xff\xd8"):
            data = ways.mix_jpeg_segments(data, random)
        elif way < 0.5:
            data = ways.splice(data, random.choice(self._others), random)
        elif way < 0.53:
            data = random.choice(self._others)
        else:
            data = random.choice(ways.BYTES)(data, random)
        return {"photo": data}

    def check(self, files: Files, folder: Path) -> None:
        from isic_screen.photo import MAX_SIDE, open_photo

        photo = open_photo(files["photo"], name="photo")
        assert photo.mode == "RGB"
        assert all(1 <= side <= MAX_SIDE for side in photo.size)
        assert not photo.info, "metadata stayed in the photo"


def picture() -> Image.Image:
    """40 x 24 pixels, no two rows or columns alike."""
    picture = Image.new("RGB", (40, 24))
    picture.putdata([(6 * x, 10 * y, (x * y * 7) % 256) for y in range(24) for x in range(40)])
    return picture


def _saved(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


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
