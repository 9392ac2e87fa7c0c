"""Where a real statistic falls among simulated ones."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.validation.targets import Target

CENTRAL = 0.95
ENOUGH = 20
ROUNDING = 1e-6


def scores(replicas: pd.DataFrame, wanted: Sequence[Target]) -> pd.DataFrame:
    """One row for each target.

    Parameters
    ----------
    replicas : DataFrame
        A row for each replica, a column for each statistic; NaN where a replica has none.
    wanted : sequence of Target

    Returns
    -------
    DataFrame
        `statistic`, `family`, `real`, `median`, `low` and `high` (the central 95 % of replicas), `rank`
        (share of replicas below the real value, ties by half), `inside`, `replicas` (how many had a value)
        and `source`. A statistic that fewer than 20 replicas have, or fewer than half, is not inside; its
        numbers are NaN.
    """
    return pd.DataFrame([_score(replicas, target) for target in wanted])


def _score(replicas: pd.DataFrame, target: Target) -> dict[str, object]:
    column = replicas[target.name] if target.name in replicas else pd.Series(dtype=float)
    values = column.to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    row: dict[str, object] = {"statistic": target.name, "family": target.family, "real": target.real}
    if len(values) < max(ENOUGH, len(replicas) / 2):
        numbers = dict.fromkeys(("median", "low", "high", "rank"), float("nan")) | {"inside": False}
    else:
        low, median, high = np.quantile(values, [(1 - CENTRAL) / 2, 0.5, (1 + CENTRAL) / 2])
        ties = np.isclose(values, target.real, rtol=ROUNDING, atol=ROUNDING)
        rank = float((~ties & (values < target.real)).mean() + ties.mean() / 2)
        inside = bool(low - ROUNDING <= target.real <= high + ROUNDING)
        numbers = {"median": median, "low": low, "high": high, "rank": rank, "inside": inside}
    return row | numbers | {"replicas": len(values), "source": target.source}
