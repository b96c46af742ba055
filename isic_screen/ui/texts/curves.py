"""The sentences of the ROC curve and the confusion matrix in English."""


class CurveTexts:
    """Placeholders in braces are filled by `str.format`."""

    ROC_TITLE = "ROC curve"
    ROC_LABEL = "At this threshold {found} of melanomas are found, and {false_alarms} of the healthy are recalled."
    ROC_AREA = "area {area}"
    ROC_ACROSS = "Healthy people recalled (1 - specificity), %"
    ROC_UP = "Melanomas found (sensitivity), %"
    ROC_CAPTION = (
        "Counted on the held-out images. The cross is the 95 % interval of each rate. Guessing follows the dotted "
        "line. The ROC AUC under “About the model” can differ from this area in the third digit: for it, no photo "
        "took part in the calibration of its own probability."
    )
    CONFUSION_TITLE = "What was counted at this threshold"
    CONFUSION_CAPTION = "Held-out images by truth and answer; in small print, the people to expect of 1,000."
    CONFUSION_MELANOMA = "Melanoma"
    CONFUSION_HEALTHY = "No melanoma"
    CONFUSION_ALL = "All"
    CONFUSION_PER_1000 = "{people} of 1,000"
