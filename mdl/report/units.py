"""Figures as a person reads them. What is unknown is a dash."""

import math
import re
from typing import Final

UNKNOWN: Final = "–"

LABEL: Final = 28
"""Characters in a line of a label beside a plot; longer ones would leave too little of the plot."""

_BREAKS: Final = re.compile(r"(?<=,) | (?=\()")

_BYTE_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_THIN_SPACE: Final = "\u202f"


def percent(share: float | None, digits: int = 2) -> str:
    """Write a share in [0, 1] as a percentage."""
    if share is None:
        return UNKNOWN
    return f"{100 * share:.{digits}f}{_THIN_SPACE}%" if math.isfinite(share) else str(share)


def decimal(value: float | None) -> str:
    """Write a loss to four significant digits."""
    return UNKNOWN if value is None else f"{value:.4g}"


def count(value: float | None) -> str:
    """Write a whole number, its thousands apart."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}".replace(",", _THIN_SPACE) if math.isfinite(value) else str(value)


def size(size_bytes: float | None) -> str:
    """Write a number of bytes to three digits, in decimal units (1 kB = 1000 B)."""
    if size_bytes is None:
        return UNKNOWN
    value, unit = float(size_bytes), 0
    # 999.5 and above would round to four digits.
    while value >= 999.5 and unit + 1 < len(_BYTE_UNITS):
        value, unit = value / 1000, unit + 1
    text = f"{value:.0f}" if unit == 0 else _three_digits(value)
    return f"{text}{_THIN_SPACE}{_BYTE_UNITS[unit]}"


def byte_unit(largest_bytes: float) -> tuple[str, float]:
    """Choose the unit of an axis of bytes: its name, and its size in bytes."""
    power = 0
    while largest_bytes >= 1000 ** (power + 1) and power + 1 < len(_BYTE_UNITS):
        power += 1
    return ("bytes" if power == 0 else _BYTE_UNITS[power]), 1000.0**power


def duration(seconds: float | None) -> str:
    """Write a length of time: seconds under two minutes, then minutes, then hours."""
    if seconds is None:
        return UNKNOWN
    if not math.isfinite(seconds):
        return str(seconds)
    if seconds < 119.95:
        return f"{_three_digits(seconds)}{_THIN_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_THIN_SPACE}min {rest:02}{_THIN_SPACE}s"
    return f"{minutes // 60}{_THIN_SPACE}h {minutes % 60:02}{_THIN_SPACE}min"


def time_unit(longest_seconds: float) -> tuple[str, float]:
    """Choose the unit of a time axis: its name, and its length in seconds."""
    if longest_seconds < 180:
        return "seconds", 1.0
    if longest_seconds < 3 * 3600:
        return "minutes", 60.0
    return "hours", 3600.0


def wrap(text: str, longest: int = LABEL, lines: int = 3) -> str:
    """Break a name behind commas and before brackets, so that no line is longer than `longest` characters.

    What does not fit into so many lines, or a part into one, has its middle cut out.
    """
    first, *parts = _BREAKS.split(text)
    found = [first]
    for part in parts:
        joined = f"{found[-1]} {part}"
        if len(joined) <= longest or len(found) == lines:
            found[-1] = joined
        else:
            found.append(part)
    return "\n".join(shorten(line, longest) for line in found)


def shorten(text: str, longest: int = 28) -> str:
    """Cut the middle out of a text longer than `longest` characters; names differ at their ends too."""
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 2
    return f"{text[: longest - 1 - tail]}…{text[-tail:]}"


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
