"""Numbers as people write them: $12.3M, 4.1 %, 1 h 02 m."""

import math

MINUS, NBSP = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def _signed(value: float, text: str) -> str:
    return f"{MINUS}{text}" if value < 0 and any(digit in text for digit in "123456789") else text


def usd(value: float) -> str:
    """US dollars with three figures: $950, $12.3K, −$4.56M."""
    size = abs(value)
    for i, (scale, letter) in enumerate(SCALES):
        if size >= scale * 0.9995:
            figures = _three_figures(size / scale)
            if figures == "1000" and i > 0:
                figures, letter = "1.00", SCALES[i - 1][1]
            return _signed(value, f"${figures}{letter}")
    return _signed(value, f"${size:.0f}" if size >= 10 or size == 0 else f"${size:.2f}")


def _three_figures(size: float) -> str:
    return f"{size:.2f}" if size < 9.995 else f"{size:.1f}" if size < 99.95 else f"{size:.0f}"


def price(value: float) -> str:
    """A price in US dollars with as many decimals as it needs: $7,962, $3.142, $0.01234."""
    size = abs(value)
    if size >= 1000:
        return f"${size:,.0f}"
    digits = 2 if size >= 10 else 3 if size >= 1 else 4 - math.floor(math.log10(size)) - 1 if size > 0 else 0
    return f"${size:.{digits}f}"


def percent(value: float, digits: int | None = None) -> str:
    """A share as per cent: 53 %, 4.1 %, −0.12 %."""
    size = abs(value) * 100
    if digits is None:
        digits = 0 if size >= 9.95 or size == 0 else 1 if size >= 0.95 else 2 if size >= 0.01 else 4
    return _signed(value, f"{size:.{digits}f}{NBSP}%")


def duration(seconds: float) -> str:
    """A span of time in its two largest units: 45 s, 1 h 02 m, 3 d 04 h."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")]
    first = next((i for i, (size, _) in enumerate(parts) if size), 3)
    (large, unit), after = parts[first], parts[first + 1 : first + 2]
    words = [f"{large}{NBSP}{unit}", *(f"{size:02d}{NBSP}{name}" for size, name in after if size)]
    return NBSP.join(words)


def count(value: float, singular: str = "", plural: str | None = None) -> str:
    """A whole number with its noun: 1 account, 1,204 accounts."""
    noun = singular if round(value) == 1 else (plural or f"{singular}s") if singular else ""
    return f"{round(value):,} {noun}".rstrip()


def noun(name: str) -> str:
    """A name from a table as words: market makers, not market_makers."""
    return name.replace("_", " ")


def joined(parts: list[str]) -> str:
    """An English list: a; a and b; a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def quantity(value: float | None, unit: str) -> str:
    """A metric's value in its unit, as tables print it; a dash where it has no meaning."""
    if value is None or not math.isfinite(value):
        return "–"
    match unit:
        case "USD":
            return usd(value)
        case "1":
            return percent(value, 1 if 0.01 <= abs(value) < 1 else None)
        case "x":
            return f"{value:.2f}×" if abs(value) < 9.995 else f"{value:.1f}×"
        case "1/8h":
            return percent(value, 4)
        case "s":
            return duration(value)
        case "1/day":
            return f"{value:.2f}"
        case "base units":
            return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
        case "gwei":
            return f"{value:,.0f}{NBSP}gwei"
    return count(value)


def short(value: float) -> str:
    """A number in six characters or so; a dash where there is none."""
    if math.isnan(value):
        return "–"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
