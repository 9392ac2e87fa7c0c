"""What a course of margins costs, and how it moves, once it covers as much as the others."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from analysis.margins.course import Course
from protocol.book import Floats

HOUR, DAY = 3600, 86_400
NUMBERS = {
    "margin": "mean margin, %",
    "peak_to_trough": "peak to trough",
    "rise_24h": "most in 24 h, %",
    "rise_5d": "most in 5 d, %",
    "stressed_breaches": "breaches in stress, %",
    "shortfall": "excess of a breach, %",
    "moves": "steps with a change, %",
}


def measures(course: Course, coverage: float) -> dict[str, float]:
    """Numbers of a course that is scaled so that a given share of moves stays within the margin.

    Parameters
    ----------
    course : Course
    coverage : float
        Share of times whose move, up or down, is at most the margin [1].

    Returns
    -------
    dict
        By the keys of `NUMBERS`, shares as such: mean margin; its highest over its lowest value; its largest
        relative rises within a day and within five; breaches over times in the wildest regime; how much
        larger than the margin a breaching move is in the mean; and steps in which the margin changes.
    """
    margin = course.margin * np.quantile(course.move / course.margin, coverage)
    breached = course.move > margin
    wild = course.regime == course.regime.max()
    return {
        "margin": float(margin.mean()),
        "peak_to_trough": float(margin.max() / margin.min()),
        "rise_24h": largest_rise(margin, DAY // course.every),
        "rise_5d": largest_rise(margin, 5 * DAY // course.every),
        "stressed_breaches": float(breached[wild].mean()),
        "shortfall": float((course.move / margin - 1)[breached].mean()),
        "moves": float((np.diff(margin) != 0).mean()),
    }


def largest_rise(margin: Floats, steps: int) -> float:
    """Largest relative rise from one time to another at most `steps` later."""
    lowest = pd.Series(margin).rolling(steps + 1, min_periods=1).min().to_numpy()
    return float((margin / lowest - 1).max())


def intervals(
    rows: pd.DataFrame, policies: Sequence[str], baseline: str, level: float = 0.95
) -> pd.DataFrame:
    """Mean over worlds with its interval, and the paired difference to the baseline with its own.

    Parameters
    ----------
    rows : DataFrame
        `policy`, `seed` and the numbers.
    policies : sequence of str
        In their order.
    baseline : str
    level : float

    Returns
    -------
    DataFrame
        `policy`, `number`, `mean`, `low`, `high`, `difference`, `difference_low`, `difference_high`.
    """
    found = []
    for number in NUMBERS:
        table = rows.pivot(index="seed", columns="policy", values=number)
        for policy in policies:
            mean, low, high = student_interval(table[policy].to_numpy(), level)
            other = student_interval((table[policy] - table[baseline]).to_numpy(), level)
            found.append((policy, number, mean, low, high, *other))
    ends = ["mean", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(found, columns=["policy", "number", *ends])


def student_interval(values: Floats, level: float) -> tuple[float, float, float]:
    """Mean and ends of Student's interval; NaN ends for fewer than two values."""
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return (float(known.mean()) if len(known) else np.nan), np.nan, np.nan
    half = stats.t.ppf(0.5 + level / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return float(known.mean()), float(known.mean() - half), float(known.mean() + half)
