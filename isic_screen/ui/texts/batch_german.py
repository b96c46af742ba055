"""The sentences of the tab for many photos in German."""

from isic_screen.ui.texts.batch import BatchTexts


class GermanBatchTexts(BatchTexts):
    BATCH_HINT = (
        "Bis zu {most} Fotos (JPEG, HEIC, PNG, WebP, AVIF, TIFF, BMP, JPEG 2000, DICOM) oder ZIP-Dateien mit Fotos "
        "wählen. Mit dem Schließen der Seite ist die Liste fort."
    )
    BATCH_FILES = "Fotos oder ZIP-Dateien"
    BATCH_START = "Beurteilen"
    BATCH_STOP = "Anhalten"
    BATCH_NOTHING = "Bitte zuerst Fotos oder eine ZIP-Datei wählen."
    BATCH_FORGOTTEN = (
        "Der Server hat diese Fotos nicht mehr: Er behält sie höchstens eine Stunde und nicht über einen Neustart "
        "hinaus. Wählen Sie sie noch einmal."
    )
    BATCH_RUNNING = "{photos} von {of} beurteilt."
    BATCH_LEFT = "Noch etwa {time}."
    BATCH_DONE = "Alle {photos} Fotos sind fertig."
    BATCH_DONE_ONE = "Das Foto ist fertig."
    BATCH_NO_PHOTO = "Unter diesen Dateien ist kein Foto."
    BATCH_PASSED_OVER = "Übergangen: {hidden} versteckt oder vom System, {others} keine Bilder{kinds}."
    BATCH_STOPPED = "Angehalten. Was bisher gefunden wurde, ist aufgeführt; fertige Fotos: {photos}."
    BATCH_FAILED = (
        "Der Server konnte nicht weitermachen; fertige Fotos: {photos}. Warten Sie eine Minute und beginnen Sie noch "
        "einmal."
    )
    BATCH_COUNTS = (
        "<b>{refer} zu überweisen</b>, {below} unter der Schwelle von {threshold}, {unscreened} nicht beurteilt. "
        "Wahrscheinlichkeiten bei einer Prävalenz von {prevalence}."
    )
    BATCH_SHOWN = "Fotos {first} bis {last} von {of}, die wahrscheinlichsten zuerst."
    BATCH_NONE_SHOWN = "Ein solches Foto gibt es nicht."
    BATCH_FILTER = "Zeigen"
    BATCH_ALL = "Alle"
    BATCH_UNSCREENED = "Nicht beurteilt"
    BATCH_PART = "Teil der Liste (1 bis {most})"
    BATCH_NO_PART = "„{typed}“ ist kein Teil der Liste: Geben Sie eine Zahl von 1 bis {most} ein."
    BATCH_GIVEN = (
        "Sie haben bei „Ein Foto“ mehrere Fotos, einen Ordner oder eine ZIP-Datei abgelegt: Hier werden alle beurteilt."
    )
    BATCH_BUSY = (
        "„Ein Foto“ nimmt ein Foto. Mehrere gehören hierher, aber diese werden noch beurteilt: Drücken Sie auf "
        "Anhalten oder warten Sie, und geben Sie die neuen dann noch einmal. Keines davon wurde genommen."
    )
    BATCH_CSV = "Als CSV speichern"
    BATCH_PDF = "Als PDF speichern"
    BATCH_PICTURE = "Foto"
    BATCH_FILE = "Datei"
    BATCH_PROBABILITY = "Wahrscheinlichkeit"
    BATCH_ANSWER = "Antwort"
    BATCH_QUALITY = "Qualität, oder warum nicht beurteilt"
