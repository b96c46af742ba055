"""The sentences of the tab for many photos in English."""


class BatchTexts:
    """Placeholders in braces are filled by `str.format`."""

    BATCH_HINT = (
        "Choose up to {most} photos, or ZIP files of photos. They are screened here and kept nowhere; close the page "
        "and the list is gone."
    )
    BATCH_FILES = "Photos or ZIP files"
    BATCH_START = "Screen them"
    BATCH_STOP = "Stop"
    BATCH_NOTHING = "Choose photos or a ZIP file first."
    BATCH_RUNNING = "{photos} of {of} photos screened."
    BATCH_LEFT = "About {time} left."
    BATCH_DONE = "All {photos} photos are done."
    BATCH_STOPPED = "Stopped after {photos} photos. What was found so far is listed."
    BATCH_FAILED = "The server could not go on. {photos} photos are done. Wait a minute, and start again."
    BATCH_COUNTS = (
        "<b>{refer} to refer</b>, {below} below the threshold of {threshold}, {unscreened} not screened. "
        "Probabilities at a prevalence of {prevalence}."
    )
    BATCH_SHOWN = "Photos {first} to {last} of {of}, the most probable first."
    BATCH_FILTER = "Show"
    BATCH_ALL = "All"
    BATCH_UNSCREENED = "Not screened"
    BATCH_PART = "Part of the list (1 to {most})"
    BATCH_CSV = "Save as CSV"
    BATCH_PDF = "Save as PDF"
    BATCH_PICTURE = "Photo"
    BATCH_FILE = "File"
    BATCH_PROBABILITY = "Probability"
    BATCH_ANSWER = "Answer"
    BATCH_QUALITY = "Quality, or why not screened"
