"""Competitors without regimes: a fixed law, an exponentially weighted variance, and GARCH(1,1)-t.

All three are one recursion of the next step's variance, v' = ω + α·y² + β·v, on returns y of mean 0. The sum
over several steps has the sum of the variances expected; its tails are those that such sums had in training,
in units of what was forecast for them, so that clustering and thinning of tails are both in them.
"""

from abc import ABC, abstractmethod
from math import ceil, exp, log
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike
from scipy import special

from agents.models.loss_law import Tail
from agents.models.parameters import LEAST_DEGREES, MOST_DEGREES
from agents.models.path_sums import standard_density
from protocol.book import Floats
from protocol.kernels import kernel

LEAST_WINDOWS = 50


class Recursion(NamedTuple):
    """v' = constant + news·y² + memory·v, from `start` for the first observation on.

    Attributes
    ----------
    constant : float
        ω [unit of the returns, squared].
    news, memory : float
        α and β [1]; what is missing moves v by its expectation, ω + (α + β)·v.
    start : float
        [unit of the returns, squared].
    """

    constant: float
    news: float
    memory: float
    start: float


class Shape(NamedTuple):
    """Student-t law, symmetric about 0, of a sum over the square root of the variance forecast for it."""

    degrees: float
    scale: float


class Volatility(ABC):
    """A model of the variance of returns whose mean is 0; see `Fixed`, `Ewma` and `GarchT`.

    Attributes
    ----------
    recursion_ : Recursion
        After `fit`.
    next_ : float
        Variance expected of the next step [unit of the returns, squared].
    variances_ : (T,) ndarray
        Variance that was expected of each observation in the training sample.
    """

    recursion_: Recursion
    next_: float
    variances_: Floats

    def fit(self, values: ArrayLike) -> "Volatility":
        """Learn from a training sample, and stand at its end.

        Parameters
        ----------
        values : (T,) array_like
            Returns, NaN where missing.

        Returns
        -------
        Volatility
            Itself.

        Raises
        ------
        ValueError
            If fewer than 50 returns are known, or they do not vary.
        """
        self._values = np.array(values, np.float64)
        known = self._values[np.isfinite(self._values)]
        if self._values.ndim != 1 or len(known) < LEAST_WINDOWS or not known.std() > 0:
            rule = f"a volatility needs at least {LEAST_WINDOWS} returns in a row that vary"
            raise ValueError(f"{rule}, got {len(known)} known of shape {self._values.shape}")
        self.recursion_ = self._estimate(known)
        self.variances_ = np.empty(len(self._values))
        self.next_ = run_recursion(self.recursion_, self._values, self.variances_)
        self._shapes: dict[float, Shape] = {}
        return self

    @abstractmethod
    def _estimate(self, known: Floats) -> Recursion:
        """The recursion of what is known of the training sample."""

    def observe(self, value: float) -> None:
        """Learn one return; NaN is missing."""
        self.next_ = moved(self._known(), self.next_, float(value))

    def variance(self, steps: float) -> float:
        """Variance expected of the sum over the coming steps [unit of the returns, squared].

        Parameters
        ----------
        steps : float
            Positive; a fraction takes its share of the sum over the next whole number.
        """
        constant, slope = self._outlook(steps)
        return constant + slope * self.next_

    def tail(self, level: float, steps: float) -> Tail:
        """Loss over the coming steps of a long or a short position, which the law does not tell apart.

        Parameters
        ----------
        level : float
            Between 0.5 and 1.
        steps : float

        Raises
        ------
        ValueError
            If the level is out of bounds, or the training sample has fewer than 50 windows of this length.
        """
        if not 0.5 < level < 1:
            raise ValueError(f"0.5 < level < 1 must hold, got {level}")
        shape = self.shape(steps)
        unit = shape.scale * self.variance(steps) ** 0.5
        at = float(special.stdtrit(shape.degrees, level))
        density = float(standard_density(np.array(at), np.array(shape.degrees)))
        beyond = density * (shape.degrees + at**2) / (shape.degrees - 1) / (1 - level)
        return Tail(unit * at, unit * beyond)

    def cumulative(self, value: float, steps: float) -> float:
        """Probability that the sum over the coming steps is at most `value`."""
        shape = self.shape(steps)
        return float(special.stdtr(shape.degrees, value / shape.scale / self.variance(steps) ** 0.5))

    def shape(self, steps: float) -> Shape:
        """Tails of sums in the training sample, by maximum likelihood over all windows that are complete."""
        self._known()
        if steps not in self._shapes:
            constant, slope = self._outlook(steps)
            windows = np.lib.stride_tricks.sliding_window_view(self._values, ceil(steps))
            forecast = constant + slope * self.variances_[: len(windows)]
            sums = windows.sum(axis=1) * (steps / ceil(steps)) ** 0.5 / np.sqrt(forecast)
            self._shapes[steps] = fitted_shape(sums[np.isfinite(sums)])
        return self._shapes[steps]

    def _outlook(self, steps: float) -> tuple[float, float]:
        """Constant and slope of the variance expected over the steps, as a function of the next one."""
        if not 0 < steps < np.inf:
            raise ValueError(f"steps must be positive and finite, got {steps}")
        known, count = self._known(), ceil(steps)
        power = (known.news + known.memory) ** np.arange(count)
        before = np.append(0.0, np.cumsum(power[:-1]))
        share = steps / count
        return share * known.constant * float(before.sum()), share * float(power.sum())

    def _known(self) -> Recursion:
        if not hasattr(self, "recursion_"):
            raise ValueError("a volatility must be fitted before it is used")
        return self.recursion_


