"""An extreme-value check of high quantiles: a generalised Pareto law for what lies above a threshold.

The threshold is the loss below the largest k of n. k is a tenth of the runs, at least 30, and never more than
a quarter of the runs or half of those that lost more than the smallest loss. So many runs without a loss
raise no difficulty: they only count among the n. Nothing is fitted where no such k exists.

References
----------
.. [1] Pickands (1975), "Statistical inference using extreme order statistics", Annals of Statistics 3:119.
.. [2] McNeil, Frey and Embrechts (2015), Quantitative Risk Management, section 5.2: VaR and ES from the law.
.. [3] Grimshaw (1993), "Computing maximum likelihood estimates for the generalized Pareto distribution",
   Technometrics 35:185: a likelihood of one number, the shape over the scale.
.. [4] Choulakian and Stephens (2001), "Goodness-of-fit tests for the generalized Pareto distribution",
   Technometrics 43:478: the law of the statistic depends on the shape, so that it is simulated here.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from analysis.comparisons.intervals import Drawing, Estimate
from analysis.comparisons.paired import bootstrap_weights
from analysis.comparisons.weighted import Floats
from sim.streams import stream

FEWEST_EXCEEDANCES = 30
TENTH, QUARTER, HALF = 10, 4, 2
LEAST_SHAPE, MOST_SHAPE = -0.5, 4.0
GRID, ZOOMS = 61, 3
REPEATS = 499
ENDLESS = 1.0


@dataclass(frozen=True)
class Tail:
    """A generalised Pareto law fitted to the largest losses, or why none was.

    Attributes
    ----------
    runs, exceedances : int
        Losses, and how many of them lie above the threshold; where nothing is fitted, how many could.
    threshold : float
        In the unit of the losses.
    shape : Estimate
        With its profile-likelihood interval [1]: above 0 the tail is a power law, at 0 exponential, below
        0 it ends; from 1 on the mean of the tail is infinite.
    scale : float
        In the unit of the losses.
    distance, p : float
        Anderson and Darling's statistic, and the share of samples of the fitted law that fit worse.
    verdict : str
    fitted : bool
    """

    runs: int
    exceedances: int
    threshold: float
    shape: Estimate
    scale: float
    distance: float
    p: float
    verdict: str
    fitted: bool = True


@dataclass(frozen=True)
class Beyond:
    """VaR and ES of a level from a fitted tail, with bootstrap intervals; NaN where there is none."""

    level: float
    var: Estimate
    es: Estimate


def fit_tail(losses: Floats, drawing: Drawing | None = None) -> Tail:
    """Fit the law above the threshold, and say whether it may be believed.

    Parameters
    ----------
    losses : (n,) ndarray
        Large is bad; finite.
    drawing : Drawing, optional
        Its level is that of the interval, and of the test; its seed that of the simulated samples.

    Returns
    -------
    Tail
        Not fitted when there are fewer than 30 exceedances, or when they are all alike.
    """
    drawing = drawing or Drawing()
    ordered = np.sort(np.asarray(losses, dtype=np.float64))
    if not np.isfinite(ordered).all():
        raise ValueError("losses must be finite, got NaN or infinity")
    exceedances = exceedances_of(ordered)
    if exceedances < FEWEST_EXCEEDANCES:
        text = f"the tail is too short to fit: {exceedances} of {FEWEST_EXCEEDANCES} exceedances needed"
        return _unfitted(len(ordered), exceedances, text)
    threshold, excess = _above(ordered, exceedances)
    if excess[0] == excess[-1] or not excess[len(excess) // 2] > 0:
        return _unfitted(len(ordered), exceedances, "the tail cannot be fitted: its losses are alike")
    shape, scale = (float(found[0]) for found in fit_rows(excess[None]))
    distance, p = _goodness(excess, shape, scale, drawing)
    interval = _shape_interval(excess, shape, scale, drawing)
    verdict = _verdict(interval, p, drawing)
    return Tail(len(ordered), exceedances, threshold, interval, scale, distance, p, verdict)


def exceedances_of(losses: Floats) -> int:
    """How many of the largest losses are taken for the tail; below 30 they are too few."""
    moved = int((losses > losses.min()).sum()) if len(losses) else 0
    most = min(len(losses) // QUARTER, moved // HALF)
    return min(max(FEWEST_EXCEEDANCES, len(losses) // TENTH), most)


def _above(ordered: Floats, exceedances: int) -> tuple[float, Floats]:
    """The threshold, and what the largest losses have above it, rising."""
    threshold = float(ordered[-exceedances - 1])
    return threshold, ordered[-exceedances:] - threshold


def _unfitted(runs: int, exceedances: int, why: str) -> Tail:
    nothing = Estimate(np.nan, np.nan, np.nan)
    return Tail(runs, exceedances, np.nan, nothing, np.nan, np.nan, np.nan, why, fitted=False)


def _verdict(shape: Estimate, p: float, drawing: Drawing) -> str:
    told = f"shape {shape.value:.2f} [{shape.low:.2f}, {shape.high:.2f}]"
    if p < drawing.alpha:
        return f"the fit is rejected (p = {p:.2g}), {told}"
    kind = "an exponential tail is not ruled out"
    if shape.low > 0:
        kind = "the tail is a power law"
    elif shape.high < 0:
        kind = "the tail has an end"
    beyond = ", and its mean may be infinite" if shape.high >= ENDLESS else ""
    return f"fits (p = {p:.2g}), {told}: {kind}{beyond}"


def fit_rows(excess: Floats) -> tuple[Floats, Floats]:
    """Shape and scale of greatest likelihood of each of several samples [3]_.

    Parameters
    ----------
    excess : (r, k) ndarray
        Above the threshold; the median of each row is positive.

    Returns
    -------
    shape, scale : (r,) ndarray
        Shapes below −1/2, where the likelihood is not regular, are not looked for.
    """
    middle = np.median(excess, axis=1)
    scaled = excess / middle[:, None]
    low, high = np.full(len(excess), LEAST_SHAPE - 1), np.full(len(excess), MOST_SHAPE + 2)
    for _ in range(ZOOMS):
        guesses = np.linspace(low, high, GRID, axis=1)
        best = np.argmax(_likelihood(scaled, _ratios(guesses)), axis=1)
        rows = np.arange(len(excess))
        low, high = guesses[rows, np.maximum(best - 1, 0)], guesses[rows, np.minimum(best + 1, GRID - 1)]
    ratio = _ratios((low + high)[:, None] / 2)
    shape, scale = _given(scaled, ratio)
    return shape[:, 0], scale[:, 0] * middle


def _ratios(guesses: Floats) -> Floats:
    """Shape over scale of a law whose median is 1 and whose shape is guessed, never exactly 0."""
    ratios = np.expm1(guesses * np.log(2))
    return np.where(np.abs(ratios) < 1e-9, 1e-9, ratios)


def _given(scaled: Floats, ratio: Floats) -> tuple[Floats, Floats]:
    """Shape and scale of greatest likelihood where their ratio is given, (r, g); NaN beyond the law's end."""
    inside = 1 + ratio[:, :, None] * scaled[:, None, :]
    logs = np.log(inside, out=np.full(inside.shape, np.nan), where=inside > 0)
    shape = logs.mean(axis=2)
    return shape, shape / ratio


