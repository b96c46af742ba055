"""The visitor's own date and time: a server may stand in another time zone."""

from datetime import datetime


def visitors_time(given: str | None) -> datetime:
    """The browser's time, with its time zone (assets/newest.js); the server's where none was given, or none that is
    one."""
    try:
        found = datetime.fromisoformat(given or "")
    except ValueError:
        found = datetime.min
    return found if found.tzinfo else datetime.now().astimezone()


def written(time: datetime) -> str:
    """As people read it: 2026-11-23, 14:05 (UTC+01:00)."""
    return f"{time:%Y-%m-%d, %H:%M (%Z)}" if time.tzinfo else f"{time:%Y-%m-%d, %H:%M}"
