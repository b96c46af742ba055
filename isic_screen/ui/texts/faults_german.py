"""In German, what is wrong with a file: the sentences of photo.py, formats/ and archive.py.

Each is "SUBJECT WHAT. ADVICE"; `{}` stands for what differs.
"""

import re
from collections.abc import Mapping

_THE_FILE = ("The file", "Die Datei")

_WHAT: Mapping[str, str] = {
    "is damaged or cut short, and cannot be decoded": "ist beschädigt oder abgeschnitten und lässt sich nicht lesen",
    "is damaged or cut short": "ist beschädigt oder abgeschnitten",
    "is damaged: it claims a size of {} x {} pixels": "ist beschädigt: Sie gibt eine Größe von {} x {} Pixeln an",
    "is damaged inside the ZIP": "ist im ZIP beschädigt",
    "is a damaged ZIP file": "ist eine beschädigte ZIP-Datei",
    "is empty (0 bytes)": "ist leer (0 Bytes)",
    "holds nothing but zero bytes: it was not copied completely": (
        "enthält nur Null-Bytes: Sie wurde nicht vollständig kopiert"
    ),
    "is a folder, not a photo": "ist ein Ordner, kein Foto",
    "is not an ordinary file": "ist keine gewöhnliche Datei",
    "does not exist": "gibt es nicht",
    "may not be read by this user": "darf von diesem Benutzer nicht gelesen werden",
    "cannot be read from disk": "lässt sich nicht von der Platte lesen",
    "has more than {} MB, too much for a photo": "hat mehr als {} MB, zu viel für ein Foto",
    "has more than {} MB": "hat mehr als {} MB",
    "has {} x {} pixels ({} megapixels), more than the {} megapixels that are read of such a file": (
        "hat {} x {} Pixel ({} Megapixel), mehr als die {} Megapixel, die von einer solchen Datei gelesen werden"
    ),
    "has {} x {} pixels, too long for a photo": "hat {} x {} Pixel, zu lang für ein Foto",
    "has {} JPEG scans, which no camera writes": "hat {} JPEG-Durchgänge, wie sie keine Kamera schreibt",
    "holds pixels as {}, not as colours": "enthält Pixel in einer Form ({}), die keine Farben sind",
    "marks one colour of a 16-bit PNG as transparent": "erklärt eine Farbe eines 16-Bit-PNGs für durchsichtig",
    "is an animated {}, not one photo": "ist ein animiertes {}, kein einzelnes Foto",
    "is a run-length compressed BMP, which is not read here": (
        "ist ein lauflängenkodiertes BMP, das hier nicht gelesen wird"
    ),
    "is a TIFF of several pages": "ist ein TIFF mit mehreren Seiten",
    "is a camera raw file, not a finished photo": "ist eine Rohdatei einer Kamera, kein fertiges Foto",
    "is a GIF, whose 256 colours are too few for a skin lesion": (
        "ist ein GIF, dessen 256 Farben für eine Hautläsion nicht reichen"
    ),
    "is a PDF document, not a photo": "ist ein PDF-Dokument, kein Foto",
    "is a DICOM file without a photo in it": "ist eine DICOM-Datei, die kein Foto enthält",
    "is a DICOM file of {} frames": "ist eine DICOM-Datei mit {} Einzelbildern",
    "is a DICOM file compressed in a way that is not read here": (
        "ist eine DICOM-Datei, deren Kompression hier nicht gelesen wird"
    ),
    "is a DICOM file whose pixels are stored in a way that is not read here": (
        "ist eine DICOM-Datei, deren Pixel in einer Form gespeichert sind, die hier nicht gelesen wird"
    ),
    "is a DICOMDIR, the list of a disc, not a photo": "ist ein DICOMDIR, das Verzeichnis eines Datenträgers, kein Foto",
    "is a report in a DICOM file, not a photo": "ist ein Befund in einer DICOM-Datei, kein Foto",
    "is a ZIP archive or an office document, not a photo": "ist ein ZIP-Archiv oder ein Office-Dokument, kein Foto",
    "is a {} archive, not a photo": "ist ein {}-Archiv, kein Foto",
    "is an archive inside the archive": "ist ein Archiv im Archiv",
    "is a Photoshop document, not a finished photo": "ist ein Photoshop-Dokument, kein fertiges Foto",
    "is an icon, not a photo": "ist ein Symbolbild, kein Foto",
    "is a JPEG XL file, which is not read here": "ist eine JPEG-XL-Datei, die hier nicht gelesen wird",
    "is a JPEG 2000 file in too many small parts": "ist eine JPEG-2000-Datei aus zu vielen kleinen Teilen",
    "is a JPEG of a rare kind, which is not read here": "ist ein JPEG einer seltenen Art, die hier nicht gelesen wird",
    "is a JPEG of {} bits for each colour, which is not read here": (
        "ist ein JPEG mit {} Bit je Farbe, das hier nicht gelesen wird"
    ),
    "is a video, not a photo": "ist ein Video, kein Foto",
    "is a companion file of macOS, not a photo": "ist eine Begleitdatei von macOS, kein Foto",
    "is a program, not a photo": "ist ein Programm, kein Foto",
    "is a Git LFS pointer, not the photo itself": "ist ein Verweis von Git LFS, nicht das Foto selbst",
    "is an SVG drawing, not a photo": "ist eine SVG-Zeichnung, kein Foto",
    "is a web page, not a photo: the download went wrong, perhaps for want of a log-in": (
        "ist eine Webseite, kein Foto: Das Herunterladen ging schief, vielleicht fehlte eine Anmeldung"
    ),
    "is a text file, not a photo, whatever its name says": "ist eine Textdatei, kein Foto, wie immer sie heißt",
    "is not a photo that can be read here, or is damaged": (
        "ist kein Foto, das hier gelesen werden kann, oder ist beschädigt"
    ),
    "is a HEIF photo of a rare kind, which is not read here": (
        "ist ein HEIF-Foto einer seltenen Art, die hier nicht gelesen wird"
    ),
    "is encrypted": "ist verschlüsselt",
    "is a link, not a photo": "ist ein Verweis, kein Foto",
    "is packed in an unusual way": "ist auf ungewöhnliche Weise gepackt",
    "holds more than {} files": "enthält mehr als {} Dateien",
    "holds more than {} files and folders, too many to be opened": (
        "enthält mehr als {} Dateien und Ordner, zu viele zum Öffnen"
    ),
    "has a list of its files of more than {}, too long to be opened": (
        "hat ein Verzeichnis ihrer Dateien von mehr als {}, zu lang zum Öffnen"
    ),
    "unpacks to more than {}": "ist entpackt größer als {}",
}

