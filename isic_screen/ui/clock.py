"""The visitor's own date and time: a server may stand in another time zone."""

from datetime import datetime

CLOCK_LAST = """(...given) => {
  const now = new Date(), ahead = -now.getTimezoneOffset(), two = (number) => `${Math.floor(number)}`.padStart(2, "0");
  const local = new Date(now.getTime() + ahead * 60000).toISOString().slice(0, 19);
  const offset = `${ahead < 0 ? "-" : "+"}${two(Math.abs(ahead) / 60)}:${two(Math.abs(ahead) % 60)}`;
  return [...given.slice(0, -1), local + offset];
}"""
"""For an event whose last input is to be the browser's time, in ISO 8601 with its distance from UTC."""


def visitors_time(given: str | None) -> datetime:
    """The browser's time, with its time zone; the server's where none was given, or none that is one."""
    try:
        found = datetime.fromisoformat(given or "")
    except ValueError:
        found = datetime.min
    return found if found.tzinfo else datetime.now().astimezone()


def written(time: datetime) -> str:
    """As people read it: 2026-11-23, 14:05 (UTC+01:00)."""
    return f"{time:%Y-%m-%d, %H:%M (%Z)}" if time.tzinfo else f"{time:%Y-%m-%d, %H:%M}"
