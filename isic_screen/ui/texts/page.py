"""The page's own sentences in English, and what the other languages override."""


class PageTexts:
    """Placeholders in braces are filled by `str.format`; `<b>` and `<strong>` are HTML."""

    LANGUAGE = "en"
    LANGUAGE_NAME = "English"
    DECIMAL_MARK = "."
    THOUSANDS_MARK = ","
    TAB_PHOTO = "One photo"
    TAB_BATCH = "Many photos"
    TAB_ABOUT = "About the model"
    TITLE = "isic-screen"
    SUBTITLE = "Melanoma screening support for dermoscopy"
    NOTICE = (
        "<strong>Decision support for clinicians trained in dermoscopy, not a diagnosis.</strong> A low score is "
        "never a reason not to examine, biopsy or refer a lesion that worries you."
    )

    KEPT = (
        "The server deletes an uploaded photo after {upload} minutes at most and its answer after {answer}; it keeps "
        "nothing longer."
    )

    PHOTO = "Dermoscopy photo"
    PHOTO_HINT = (
        "Drop a photo here, paste it, or click to choose one: JPEG, HEIC, PNG, WebP, AVIF, TIFF, BMP, JPEG 2000 or "
        "DICOM."
    )
    EXAMPLE = "Drawn example"
    EXAMPLES = "Or try a drawn example (synthetic, no patient)"

    WAITING = "The answer appears here as soon as there is a photo."
    SCREENING = "The photo is being screened."
    FAILED = "This photo was not screened"
    FAILED_ADVICE = (
        "The server gave no answer, so nothing is known about this photo. Wait a minute, remove the photo, and choose "
        "it again."
    )
    FORGOTTEN = "The answer was forgotten"
    FORGOTTEN_ADVICE = (
        "The server holds an answer for an hour at most, and loses it when it is started anew. Remove the photo, and "
        "choose it again."
    )
    NOT_UPDATED = "The answer does not follow"
    NOT_UPDATED_ADVICE = (
        "The server gave no answer about the threshold or prevalence that you chose last. Wait a minute, and choose "
        "it again."
    )
    PHOTO_FIT = "Photo fit to be screened"
    PHOTO_DOUBTFUL = "Photo doubtful"
    PHOTO_UNFIT = "Photo not fit to be screened"
    UNFIT_ADVICE = "No probability is shown, because it would mean nothing for this photo."
    REFER = "Refer"
    REFER_WHY = "At or above the threshold of {threshold}."
    BELOW = "Below the threshold"
    BELOW_WHY = "Below the threshold of {threshold}. This is not an all-clear."
    WEAK = (
        "This threshold catches only {sensitivity} of the melanomas, fewer than half. An answer below it says nothing: "
        "choose a lower threshold."
    )
    PROBABILITY = "probability of melanoma, where {prevalence} of lesions photographed are melanomas"
    SCALE_LABEL = "Probability {probability} on a log-odds scale; threshold {threshold}, prevalence {prevalence}."
    SCALE_THRESHOLD = "threshold {threshold}"
    SCALE_PREVALENCE = "prevalence {prevalence}"
    BORDERLINE = (
        "Borderline: turned and mirrored, the same photo scores {low} to {high}, on both sides of the threshold. "
        "Judge it by other means, or take another photo."
    )
    UNREADABLE = "This file could not be screened"
    NOT_UPLOADED = "This file was not uploaded here. Upload the photo itself."

    HEAT_TITLE = "Where the score came from"
    HEAT_TITLE_ATTENTION = "What the network looked at"
    HEAT_CAPTION = (
        "Warm colours mark the places that spoke for melanoma in this photo, relative to its own strongest place."
    )
    HEAT_CAPTION_SUPPORT = (
        "Warm colours mark the places that spoke for melanoma in this photo, relative to its own strongest place. This "
        "method leaves out what spoke against it, so every photo has warm places."
    )
    HEAT_CAPTION_ATTENTION = (
        "Warm colours mark what the network looked at most in this photo, whatever that spoke for: this method does "
        "not ask about melanoma."
    )
    HEAT_COARSE = (
        "The map is coarse, and it is not the outline of the lesion: a warm border, hair or ruler is a reason to "
        "doubt the score."
    )
    HEAT_EMPTY = (
        "No place in this photo spoke for melanoma more than against it, so there is no map to show. That is no "
        "all-clear: the answer follows from the probability and the threshold."
    )
    HEAT_STRENGTH = "Strength of the overlay, %"
    HEAT_METHOD = "Method"
    HEAT_SWIPE = "Uncover the photo from the left"
    HEAT_SAVE = "Save as PNG"
    HEAT_ALT = "The photo with the heat map over it"

    REPORT = "Report (PDF)"
    REPORT_HINT = "All fields are optional. They are printed in the report, and they do not change the score."
    CASE_LABEL = "Case label"
    AGE = "Age"
    SEX = "Sex"
    SITE = "Body site"
    CLINICIANS_NOTE = "Clinician's note"
    MAKE_PDF = "Make the report"
    NOT_SAVED = "Nothing was saved: something was changed while the file was being made. Save it again."

    THRESHOLD_TITLE = "Choose the threshold by what it means"
    SENSITIVITY = "Melanomas to catch (sensitivity), %"
    SENSITIVITY_INFO = (
        "More melanomas caught means more healthy people recalled. The count below may differ a little from it."
    )
    THRESHOLD_NUMBER = "Threshold: refer from this probability on, %"
    THRESHOLD_NUMBER_INFO = "Type a probability from 0 to 100; the sliders follow."
    PREVALENCE = "Melanomas among the lesions you photograph (prevalence), %"
    PREVALENCE_INFO = (
        "Probability, threshold and the 1,000 people below follow it; which photos are referred does not. The model "
        "states {prevalence}. Type a number from {least} to {most}."
    )
    NOT_A_NUMBER = "“{typed}” is not a number: {stays} % stays. Type a number such as 0.5 or 0,5."
    OUT_OF_RANGE = "{typed} is not between {least} and {most}: {taken} % is taken."
    PRESETS = "Usual choices"
    PRESET = "{percent} %"
    CONSEQUENCE = (
        "Of <b>1,000 people</b>, {melanomas} with melanoma: <b>{found} found</b>, <b>{missed} missed</b>; "
        "<b>{recalled} healthy recalled</b>, {cleared} not."
    )
    DOTS_LABEL = (
        "1,000 people: melanoma found in {found}, missed in {missed}, {recalled} healthy recalled, {cleared} not "
        "recalled."
    )
    FOUND = "melanoma, found"
    MISSED = "melanoma, missed"
    RECALLED = "healthy, recalled"
    CLEARED = "healthy, not recalled"
    TILE_SENSITIVITY = "Sensitivity"
    TILE_SPECIFICITY = "Specificity"
    TILE_PPV = "Melanoma if referred (PPV)"
    TILE_NPV = "No melanoma if not (NPV)"
    TILE_NNR = "Referred per melanoma found"
    UNKNOWN = "unknown"
    INTERVAL = "{low} to {high} (95\N{NARROW NO-BREAK SPACE}%), {count} of {total}"
    AT_PREVALENCE = "at a prevalence of {prevalence}"
    RESTATED = (
        "Another prevalence than the model's {prevalence} is arithmetic (Bayes' rule): it holds if your patients' "
        "melanomas, and their other lesions, are as easy or hard to tell as those counted."
    )
    OTHER_CAMERAS = (
        "<b>Without one camera's photos: {recalled} healthy people recalled</b>, {found} melanomas found, {missed} "
        "missed per 1,000 (sensitivity {sensitivity}, specificity {specificity}; {positives} melanomas, {negatives} "
        "others). That camera took almost only benign lesions, and the model can recognise it. Where the camera says "
        "nothing about the diagnosis, expect figures nearer to these."
    )
    EVIDENCE = (
        "Counted on {positives} melanomas and {negatives} other images of people new to the network that was judged "
        "({basis}), restated for a prevalence of {prevalence}. “Healthy” means without melanoma; other skin cancers "
        "are counted there. Each photo counts as one person."
    )

    PLOT_TITLE = "Precision and recall versus threshold"
    PLOT_LABEL = "At a threshold of {threshold} recall is {recall} and precision {precision}."
    PLOT_RECALL = "Recall (sensitivity)"
    PLOT_PRECISION = "Precision (PPV) at {prevalence}"
    PLOT_AXIS = "Threshold (probability of melanoma, log scale)"

    INTENDED_USE = "Intended use"
    LIMITS = "Limits"
    FACTS = "Facts"
    FACT_NAME = "Model"
    FACT_BACKBONE = "Network"
    FACT_VIEWS = "Turns of a photo whose mean is the score"
    FACT_TRAINED = "Trained"
    FACT_DATA = "Training data"
    FACT_AUC = "ROC AUC by source (95 % interval)"
    FACT_AUC_WITHOUT = "… without photos of 6000 x 4000 pixels"
    FACT_BASIS = "Evaluated by"
    FACT_PREVALENCE = "Probabilities stated at a prevalence of"
    FACT_LICENCE = "Licence"
    FACT_CITATION = "Data citation"
    FACT_FILE = "File (SHA-256)"
    GROUPS = "{source}: figures by group, at the threshold of {threshold}"
    GROUP = "Group"
    GROUP_IMAGES = "Images (melanomas)"
    SOURCE = "{source}: {images} images, {melanomas} melanomas, {groups} patients or lesions"
    SOURCE_UNGROUPED = "{source}: {images} images, {melanomas} melanomas, no two known to be of one patient or lesion"
    AUC = "{source}: {value} ({low} to {high}), {n} images, {positives} melanomas"
    NOT_STATED = "not stated in the model file"

    def reason(self, reason: str) -> str:
        """A finding of isic_screen/quality.py, which speaks English, in the page's language."""
        return reason

    def stated(self, sentence: str) -> str:
        """What a model's file states of its use, limits, licence or evaluation, in the page's language if known."""
        return sentence

    def fault(self, message: str) -> str:
        """What is wrong with a file, which photo.py says in English, in the page's language."""
        return message
