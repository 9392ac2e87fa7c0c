"""Procyclicality of a run's margins: how far and how fast they rise, what that calls for, what sets it off.

The margin is that in force at block ends, per dollar of notional. A rise calls for money from both sides of
the open interest. The response to a shock is a local projection: the change of margin over each horizon,
regressed on the absolute return of the step in which the shock falls, with lags of the absolute return and of
the margin held fixed.

References
----------
.. [1] Murphy, Vasios and Vause (2014), "An investigation into the procyclicality of risk-based initial margin
   models", Bank of England Financial Stability Paper 29: peak-to-trough and n-day measures.
.. [2] Gurrola-Perez and Murphy (2023), SSRN 4727725: reactiveness of margin models.
.. [3] Jordà (2005), "Estimation and inference of impulse responses by local projections", American Economic
   Review 95:161.
.. [4] Newey and West (1987), "A simple, positive semi-definite, heteroskedasticity and autocorrelation
   consistent covariance matrix", Econometrica 55:703.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import pandas as pd

from analysis.comparisons.weighted import Floats
from analysis.margins.measures import largest_rise
from analysis.tables import Run

HOUR, DAY = 3600, 86_400
SPANS = (HOUR, DAY, 5 * DAY)
SIDES = 2
HORIZONS, LAGS = 24, 4
FEWEST_STEPS = 30
LEVEL = 0.95
PEAK = {"": "response", "_low": "low", "_high": "high", "_seconds": "seconds"}


@dataclass(frozen=True)
class Projection:
    """How the response of margin is measured.

    Attributes
    ----------
    step : int
        Length of a step [s], a multiple of the block.
    horizons : int
        Steps after the shock.
    lags : int
        Of absolute return and margin that are held fixed.
    level : float
        Confidence of the intervals.
    """

    step: int = HOUR
    horizons: int = HORIZONS
    lags: int = LAGS
    level: float = LEVEL


@dataclass(frozen=True)
class Procyclicality:
    """What one market's margin did in a run.

    Attributes
    ----------
    market : str
    peak_to_trough : float
        Highest over lowest margin [1].
    rises : mapping of int to float
        Largest rise within a span [s], over what the margin was [1]; NaN where the run is shorter.
    demand : Demand
    response : DataFrame
        As `impulse_response`; empty where the run is too short for it or its price never moved.
    """

    market: str
    peak_to_trough: float
    rises: Mapping[int, float]
    demand: "Demand"
    response: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Demand:
    """Money that rises of margin called for.

    Attributes
    ----------
    total_usd : float
        All rises of the run, each times the open interest of both sides before it [USD].
    day_usd : float
        Most that rises, less falls, called for within a day [USD].
    day_share : float
        The same, each change over what traders had posted just before it [1]; NaN where they had nothing.
    """

    total_usd: float
    day_usd: float
    day_share: float


def procyclicality(
    run: Run, margin: str = "initial_margin", projection: Projection | None = None
) -> list[Procyclicality]:
    """Measures of each market of a run.

    Parameters
    ----------
    run : Run
    margin : {"initial_margin", "maintenance_margin"}
    projection : Projection, optional
    """
    projection = projection or Projection()
    posted = run.blocks.sort_values("block")["trader_equity"].to_numpy(dtype=np.float64)
    found = []
    for name in run.names:
        rows = run.market(name)
        values, interest = (rows[each].to_numpy(dtype=np.float64) for each in (margin, "open_interest_usd"))
        rises = rises_of(values, run.block_seconds)
        demand = liquidity_demand(values, interest, posted, DAY // run.block_seconds)
        response = _response(rows, margin, run.block_seconds, projection)
        found.append(Procyclicality(name, peak_to_trough(values), rises, demand, response))
    return found


def peak_to_trough(margin: Floats) -> float:
    """Highest over lowest margin [1]_."""
    return float(margin.max() / margin.min())


def rises_of(margin: Floats, block_seconds: int) -> dict[int, float]:
    """Largest rise within each span [s], over what the margin was [1]_; NaN where the run is shorter."""
    steps = {span: span // block_seconds for span in SPANS}
    return {
        span: largest_rise(margin, each) if 0 < each < len(margin) else float("nan")
        for span, each in steps.items()
    }


def liquidity_demand(margin: Floats, open_interest: Floats, posted: Floats, day: int) -> Demand:
    """What changes of margin called for.

    Parameters
    ----------
    margin : (n,) ndarray
        In force at each block end [1].
    open_interest : (n,) ndarray
        Of one side [USD].
    posted : (n,) ndarray
        Equity of traders [USD].
    day : int
        Blocks in a day.
    """
    calls = SIDES * open_interest[:-1] * np.diff(margin)
    known = posted[:-1] > 0
    shares = np.divide(calls, posted[:-1], out=np.zeros(len(calls)), where=known)
    share = _most_within(shares, day) if known.any() else float("nan")
    return Demand(float(calls[calls > 0].sum()), _most_within(calls, day), share)


def _most_within(changes: Floats, steps: int) -> float:
    """Largest sum of neighbouring changes within some steps, or zero."""
    level = pd.Series(np.concatenate(([0.0], np.cumsum(changes))))
    return float((level - level.rolling(max(1, steps) + 1, min_periods=1).min()).max())


def _response(rows: pd.DataFrame, margin: str, block: int, projection: Projection) -> pd.DataFrame:
    """Response of margin to the oracle's price, from the last block of each step; empty where none can be."""
    every = max(1, projection.step // block)
    ends = rows.iloc[every - 1 :: every]
    returns = np.abs(np.diff(np.log(ends["oracle"].to_numpy(dtype=np.float64))))
    short = len(returns) < _needed(projection)
    if short or not np.ptp(returns) > 0:
        return pd.DataFrame(columns=["horizon", "seconds", "response", "low", "high"])
    return impulse_response(ends[margin].to_numpy(dtype=np.float64)[1:], returns, projection)


def _needed(projection: Projection) -> int:
    """Steps that a projection takes at least."""
    return FEWEST_STEPS + projection.lags + projection.horizons


def impulse_response(
    margin: Floats, absolute_return: Floats, projection: Projection | None = None
) -> pd.DataFrame:
    """Rise of margin after an absolute return that is one standard deviation larger [3]_.

    Parameters
    ----------
    margin : (n,) ndarray
        At the end of each step [1].
    absolute_return : (n,) ndarray
        Of each step; its last moment is the margin's.
    projection : Projection, optional

    Returns
    -------
    DataFrame
        A row for each horizon from 0: `horizon` [steps], `seconds`, `response` (change of margin since the
        step before the shock [1]), `low`, `high` with errors by Newey and West [4]_, whose window is the
        horizon and the lags; each interval is of its horizon alone. All zero where the margin never moved.

    Raises
    ------
    ValueError
        If the series differ in length, are too short, or the return never changes.
    """
    projection = projection or Projection()
    needed, number = _needed(projection), len(margin)
    if number != len(absolute_return) or number < needed:
        sizes = f"{number} and {len(absolute_return)}"
        raise ValueError(
            f"margin and absolute_return must have the same length, at least {needed}, got {sizes}"
        )
    if not np.ptp(absolute_return) > 0:
        raise ValueError(f"absolute_return must vary, got {absolute_return[0]:g} in every step")
    horizons = range(projection.horizons + 1)
    if np.ptp(margin) == 0:
        rows: Sequence[tuple[float, float]] = [(0.0, 0.0) for _ in horizons]
    else:
        rows = [
            _projected(margin, absolute_return / absolute_return.std(), each, projection) for each in horizons
        ]
    value, error = np.array(rows).T
    half = NormalDist().inv_cdf(0.5 + projection.level / 2) * error
    steps = np.arange(projection.horizons + 1)
    columns = {"horizon": steps, "seconds": steps * projection.step, "response": value}
    return pd.DataFrame({**columns, "low": value - half, "high": value + half})


def _projected(margin: Floats, shock: Floats, horizon: int, projection: Projection) -> tuple[float, float]:
    """Coefficient of the shock at one horizon, and its standard error.

    What the past explains is taken out first, so that a margin that follows from its past exactly, or hardly
    ever moves, makes no difficulty.
    """
    from statsmodels.regression.linear_model import OLS

    lags = projection.lags
    first, last = lags, len(margin) - horizon
    past = [each[first - lag : last - lag] for lag in range(1, lags + 1) for each in (shock, margin)]
    now = shock[first:last]
    change = margin[first + horizon :] - margin[first - 1 : last - 1]
    matrix = np.column_stack([np.ones(len(now)), *past])
    rest, moved = (each - matrix @ np.linalg.lstsq(matrix, each, rcond=None)[0] for each in (now, change))
    window = {"maxlags": horizon + lags, "use_correction": True}
    fit = OLS(moved, rest).fit(cov_type="HAC", cov_kwds=window)
    return float(fit.params[0]), float(fit.bse[0])


def procyclicality_table(found: Sequence[Procyclicality]) -> pd.DataFrame:
    """The measures as a table, a row for each market.

    Returns
    -------
    DataFrame
        `market`, `peak_to_trough`, `rise_1h`, `rise_24h`, `rise_120h`, `demand_usd`, `demand_day_usd`,
        `demand_day_share`, and of the response `response_peak` with its `_low`, `_high` and
        `response_peak_seconds`; NaN where there is none. The peak is the largest of all horizons, so that its
        interval flatters it.
    """
    return pd.DataFrame([_row(each) for each in found])


def _row(found: Procyclicality) -> dict[str, object]:
    demand, response = found.demand, found.response
    row: dict[str, object] = {"market": found.market, "peak_to_trough": found.peak_to_trough}
    row |= {f"rise_{span // HOUR}h": rise for span, rise in found.rises.items()}
    row |= {"demand_usd": demand.total_usd, "demand_day_usd": demand.day_usd}
    row |= {"demand_day_share": demand.day_share}
    columns = {f"response_peak{end}": name for end, name in PEAK.items()}
    if response.empty:
        return row | dict.fromkeys(columns, np.nan)
    peak = int(response["response"].to_numpy().argmax())
    return row | {title: float(response[name].iloc[peak]) for title, name in columns.items()}
