"""How the outside price answers a planted flow: the share that stays, and the half-life of the rest."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from sim.configuration import Scenario
from sim.run import run
from sim.world_settings import OutsideFlow

Floats = NDArray[np.float64]

SHORTEST, LONGEST = 0.5, 4.0
GRID = 80


@dataclass(frozen=True)
class ImpactResponse:
    """What a planted flow did to a price.

    Attributes
    ----------
    peak : float
        Log response at the end of the flow [1].
    permanent : float
        Part of the peak that stays [1]; NaN where there is no response.
    half_life : float
        Of the rest [s]; NaN where there is no rest.
    error : float
        Root mean square of what the fit leaves, over the peak [1].
    """

    peak: float
    permanent: float
    half_life: float
    error: float


def impact_response(pushed: Floats, calm: Floats, seconds: float) -> ImpactResponse:
    """Response of a price to a flow, from prices with and without it.

    The log response is fitted by `P + T · 2^(−t/h)`, P and T by least squares at each h.

    Parameters
    ----------
    pushed, calm : (n,) ndarray
        Price at the end of each block, from the one in which the flow ends, in two runs of the same seed.
    seconds : float
        Length of a block [s].

    Returns
    -------
    ImpactResponse
        Half-lives are looked for from half a block to four times the span.
    """
    if len(pushed) != len(calm) or len(pushed) < 4:
        raise ValueError(f"two paths of at least 4 blocks are needed, got {len(pushed)} and {len(calm)}")
    response: Floats = np.log(pushed / calm)
    times: Floats = seconds * np.arange(len(response), dtype=np.float64)
    if not response.any():
        return ImpactResponse(0.0, np.nan, np.nan, 0.0)
    half_life = _best_half_life(response, times, seconds)
    (stays, fades), error = _fit(response, times, half_life)
    peak = stays + fades
    gone = abs(fades) < 1e-6 * abs(peak)
    return ImpactResponse(
        float(response[0]), stays / peak, np.nan if gone else half_life, error / abs(float(response[0]))
    )


def twin_response(
    scenario: Scenario, seed: int, flow: OutsideFlow, market: str, window: int | None = None
) -> ImpactResponse:
    """Response of a market's outside price to a flow planted in a scenario.

    Parameters
    ----------
    scenario : Scenario
        Is run twice with the seed, with and without the flow; what the venue's people make of it counts.
    flow : OutsideFlow
    market : str
    window : int, optional
        Blocks after the flow that are fitted; all if it is not given.
    """
    pushed, calm = twins(scenario, seed, flow)
    block = scenario.clock.block
    end = max(1, -(-(flow.at + flow.duration) // block)) - 1
    span = slice(end, None if window is None else end + window)
    return impact_response(pushed("outside", market)[span], calm("outside", market)[span], block)


def twins(scenario: Scenario, seed: int, *planted: object) -> tuple[Callable[..., Floats], ...]:
    """Columns of a scenario's runs with and without planted shocks, each by name and market."""
    shocks = (*scenario.shocks, *planted)
    return tuple(_columns(each, seed) for each in (scenario.model_copy(update={"shocks": shocks}), scenario))


def _columns(scenario: Scenario, seed: int) -> Callable[..., Floats]:
    tables = run(scenario, seed).tables

    def column(name: str, market: str | None = None) -> Floats:
        table = tables["blocks"] if market is None else tables["markets"].query("market == @market")
        found: Floats = table[name].to_numpy()
        return found

    return column


def _best_half_life(response: Floats, times: Floats, seconds: float) -> float:
    """Half-life with the least squares, near the best of a grid [s]."""
    grid = np.geomspace(SHORTEST * seconds, LONGEST * times[-1], GRID)
    errors = [_fit(response, times, each)[1] for each in grid]
    best = int(np.argmin(errors))
    bounds = np.log(grid[[max(best - 1, 0), min(best + 1, GRID - 1)]])
    found = minimize_scalar(
        lambda log: _fit(response, times, float(np.exp(log)))[1],
        bounds=tuple(bounds.tolist()),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(np.exp(found.x))


def _fit(response: Floats, times: Floats, half_life: float) -> tuple[tuple[float, float], float]:
    """Part that stays and part that fades, and the root mean square of what they leave."""
    basis = np.column_stack([np.ones(len(times)), 0.5 ** (times / half_life)])
    found = np.linalg.lstsq(basis, response, rcond=None)[0]
    error = np.sqrt(np.mean((response - basis @ found) ** 2))
    return (float(found[0]), float(found[1])), float(error)
