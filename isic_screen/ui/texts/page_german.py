"""The page's own sentences in German."""

import re
from collections.abc import Mapping

from isic_screen.ui.texts.faults_german import in_german
from isic_screen.ui.texts.model_german import stated_in_german
from isic_screen.ui.texts.page import PageTexts


class GermanPageTexts(PageTexts):
    LANGUAGE = "de"
    LANGUAGE_NAME = "Deutsch"
    DECIMAL_MARK = ","
    THOUSANDS_MARK = "."
    TAB_PHOTO = "Ein Foto"
    TAB_BATCH = "Viele Fotos"
    TAB_ABOUT = "Über das Modell"
    TITLE = "isic-screen"
    SUBTITLE = "Unterstützung beim Melanom-Screening für die Dermatoskopie"
    NOTICE = (
        "<strong>Entscheidungshilfe für dermatoskopisch geschulte Ärztinnen und Ärzte, keine Diagnose.</strong> Ein "
        "niedriger Wert ist nie ein Grund, eine Läsion, die Ihnen Sorge macht, nicht zu untersuchen, nicht zu "
        "biopsieren oder nicht zu überweisen."
    )

    KEPT = (
        "Der Server löscht ein hochgeladenes Foto nach höchstens {upload} Minuten und seine Antwort nach höchstens "
        "{answer}; länger bewahrt er nichts auf."
    )

    PHOTO = "Dermatoskopisches Foto"
    PHOTO_HINT = (
        "Foto hierher ziehen, einfügen oder zum Auswählen klicken: JPEG, HEIC, PNG, WebP, AVIF, TIFF, BMP, JPEG 2000 "
        "oder DICOM."
    )
    EXAMPLE = "Gezeichnetes Beispiel"
    EXAMPLES = "Oder ein gezeichnetes Beispiel ansehen (künstlich, kein Patient)"

    WAITING = "Hier erscheint die Antwort, sobald ein Foto da ist."
    SCREENING = "Das Foto wird beurteilt."
    FAILED = "Dieses Foto wurde nicht beurteilt"
    FAILED_ADVICE = (
        "Der Server hat nicht geantwortet, über dieses Foto ist also nichts bekannt. Warten Sie eine Minute, entfernen "
        "Sie das Foto und wählen Sie es noch einmal."
    )
    FORGOTTEN = "Die Antwort ist vergessen"
    FORGOTTEN_ADVICE = (
        "Der Server behält eine Antwort höchstens eine Stunde und nicht über einen Neustart hinaus. Entfernen Sie das "
        "Foto und wählen Sie es noch einmal."
    )
    NOT_UPDATED = "Die Antwort folgt nicht"
    NOT_UPDATED_ADVICE = (
        "Der Server hat zu der Schwelle oder Prävalenz, die Sie zuletzt gewählt haben, nicht geantwortet. Warten Sie "
        "eine Minute und wählen Sie sie noch einmal."
    )
    PHOTO_FIT = "Foto geeignet"
    PHOTO_DOUBTFUL = "Foto zweifelhaft"
    PHOTO_UNFIT = "Foto nicht geeignet"
    UNFIT_ADVICE = "Es wird keine Wahrscheinlichkeit gezeigt, denn sie würde für dieses Foto nichts bedeuten."
    REFER = "Überweisen"
    REFER_WHY = "Auf oder über der Schwelle von {threshold}."
    BELOW = "Unter der Schwelle"
    BELOW_WHY = "Unter der Schwelle von {threshold}. Das ist keine Entwarnung."
    WEAK = (
        "Diese Schwelle findet nur {sensitivity} der Melanome, weniger als die Hälfte. Eine Antwort unter ihr sagt "
        "nichts aus: Wählen Sie eine niedrigere Schwelle."
    )
    PROBABILITY = "Wahrscheinlichkeit eines Melanoms, wenn {prevalence} der fotografierten Läsionen Melanome sind"
    SCALE_LABEL = (
        "Wahrscheinlichkeit {probability} auf einer Skala der logarithmierten Chancen; Schwelle {threshold}, "
        "Prävalenz {prevalence}."
    )
    SCALE_THRESHOLD = "Schwelle {threshold}"
    SCALE_PREVALENCE = "Prävalenz {prevalence}"
    BORDERLINE = (
        "Grenzfall: Gedreht und gespiegelt erhält dasselbe Foto {low} bis {high}, also Werte auf beiden Seiten der "
        "Schwelle. Urteilen Sie mit anderen Mitteln oder machen Sie ein weiteres Foto."
    )
    UNREADABLE = "Diese Datei konnte nicht beurteilt werden"
    NOT_UPLOADED = "Diese Datei wurde nicht hier hochgeladen. Laden Sie das Foto selbst hoch."

    HEAT_TITLE = "Woher der Wert kommt"
    HEAT_TITLE_ATTENTION = "Was das Netz angesehen hat"
    HEAT_CAPTION = (
        "Warme Farben zeigen die Stellen, die in diesem Foto für ein Melanom sprachen, gemessen an der stärksten davon."
    )
    HEAT_CAPTION_SUPPORT = (
        "Warme Farben zeigen die Stellen, die in diesem Foto für ein Melanom sprachen, gemessen an der stärksten "
        "davon. Dieses Verfahren lässt weg, was dagegen sprach; warme Stellen hat darum jedes Foto."
    )
    HEAT_CAPTION_ATTENTION = (
        "Warme Farben zeigen, was das Netz in diesem Foto am meisten angesehen hat, gleich wofür es sprach: Dieses "
        "Verfahren fragt nicht nach einem Melanom."
    )
    HEAT_COARSE = (
        "Die Karte ist grob und nicht der Umriss der Läsion: Ein warmer Rand, ein Haar oder ein Maßstab ist ein "
        "Grund, am Wert zu zweifeln."
    )
    HEAT_EMPTY = (
        "Keine Stelle in diesem Foto sprach eher für ein Melanom als dagegen, es gibt also keine Karte zu zeigen. Das "
        "ist keine Entwarnung: Die Antwort folgt aus Wahrscheinlichkeit und Schwelle."
    )
    HEAT_STRENGTH = "Stärke der Überlagerung, %"
    HEAT_METHOD = "Verfahren"
    HEAT_SWIPE = "Foto von links aufdecken"
    HEAT_SAVE = "Als PNG speichern"
    HEAT_ALT = "Das Foto mit der darübergelegten Karte"

    REPORT = "Bericht (PDF)"
    REPORT_HINT = "Alle Felder sind freiwillig. Sie werden im Bericht gedruckt und ändern den Wert nicht."
    CASE_LABEL = "Fallbezeichnung"
    AGE = "Alter"
    SEX = "Geschlecht"
    SITE = "Körperstelle"
    CLINICIANS_NOTE = "Ärztliche Anmerkung"
    MAKE_PDF = "Bericht erstellen"
    NOT_SAVED = "Nichts wurde gespeichert: Während die Datei entstand, wurde etwas geändert. Speichern Sie noch einmal."

    THRESHOLD_TITLE = "Die Schwelle danach wählen, was sie bedeutet"
    SENSITIVITY = "Zu findende Melanome (Sensitivität), %"
    SENSITIVITY_INFO = (
        "Je mehr Melanome gefunden werden, desto mehr Gesunde werden einbestellt. Wie viele es waren, steht unten."
    )
    THRESHOLD_NUMBER = "Schwelle: ab dieser Wahrscheinlichkeit überweisen, %"
    THRESHOLD_NUMBER_INFO = "Eine Wahrscheinlichkeit von 0 bis 100 eingeben; die Regler folgen."
    PREVALENCE = "Anteil der Melanome an den Läsionen, die Sie fotografieren (Prävalenz), %"
    PREVALENCE_INFO = (
        "Wahrscheinlichkeit, Schwelle und die 1.000 Personen unten folgen ihr; welche Fotos überwiesen werden, nicht. "
        "Das Modell nennt {prevalence}. Eine Zahl von {least} bis {most} eingeben."
    )
    NOT_A_NUMBER = "„{typed}“ ist keine Zahl: Es bleibt bei {stays} %. Geben Sie eine Zahl ein, etwa 0,5 oder 0.5."
    OUT_OF_RANGE = "{typed} liegt nicht zwischen {least} und {most}: Es gilt {taken} %."
    PRESETS = "Übliche Werte"
    PRESET = "{percent} %"
    CONSEQUENCE = (
        "Von <b>1.000 Personen</b>, davon {melanomas} mit Melanom: <b>{found} gefunden</b>, <b>{missed} "
        "übersehen</b>; <b>{recalled} gesund, aber einbestellt</b>, {cleared} nicht."
    )
    DOTS_LABEL = (
        "1.000 Personen: Melanom bei {found} gefunden, bei {missed} übersehen, {recalled} gesund, aber einbestellt, "
        "{cleared} nicht einbestellt."
    )
    FOUND = "Melanom, gefunden"
    MISSED = "Melanom, übersehen"
    RECALLED = "gesund, einbestellt"
    CLEARED = "gesund, nicht einbestellt"
    TILE_SENSITIVITY = "Sensitivität"
    TILE_SPECIFICITY = "Spezifität"
    TILE_PPV = "Melanom, wenn überwiesen (PPV)"
    TILE_NPV = "Kein Melanom, wenn nicht (NPV)"
    TILE_NNR = "Überwiesene je gefundenem Melanom"
    UNKNOWN = "unbekannt"
    INTERVAL = "{low} bis {high} (95\N{NARROW NO-BREAK SPACE}%), {count} von {total}"
    AT_PREVALENCE = "bei einer Prävalenz von {prevalence}"
    RESTATED = (
        "Eine andere Prävalenz als die {prevalence} des Modells ist Rechnung (Satz von Bayes): Sie stimmt, wenn die "
        "Melanome Ihrer Patienten, und ihre anderen Läsionen, so leicht oder schwer zu erkennen sind wie die "
        "gezählten."
    )
    OTHER_CAMERAS = (
        "<b>Ohne die Fotos einer Kamera: {recalled} Gesunde einbestellt</b>, {found} Melanome gefunden, {missed} "
        "übersehen je 1.000 Personen (Sensitivität {sensitivity}, Spezifität {specificity}; {positives} Melanome, "
        "{negatives} andere). Diese Kamera nahm fast nur gutartige Läsionen auf, und das Modell kann sie erkennen. Wo "
        "die Kamera nichts über die Diagnose sagt, ist eher mit diesen Zahlen zu rechnen."
    )
    EVIDENCE = (
        "Gezählt an {positives} Melanomen und {negatives} anderen Bildern von Personen, die dem beurteilten Netz neu "
        "waren ({basis}), umgerechnet auf eine Prävalenz von {prevalence}. „Gesund“ heißt ohne Melanom; anderer "
        "Hautkrebs zählt dazu. Jedes Foto zählt als eine Person."
    )

    PLOT_TITLE = "Präzision und Trefferquote je Schwelle"
    PLOT_LABEL = "Bei einer Schwelle von {threshold} ist die Trefferquote {recall} und die Präzision {precision}."
    PLOT_RECALL = "Trefferquote (Sensitivität)"
    PLOT_PRECISION = "Präzision (PPV) bei {prevalence}"
    PLOT_AXIS = "Schwelle (Wahrscheinlichkeit eines Melanoms, logarithmisch)"

    INTENDED_USE = "Zweckbestimmung"
    LIMITS = "Grenzen"
    FACTS = "Angaben"
    FACT_NAME = "Modell"
    FACT_BACKBONE = "Netz"
    FACT_VIEWS = "Drehungen eines Fotos, deren Mittel der Wert ist"
    FACT_TRAINED = "Trainiert"
    FACT_DATA = "Trainingsdaten"
    FACT_AUC = "ROC-AUC je Quelle (95-%-Intervall)"
    FACT_AUC_WITHOUT = "… ohne Fotos von 6000 x 4000 Pixeln"
    FACT_BASIS = "Beurteilt durch"
    FACT_PREVALENCE = "Wahrscheinlichkeiten gelten bei einer Prävalenz von"
    FACT_LICENCE = "Lizenz"
    FACT_CITATION = "Zitierweise der Daten"
    FACT_FILE = "Datei (SHA-256)"
    GROUPS = "{source}: Zahlen nach Gruppen, bei der Schwelle von {threshold}"
    GROUP = "Gruppe"
    GROUP_IMAGES = "Bilder (Melanome)"
    SOURCE = "{source}: {images} Bilder, {melanomas} Melanome, {groups} Patienten oder Läsionen"
    SOURCE_UNGROUPED = (
        "{source}: {images} Bilder, {melanomas} Melanome; von keinen zweien ist bekannt, dass sie von demselben "
        "Patienten oder derselben Läsion sind"
    )
    AUC = "{source}: {value} ({low} bis {high}), {n} Bilder, {positives} Melanome"
    NOT_STATED = "in der Modelldatei nicht angegeben"

    def reason(self, reason: str) -> str:
        """A finding with its number, if it has one, kept; one that is not known here stays in English."""
        numbers = re.findall(r"\d+", reason)
        return _REASONS.get(re.sub(r"\d+", "{}", reason), reason.replace("{", "{{").replace("}", "}}")).format(*numbers)

    def stated(self, sentence: str) -> str:
        return stated_in_german(sentence)

    def fault(self, message: str) -> str:
        return in_german(message)


