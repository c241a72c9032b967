"""How times, shares and counts are written, for pages, plots and tables alike. A number and its unit stay on one line."""

from __future__ import annotations

SPACE = "\u00a0"
_CONTROL = {code: "�" for code in (*range(32), 127)}


def duration(seconds: float) -> str:
    """Three significant digits with their unit: "0.45 ms", "8.27 ms", "812 ms", "1.23 s", "187 s"."""
    return f"{_digits(seconds)}{SPACE}s" if seconds >= 0.9995 else f"{_digits(seconds * 1e3)}{SPACE}ms"


def _digits(value: float) -> str:
    """Three significant ones; below 1 two places suffice, down to 0.01."""
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.01 or value == 0 else f"{value:.1g}"


def percent(share: float) -> str:
    """ "0.4 %", "12 %"; what is small but there does not become 0."""
    value = abs(share) * 100
    if 0 < value < 0.05:
        return f"<{SPACE}0.1{SPACE}%"
    return f"{value:.1f}{SPACE}%" if value < 9.95 else f"{value:,.0f}{SPACE}%"


def rank(share: float) -> str:
    """ "p50", "p99", "p99.9"."""
    return f"p{share * 100:g}"


def about(number: float) -> str:
    """A count that is only an estimate: two significant digits, "4,600"."""
    return f"{float(f'{number:.2g}'):,.0f}"


def counted(number: int, noun: str) -> str:
    """ "1 response", "1,204 responses"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """A name from a recording without what would break a line or a terminal."""
    return text.translate(_CONTROL)