class Fixed(Volatility):
    """One variance for ever: the mean square of the training sample."""

    def _estimate(self, known: Floats) -> Recursion:
        variance = float(np.mean(known**2))
        return Recursion(variance, 0.0, 0.0, variance)


class Ewma(Volatility):
    """Exponentially weighted mean of squared returns, which begins at their mean.

    Parameters
    ----------
    half_life : float
        Age at which a return weighs half of the newest [steps].
    """

    def __init__(self, half_life: float) -> None:
        if not 0 < half_life < np.inf:
            raise ValueError(f"half_life must be positive and finite, got {half_life}")
        self.half_life = half_life

    @classmethod
    def of_decay(cls, decay: float) -> "Ewma":
        """The model whose weights fall by the factor `decay` with each step: 0.94 for RiskMetrics' days."""
        if not 0 < decay < 1:
            raise ValueError(f"0 < decay < 1 must hold, got {decay}")
        return cls(log(0.5) / log(decay))

    @property
    def decay(self) -> float:
        """Weight of a return over that of the next."""
        return exp(log(0.5) / self.half_life)

    def _estimate(self, known: Floats) -> Recursion:
        return Recursion(0.0, 1 - self.decay, self.decay, float(np.mean(known**2)))


class GarchT(Volatility):
    """GARCH(1,1) with Student-t shocks by maximum likelihood (arch); a fit joins what lies beside a gap.

    References
    ----------
    .. [1] T. Bollerslev, "A conditionally heteroskedastic time series model for speculative prices and
       rates of return", Review of Economics and Statistics 69 (1987).
    """

    def _estimate(self, known: Floats) -> Recursion:
        from arch.univariate import GARCH, StudentsT, ZeroMean

        unit = float(known.std())
        model = ZeroMean(known / unit, volatility=GARCH(1, 0, 1), distribution=StudentsT())
        found = model.fit(disp="off", show_warning=False)
        constant, news, memory = (float(found.params[name]) for name in ("omega", "alpha[1]", "beta[1]"))
        start = float(np.asarray(found.conditional_volatility)[0]) ** 2
        return Recursion(unit**2 * constant, news, memory, unit**2 * start)


def fitted_shape(sums: Floats) -> Shape:
    """Student-t law about 0 of highest likelihood, degrees between 2.1 and 60."""
    if len(sums) < LEAST_WINDOWS:
        raise ValueError(f"tails need at least {LEAST_WINDOWS} complete windows, got {len(sums)}")

    def loss(point: Floats) -> float:
        degrees, scale = np.exp(point)
        return float(-np.log(standard_density(sums / scale, np.array(degrees))).sum()) + len(sums) * point[1]

    bounds = [(log(LEAST_DEGREES), log(MOST_DEGREES)), (None, None)]
    start = np.array([log(5.0), log(max(float(np.median(np.abs(sums))), 1e-12) / 0.73)])
    found = scipy.optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds)
    return Shape(*np.exp(found.x).tolist())


@kernel
def moved(recursion: Recursion, variance: float, value: float) -> float:
    """Variance expected of the next step after one more return; NaN is missing."""
    square = variance if np.isnan(value) else value * value
    return recursion.constant + recursion.news * square + recursion.memory * variance


@kernel
def run_recursion(recursion: Recursion, values: Floats, out: Floats) -> float:
    """Write the variance expected of each return, (T,); return that of the one to come."""
    variance = recursion.start
    for t in range(len(values)):
        out[t] = variance
        variance = moved(recursion, variance, values[t])
    return variance