def _likelihood(scaled: Floats, ratio: Floats) -> Floats:
    """Mean log-likelihood of each row at each ratio, (r, g)."""
    shape, scale = _given(scaled, ratio)
    allowed = (shape >= LEAST_SHAPE) & (scale > 0)
    logs = np.log(scale, out=np.zeros(scale.shape), where=allowed)
    return np.where(allowed, -logs - shape - 1, -np.inf)


def _shape_interval(excess: Floats, shape: float, scale: float, drawing: Drawing) -> Estimate:
    """Shapes whose profile likelihood is not too far below the greatest."""
    reach = 0.5 * float(stats.chi2.ppf(drawing.level, 1))
    best = _log_likelihood(excess, shape, scale)

    def gap(other: float) -> float:
        return best - reach - _profile(excess, other, scale)

    low, high = (
        float(optimize.brentq(gap, shape, end, xtol=1e-3)) if gap(end) > 0 > gap(shape) else end
        for end in (LEAST_SHAPE, MOST_SHAPE)
    )
    return Estimate(shape, low, high)


def _profile(excess: Floats, shape: float, scale: float) -> float:
    """Log-likelihood of a shape with the best scale."""
    least = np.log(max(-shape * excess[-1], 1e-4 * scale)) + 1e-9
    found = optimize.minimize_scalar(
        lambda log: -_log_likelihood(excess, shape, float(np.exp(log))),
        bounds=(least, float(np.log(100 * max(scale, excess[-1])))),
        method="bounded",
    )
    return -float(found.fun)


