"""What failed runs may do to a comparison: how many there are, and how far they could move a difference."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.comparisons.arms import NOT_RUN, Arm, Contrast
from analysis.comparisons.paired import Pairs, averaged
from analysis.comparisons.statistic import Statistic
from analysis.wording import count, joined

COLUMNS = ("policy", "runs", "done", "failed", "timeout", "lost", NOT_RUN)


def failure_frame(contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """How the runs of each policy ended.

    Parameters
    ----------
    contrasts : sequence of Contrast
        With one baseline.

    Returns
    -------
    DataFrame
        One row per policy, the baseline first: `policy`, `runs`, and how many of them are `done`, `failed`,
        `timeout`, `lost` and `not run`.
    """
    arms = [(contrasts[0], contrasts[0].baseline), *((each, each.alternative) for each in contrasts)]
    return pd.DataFrame([_row(contrast, arm) for contrast, arm in arms], columns=list(COLUMNS))


def _row(contrast: Contrast, arm: Arm) -> tuple[object, ...]:
    statuses = contrast.statuses(arm)
    return arm.name, statuses.size, *(int((statuses == status).sum()) for status in COLUMNS[2:])


def extreme_values(contrast: Contrast, metric: str, statistic: Statistic) -> list[tuple[float, float]]:
    """A statistic of both policies had all failed runs been extreme.

    Parameters
    ----------
    contrast : Contrast
    metric : str
    statistic : Statistic

    Returns
    -------
    list of (float, float)
        Baseline and alternative, once with the baseline's failed runs at the lowest value of the metric seen
        anywhere and the alternative's at the highest, and once reversed; empty where no run failed.
    """
    if not any(contrast.failed(arm).any() for arm in contrast.arms):
        return []
    return [_values(pairs, statistic) for pairs in contrast.extremes(metric)]


def _values(pairs: Pairs, statistic: Statistic) -> tuple[float, float]:
    ones = np.ones((1, pairs.seeds))
    first, second = (averaged(table, ones, statistic) for table in (pairs.baseline, pairs.alternative))
    return float(first[0]), float(second[0])


def failure_bounds(contrast: Contrast, metric: str, statistic: Statistic) -> tuple[float, float]:
    """Lowest and highest difference that the failed runs leave possible; NaN where no run failed."""
    gaps = sorted(second - first for first, second in extreme_values(contrast, metric, statistic))
    return (gaps[0], gaps[-1]) if gaps else (np.nan, np.nan)


def failure_sentences(failures: pd.DataFrame) -> list[str]:
    """Who failed how often, and who more often than the baseline; empty where every run is done."""
    lost = (failures["runs"] - failures["done"] - failures[NOT_RUN]).tolist()
    names = failures["policy"].tolist()
    sentences = [
        f"{count(broken)} of {count(row['runs'], 'run')} of {row['policy']} gave no result ({_ways(row)})."
        for row, broken in zip(failures.to_dict("records"), lost, strict=True)
        if broken
    ]
    sentences += [
        f"{count(rest, 'run')} of {name} {'is' if rest == 1 else 'are'} still to be done."
        for name, rest in zip(names, failures[NOT_RUN], strict=True)
        if rest
    ]
    more = [name for name, broken in zip(names, lost, strict=True) if broken > lost[0]]
    if more:
        who = f"{joined(more)} {'fails' if len(more) == 1 else 'fail'}"
        sentences.append(f"{who} more often than {names[0]}, so what is missing may be what matters.")
    return sentences


def _ways(row: Mapping[Hashable, object]) -> str:
    return ", ".join(f"{row[status]} {status}" for status in COLUMNS[3:6] if row[status])