_ADVICE: Mapping[str, str] = {
    "Copy or download it again from the camera or archive.": "Kopieren oder laden Sie sie neu von Kamera oder Archiv.",
    "Export it as JPEG and try again.": "Geben Sie sie als JPEG aus und versuchen Sie es erneut.",
    "Export it as 8-bit JPEG or PNG and try again.": "Geben Sie sie als JPEG oder PNG mit 8 Bit aus.",
    "Unpack it and choose the photos inside.": "Entpacken Sie es und wählen Sie die Fotos darin.",
    "Unpack it and choose its photos.": "Entpacken Sie es und wählen Sie seine Fotos.",
    "Unpack it with its password and choose the photos.": (
        "Entpacken Sie sie mit dem Passwort und wählen Sie die Fotos."
    ),
    "Save the frame you mean as JPEG and try again.": "Speichern Sie das gemeinte Einzelbild als JPEG.",
    "Save the page you mean as JPEG and try again.": "Speichern Sie die gemeinte Seite als JPEG.",
    "Save it as JPEG and try again.": "Speichern Sie sie als JPEG und versuchen Sie es erneut.",
    "Save it as JPEG.": "Speichern Sie sie als JPEG.",
    "Save it as PNG or JPEG and try again.": "Speichern Sie sie als PNG oder JPEG und versuchen Sie es erneut.",
    "Scale it down, save it as JPEG, and try again.": (
        "Verkleinern Sie sie, speichern Sie sie als JPEG und versuchen Sie es erneut."
    ),
    "Crop it to the lesion and try again.": "Schneiden Sie sie auf die Läsion zu.",
    "Take the original photo instead.": "Nehmen Sie das Originalfoto.",
    "Choose a photo.": "Wählen Sie ein Foto.",
    "Choose a photo inside it.": "Wählen Sie ein Foto darin.",
    "Choose the photos beside it.": "Wählen Sie die Fotos daneben.",
    "Choose a photo, such as a JPEG, HEIC or DICOM file.": "Wählen Sie ein Foto, etwa als JPEG, HEIC oder DICOM.",
    'Choose the file of the same name without "._".': 'Wählen Sie die Datei gleichen Namens ohne "._".',
    'Run "git lfs pull" first.': 'Führen Sie zuerst "git lfs pull" aus.',
    "Download the photo itself and try again.": "Laden Sie das Foto selbst herunter.",
    "Check the path.": "Prüfen Sie den Pfad.",
    "Change its permissions or copy it.": "Ändern Sie ihre Rechte oder kopieren Sie sie.",
    "Check the path, or copy the file and try again.": "Prüfen Sie den Pfad, oder kopieren Sie die Datei.",
    "Make it again.": "Erstellen Sie sie neu.",
    "Make the ZIP again.": "Erstellen Sie das ZIP neu.",
    "Make the ZIP again with your system's own command.": "Erstellen Sie das ZIP neu mit dem Befehl Ihres Systems.",
    "Put the photo itself into the ZIP.": "Legen Sie das Foto selbst in das ZIP.",
    "Split it.": "Teilen Sie sie auf.",
    "Split it: the rest is left out.": "Teilen Sie sie auf: Der Rest wird ausgelassen.",
}

_PATTERNS = [
    (re.compile(r"(.+?) " + re.escape(english).replace(r"\{\}", r"(.+?)") + r"\. ?(.*)", re.DOTALL), german)
    for english, german in _WHAT.items()
]


_TOO_MANY = re.compile(r"There are more than (\S+) photos\. .*")


def in_german(message: str) -> str:
    """A sentence about a file in German; one that is not known here stays in English."""
    for pattern, german in _PATTERNS:
        if found := pattern.fullmatch(message):
            subject, *parts, advice = found.groups()
            subject = _THE_FILE[1] if subject == _THE_FILE[0] else subject
            return f"{subject} {german.format(*parts)}. {_ADVICE.get(advice, advice)}".rstrip()
    if found := _TOO_MANY.fullmatch(message):
        most = found[1].replace(",", ".")
        return (
            f"Es sind mehr als {most} Fotos. Der Rest wird ausgelassen: Beurteilen Sie ihn in einem weiteren Stapel, "
            "oder mit der Befehlszeile, die beliebig viele nimmt."
        )
    return message
