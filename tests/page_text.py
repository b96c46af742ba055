"""The text of a piece of the page."""

import re
from html.parser import HTMLParser

_VOID = {"img", "br", "input", "path", "circle"}


class _WellFormed(HTMLParser):
    """Collects the text, and fails on tags that do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def text_of(html: str) -> str:
    """Without its tags, which must all close."""
    parser = _WellFormed()
    parser.feed(html)
    assert not parser.open
    return re.sub(r"[ \n]+", " ", parser.text)