def _log_likelihood(excess: Floats, shape: float, scale: float) -> float:
    return float(stats.genpareto.logpdf(excess, shape, scale=scale).sum())


def _goodness(excess: Floats, shape: float, scale: float, drawing: Drawing) -> tuple[float, float]:
    """Anderson and Darling's distance, and how often a sample of the law is farther from its fit [4]_."""
    uniform = stream(drawing.seed, "tail samples").random((REPEATS, len(excess)))
    samples = np.sort(np.asarray(stats.genpareto.ppf(uniform, shape, scale=scale)), axis=1)
    own = _distances(excess[None], np.array([shape]), np.array([scale]))[0]
    others = _distances(samples, *fit_rows(samples))
    return float(own), float((1 + (others >= own).sum()) / (1 + REPEATS))


def _distances(ordered: Floats, shape: Floats, scale: Floats) -> Floats:
    """Anderson and Darling's statistic of each row, (r,), rows rising."""
    number = ordered.shape[1]
    below = np.asarray(stats.genpareto.cdf(ordered, shape[:, None], scale=scale[:, None]))
    below = np.clip(below, 1e-12, 1 - 1e-12)
    weights = (2 * np.arange(1, number + 1) - 1) / number
    logs = np.log(below) + np.log1p(-below[:, ::-1])
    return np.asarray(-number - logs @ weights)


def beyond(losses: Floats, tail: Tail, level: float, drawing: Drawing | None = None) -> Beyond:
    """VaR and ES of a level from the fitted tail [2]_.

    Parameters
    ----------
    losses : (n,) ndarray
        Those that were fitted.
    tail : Tail
    level : float
        Share of runs below the VaR [1].
    drawing : Drawing, optional

    Returns
    -------
    Beyond
        The interval refits the law, with its threshold, to resamples of all runs. NaN where nothing is fitted
        or where the level lies below the threshold; an ES is infinite where the shape is 1 or more.

    Notes
    -----
    With 40 exceedances of 400 runs, over shapes from −0.2 to 0.7, the 95 % intervals of the 99 % VaR held the
    true value in 80 to 85 % of the cases, those of ES in 75 to 92 %, and the profile intervals of the shape
    in 87 to 95 %: what is extrapolated is less certain than it looks.
    """
    drawing = drawing or Drawing()
    nothing = Estimate(np.nan, np.nan, np.nan)
    if not tail.fitted or (1 - level) * tail.runs > tail.exceedances:
        return Beyond(level, nothing, nothing)
    ordered = np.sort(np.asarray(losses, dtype=np.float64))
    outside = tail.runs / tail.exceedances * (1 - level)
    fitted = np.array([[tail.threshold], [tail.shape.value], [tail.scale]])
    own = _tail_risk(fitted, outside)
    drawn = _tail_risk(_refits(ordered, tail, drawing), outside)
    var, es = (_between(float(one[0]), many, drawing) for one, many in zip(own, drawn, strict=True))
    return Beyond(level, var, es)


def _between(value: float, drawn: Floats, drawing: Drawing) -> Estimate:
    low, high = np.quantile(drawn, drawing.tails, method="inverted_cdf")
    return Estimate(value, float(low), float(high))


def _refits(ordered: Floats, tail: Tail, drawing: Drawing) -> Floats:
    """Threshold, shape and scale in resamples of all runs, (3, r)."""
    weights = bootstrap_weights(drawing.seed, REPEATS, len(ordered)).astype(np.int64)
    largest = np.stack([np.repeat(ordered, row)[-tail.exceedances - 1 :] for row in weights])
    excess = largest[:, 1:] - largest[:, :1]
    usable = np.median(excess, axis=1) > 0
    return np.stack([largest[usable, 0], *fit_rows(excess[usable])])


def _tail_risk(fits: Floats, outside: float) -> tuple[Floats, Floats]:
    """VaR and ES of fits, (3, r), at a quantile beyond which a share of the exceedances lies."""
    threshold, shape, scale = fits
    log = -np.log(outside)
    growth = np.where(np.abs(shape) < 1e-9, log, np.expm1(shape * log) / np.where(shape == 0, 1, shape))
    var = threshold + scale * growth
    rest = scale + shape * (var - threshold)
    es = np.divide(rest, 1 - shape, out=np.full(len(shape), np.inf), where=shape < ENDLESS)
    return var, var + es