_REASONS: Mapping[str, str] = {
    "a border was cut off (left {} %, top {} %, right {} %, bottom {} %; the rest was screened)": (
        "ein Rand wurde abgeschnitten (links {} %, oben {} %, rechts {} %, unten {} %; der Rest wurde beurteilt)"
    ),
    "too small ({} pixels on the shorter side; export it with {} or more)": (
        "zu klein ({} Pixel an der kürzeren Seite; mit mindestens {} ausgeben)"
    ),
    "blank (nothing can be seen on it; take the photo again)": "leer (nichts ist zu sehen; das Foto neu aufnehmen)",
    "a drawing, document or screenshot, or wholly over-exposed (choose a well-lit dermoscopy photo)": (
        "eine Zeichnung, ein Dokument oder Bildschirmfoto, oder ganz überbelichtet (ein gut belichtetes "
        "dermatoskopisches Foto wählen)"
    ),
    "without colours (the model needs a colour dermoscopy photo)": (
        "ohne Farben (das Modell braucht ein farbiges dermatoskopisches Foto)"
    ),
    "no lesion on skin (only fine texture or noise; choose a dermoscopy photo)": (
        "keine Läsion auf Haut (nur feine Struktur oder Rauschen; ein dermatoskopisches Foto wählen)"
    ),
    "small ({} pixels on the shorter side; export it larger if you can)": (
        "klein ({} Pixel an der kürzeren Seite; wenn möglich größer ausgeben)"
    ),
    "blurred (hold the dermoscope still, focus, and take it again)": (
        "unscharf (das Dermatoskop ruhig halten, scharf stellen und neu aufnehmen)"
    ),
    "too dark (switch the dermoscope's light on and take it again)": (
        "zu dunkel (das Licht des Dermatoskops einschalten und neu aufnehmen)"
    ),
    "burnt out (lower the exposure and take it again)": "überstrahlt (die Belichtung senken und neu aufnehmen)",
    "does not look like dermoscopy (the model knows close-ups through a dermoscope only)": (
        "sieht nicht wie Dermatoskopie aus (das Modell kennt nur Nahaufnahmen durch ein Dermatoskop)"
    ),
    "does not look like the photos the model was trained on (it knows close-ups of pigmented skin lesions through a "
    "dermoscope; check the photo, and take it again)": (
        "sieht nicht wie die Fotos aus, mit denen das Modell trainiert wurde (es kennt Nahaufnahmen pigmentierter "
        "Hautläsionen durch ein Dermatoskop; das Foto prüfen und neu aufnehmen)"
    ),
}
