"""In German, what a model file of this project states of itself, as train/about.toml and training/folds.py word it."""

import re
from collections.abc import Mapping


def stated_in_german(sentence: str) -> str:
    """A sentence that is not known here, as of somebody else's model, stays as it is."""
    if sentence in _SENTENCES:
        return _SENTENCES[sentence]
    for english, german in _BASES.items():
        sentence = re.sub(english, german, sentence)
    return sentence


_SENTENCES: Mapping[str, str] = {
    "Decision support for clinicians trained in dermoscopy who decide whether a pigmented skin lesion "
    "needs a closer look. It ranks dermoscopic photos by how much they resemble melanomas of its training "
    "data. It is a research model, not a medical device, and gives no diagnosis.": (
        "Entscheidungshilfe für dermatoskopisch geschulte Ärztinnen und Ärzte, die entscheiden, ob eine "
        "pigmentierte Hautläsion genauer angesehen werden muss. Sie ordnet dermatoskopische Fotos danach, wie "
        "sehr sie den Melanomen der Trainingsdaten ähneln. Sie beruht auf einem Forschungsmodell, ist "
        "kein Medizinprodukt und stellt keine Diagnose."
    ),
    "Never a reason not to examine, biopsy or refer a lesion that worries you or the patient.": (
        "Nie ein Grund, eine Läsion nicht zu untersuchen, nicht zu biopsieren oder nicht zu überweisen, die "
        "Ihnen oder der untersuchten Person Sorge macht."
    ),
    "Only for dermoscopic photos of a single skin lesion. Clinical photos, nails, mucosa and several "
    "lesions in one picture were not trained on.": (
        "Nur für dermatoskopische Fotos einer einzelnen Hautläsion. Klinische Fotos, Nägel, Schleimhaut und "
        "mehrere Läsionen auf einem Bild kamen im Training nicht vor."
    ),
    "Training data came mostly from fair-skinned adults seen in specialist clinics. How well it works on "
    "darker skin, on children or in primary care is not known.": (
        "Die Trainingsdaten stammen vor allem von hellhäutigen Erwachsenen aus Fachkliniken. Wie gut das "
        "Modell bei dunklerer Haut, bei Kindern oder in der Hausarztpraxis ist, ist nicht bekannt."
    ),
    "It was trained to tell melanoma from everything else: a basal or squamous cell carcinoma counts as "
    '"other" and may score low.': (
        "Es wurde trainiert, Melanome von allem anderen zu unterscheiden: Ein Basalzell- oder "
        "Plattenepithelkarzinom zählt als „anderes“ und kann einen niedrigen Wert haben."
    ),
    "The probability assumes the stated prevalence. Where melanoma is rarer or more common among the "
    "photos, it is too high or too low.": (
        "Die Wahrscheinlichkeit setzt die angegebene Prävalenz voraus. Wo Melanome unter den Fotos seltener "
        "oder häufiger sind, ist sie zu hoch oder zu niedrig."
    ),
    "Figures and thresholds come from patients of ISIC 2020 that the judged networks had not seen; on "
    "other sources the same threshold finds another share of melanomas (see the model card). Check it on "
    "your own photos before relying on it.": (
        "Zahlen und Schwellen stammen von Personen aus ISIC 2020, die den beurteilten Netzen neu waren; in "
        "anderen Quellen findet dieselbe Schwelle einen anderen Anteil der Melanome (siehe Model Card). "
        "Prüfen Sie es an eigenen Fotos, bevor Sie sich darauf verlassen."
    ),
    "In the training data some cameras were used almost only for benign lesions. The network can tell "
    "such a camera, and part of the score may come from it (see the model card, also for the figures "
    "without that camera).": (
        "In den Trainingsdaten wurden manche Kameras fast nur für gutartige Läsionen verwendet. Das Netz kann "
        "eine solche Kamera erkennen, und ein Teil des Werts kann von ihr kommen (siehe Model Card, auch für "
        "die Zahlen ohne diese Kamera)."
    ),
    "CC BY-NC 4.0: research use only, as the training images are; code Apache-2.0": (
        "CC BY-NC 4.0: nur für die Forschung, wie die Trainingsbilder; Code Apache-2.0"
    ),
}

_BASES: Mapping[str, str] = {
    r"(\d+)-fold cross-validation": r"\1-fache Kreuzvalidierung",
    "by patient or lesion, where a source names them, otherwise by image": (
        "nach Patient oder Läsion, wo eine Quelle sie nennt, sonst nach Bild"
    ),
    "images of one patient or lesion stand on both sides: the figures leak": (
        "Bilder derselben Person oder Läsion stehen auf beiden Seiten: Die Zahlen sind zu günstig"
    ),
    "no fold's training or choice of epoch saw its images": (
        "weder das Training noch die Wahl der Epoche sah die Bilder des jeweiligen Teils"
    ),
    "the validation part, on which the best epoch was chosen as well: slightly optimistic": (
        "am Validierungsteil, an dem auch die beste Epoche gewählt wurde: etwas zu günstig"
    ),
}
"""How it was evaluated."""
