"""The sentences of the tab for many photos in English."""


class BatchTexts:
    """Placeholders in braces are filled by `str.format`."""

    BATCH_HINT = (
        "Choose up to {most} photos (JPEG, HEIC, PNG, WebP, AVIF, TIFF, BMP, JPEG 2000, DICOM), or ZIP files of them. "
        "Close the page and the list is gone."
    )
    BATCH_FILES = "Photos or ZIP files"
    BATCH_START = "Screen them"
    BATCH_STOP = "Stop"
    BATCH_NOTHING = "Choose photos or a ZIP file first."
    BATCH_FORGOTTEN = (
        "The server has lost these photos: it holds them for an hour at most, and not when it is started anew. Choose "
        "them again."
    )
    BATCH_RUNNING = "{photos} of {of} screened."
    BATCH_LEFT = "About {time} left."
    BATCH_DONE = "All {photos} photos are done."
    BATCH_DONE_ONE = "The photo is done."
    BATCH_NO_PHOTO = "There is no photo among these files."
    BATCH_PASSED_OVER = "Passed over: {hidden} hidden or of the system, {others} no pictures{kinds}."
    BATCH_STOPPED = "Stopped. What was found so far is listed; photos done: {photos}."
    BATCH_FAILED = "The server could not go on; photos done: {photos}. Wait a minute, and start again."
    BATCH_COUNTS = (
        "<b>{refer} to refer</b>, {below} below the threshold of {threshold}, {unscreened} not screened. "
        "Probabilities at a prevalence of {prevalence}."
    )
    BATCH_SHOWN = "Photos {first} to {last} of {of}, the most probable first."
    BATCH_NONE_SHOWN = "There is no such photo."
    BATCH_FILTER = "Show"
    BATCH_ALL = "All"
    BATCH_UNSCREENED = "Not screened"
    BATCH_PART = "Part of the list (1 to {most})"
    BATCH_NO_PART = "“{typed}” is no part of the list: type a number from 1 to {most}."
    BATCH_GIVEN = "You gave several photos, a folder or a ZIP file to “One photo”: here they are all screened."
    BATCH_BUSY = (
        "“One photo” takes one photo. Several go here, but these are still being screened: press Stop or wait, and "
        "then give the new ones again. None of them was taken."
    )
    BATCH_CSV = "Save as CSV"
    BATCH_PDF = "Save as PDF"
    BATCH_PICTURE = "Photo"
    BATCH_FILE = "File"
    BATCH_PROBABILITY = "Probability"
    BATCH_ANSWER = "Answer"
    BATCH_QUALITY = "Quality, or why not screened"
