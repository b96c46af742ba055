"""The sentences of the ROC curve and the confusion matrix in German."""

from isic_screen.ui.texts.curves import CurveTexts


class GermanCurveTexts(CurveTexts):
    ROC_TITLE = "ROC-Kurve"
    ROC_LABEL = "Bei dieser Schwelle werden {found} der Melanome gefunden und {false_alarms} der Gesunden einbestellt."
    ROC_AREA = "Fläche {area}"
    ROC_ACROSS = "Einbestellte Gesunde (1 - Spezifität), %"
    ROC_UP = "Gefundene Melanome (Sensitivität), %"
    ROC_CAPTION = (
        "Gezählt an zurückgehaltenen Bildern. Das Kreuz ist das 95-%-Intervall beider Raten. Raten folgt der "
        "gepunkteten Linie. Die ROC-AUC unter „Über das Modell“ kann in der dritten Stelle von dieser Fläche "
        "abweichen: für sie war kein Foto an der Kalibrierung seiner eigenen Wahrscheinlichkeit beteiligt."
    )
    CONFUSION_TITLE = "Was bei dieser Schwelle gezählt wurde"
    CONFUSION_CAPTION = (
        "Zurückgehaltene Bilder nach Wahrheit und Antwort; klein gedruckt die von 1.000 Personen zu erwartenden."
    )
    CONFUSION_MELANOMA = "Melanom"
    CONFUSION_HEALTHY = "Kein Melanom"
    CONFUSION_ALL = "Alle"
    CONFUSION_PER_1000 = "{people} von 1.000"
