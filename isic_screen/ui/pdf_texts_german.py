"""The sentences of the PDF reports in German."""

from isic_screen.ui.pdf_texts import PdfTexts


class GermanPdfTexts(PdfTexts):
    """Every sentence of `PdfTexts`, none left in English."""

    PDF_TITLE = "Dermatoskopischer Screening-Bericht"
    PDF_BATCH_TITLE = "Dermatoskopisches Screening: Liste der Fotos"
    PDF_FILE = "{name}; SHA-256 der Datei beginnt mit {sha256}"
    PDF_CONTEXT = "Ärztliche Angaben nur für diesen Bericht. Diese Felder ändern den Wert nicht."
    PDF_LACKING = "Ein Kästchen (□) steht für ein Zeichen, das hier nicht gedruckt werden kann."
    PDF_PHOTO = "Foto"
    PDF_WEAK = "schwach"
    PDF_STRONG = "stark"
    PDF_THIS_PHOTO = "dieses Foto {probability}"
    PDF_NO_PROBABILITY = "Keine Wahrscheinlichkeit"
    PDF_MEANING = "Was die Schwelle von {threshold} bedeutet"
    PDF_CONSEQUENCE = (
        "Von 1.000 Personen, davon {melanomas} mit Melanom: {found} gefunden, {missed} übersehen; {recalled} gesund, "
        "aber einbestellt, {cleared} nicht."
    )
    PDF_PER_1000 = "Je 1.000 Personen"
    PDF_REFERRED = "überwiesen"
    PDF_NOT_REFERRED = "nicht überwiesen"
    PDF_MELANOMA = "Melanom"
    PDF_HEALTHY = "Kein Melanom"
    PDF_ALL = "Alle"
    PDF_NOTE_CUT = "zu lang für eine Seite: Das Ende fehlt"
    PDF_SIGNED_BY = "Name in Druckschrift"
    PDF_SIGNED_ON = "Datum"
    PDF_SIGNATURE = "Unterschrift"
    PDF_MODEL = "Modell {name} {version}, SHA-256 {sha256}"
    PDF_PAGE = "Seite {page} von {pages}"

    PDF_COUNTS = "Fotos: {photos}. {referred} zu überweisen, {below} unter der Schwelle, {unscreened} nicht beurteilt."
    PDF_RULE = (
        "Überweisen ab einer Wahrscheinlichkeit von {threshold}, wenn {prevalence} der fotografierten Läsionen "
        "Melanome sind."
    )
    PDF_NOT_SCREENED = "Nicht beurteilt"
    PDF_COLUMN_PHOTO = "Foto (Dateiname)"
    PDF_COLUMN_PROBABILITY = "Wahrscheinl."
    PDF_COLUMN_ANSWER = "Antwort"
    PDF_COLUMN_REMARK = "Qualität, oder warum nicht beurteilt"
    PDF_NO_PHOTOS = "Es gab keine Fotos."
