"""Parameters of a hidden Markov model, their order by volatility, and transitions over gaps."""

from typing import Literal, NamedTuple

import numpy as np

from protocol.book import Floats, Ints

Order = Literal["volatility", "level"]
LEAST_DEGREES, MOST_DEGREES = 2.1, 60.0
TOLERANCE = 1e-8


class Markov(NamedTuple):
    """A hidden Markov model with K states whose observations are D series.

    Attributes
    ----------
    initial : (K,) float64
        Probability of each state at the first observation.
    transition : (K, K) float64
        Probability of a step from the row's to the column's state; rows sum to 1.
    mean : (K, D) float64
        [unit of the series].
    scale : (K, D, D) float64
        Scale matrix [unit of the series, squared]: the covariance if emissions are Gaussian.
    degrees : (K,) float64
        Degrees of freedom of the Student-t emissions, above 2; infinite where they are Gaussian.
    """

    initial: Floats
    transition: Floats
    mean: Floats
    scale: Floats
    degrees: Floats

    @property
    def states(self) -> int:
        """Number of states, K."""
        return len(self.initial)

    @property
    def series(self) -> int:
        """Number of series, D."""
        return self.mean.shape[1]

    @property
    def covariance(self) -> Floats:
        """Covariance of the observations in each state, (K, D, D)."""
        tail = np.where(np.isinf(self.degrees), 1.0, 1 / (1 - 2 / self.degrees))
        return self.scale * tail[:, None, None]

    @property
    def volatility(self) -> Floats:
        """Standard deviation of each series in each state, (K, D)."""
        return np.sqrt(np.einsum("kii->ki", self.covariance))

    @property
    def dwell(self) -> Floats:
        """Mean stay in each state, (K,) [steps]."""
        with np.errstate(divide="ignore"):
            return 1 / (1 - np.diagonal(self.transition))

    def permuted(self, order: Ints) -> "Markov":
        """The same model with its states numbered anew: state `i` is what was `order[i]`."""
        return Markov(
            self.initial[order],
            self.transition[np.ix_(order, order)],
            self.mean[order],
            self.scale[order],
            self.degrees[order],
        )


def state_order(parameters: Markov, by: Order = "volatility") -> Ints:
    """States from the calmest to the wildest.

    Parameters
    ----------
    parameters : Markov
    by : {"volatility", "level"}
        Geometric mean of the series' volatilities, ties by the first mean; or the mean of the first series,
        where that is a level of volatility itself, ties by volatility.

    Returns
    -------
    (K,) ndarray of int64
        For `Markov.permuted`.
    """
    volatility = np.log(parameters.volatility).sum(axis=1)
    keys = (parameters.mean[:, 0], volatility)
    return np.lexsort(keys if by == "volatility" else keys[::-1]).astype(np.int64)


def stationary_law(transition: Floats) -> Floats:
    """Long-run share of the time in each state, (K,); of one closed class if there are several."""
    states = len(transition)
    system = np.vstack([transition.T - np.eye(states), np.ones(states)])
    law: Floats = np.linalg.lstsq(system, np.append(np.zeros(states), 1.0), rcond=None)[0]
    law = np.maximum(law, 0)
    return law / law.sum()


def transition_over(transition: Floats, gap: float) -> Floats:
    """Transition probabilities over a gap.

    Parameters
    ----------
    transition : (K, K) ndarray
        Over one step.
    gap : float
        Positive [steps]; a whole gap takes a power, any other one needs the chain's generator.

    Raises
    ------
    ValueError
        If the gap is not positive and finite, or is a fraction and the chain has no generator, as when a
        state is left more often than not.
    """
    if not 0 < gap < np.inf:
        raise ValueError(f"a gap must be positive and finite, got {gap}")
    if gap == 1:
        return transition
    if gap == int(gap):
        return np.linalg.matrix_power(transition, int(gap))
    values, vectors = np.linalg.eig(transition)
    back = np.linalg.inv(vectors)
    logs = np.log(values.astype(complex))
    generator = (vectors * logs) @ back
    off = generator.real[~np.eye(len(transition), dtype=bool)]
    if np.abs(generator.imag).max() > TOLERANCE or off.min(initial=0) < -TOLERANCE:
        raise ValueError(f"a gap of {gap} steps needs a chain with a generator, which {transition} is not")
    power = np.maximum(((vectors * np.exp(gap * logs)) @ back).real, 0)
    return power / power.sum(axis=1, keepdims=True)


def check_parameters(parameters: Markov) -> None:
    """Refuse what is no model.

    Raises
    ------
    ValueError
        With the rule that is broken, the value and its place.
    """
    states, series = parameters.mean.shape
    shapes = ((states,), (states, states), (states, series), (states, series, series), (states,))
    for name, value, shape in zip(parameters._fields, parameters, shapes, strict=True):
        if value.shape != shape:
            raise ValueError(f"{name} must have the shape {shape}, got {value.shape}")
    for name, rows in (("initial", parameters.initial[None]), ("transition", parameters.transition)):
        if (rows < 0).any() or np.abs(rows.sum(axis=1) - 1).max() > TOLERANCE or np.isnan(rows).any():
            raise ValueError(f"{name} must hold probabilities that sum to 1, got {rows.tolist()}")
    if not np.isfinite(parameters.mean).all():
        raise ValueError(f"mean must be finite, got {parameters.mean.tolist()}")
    if not (parameters.degrees > 2).all():
        raise ValueError(f"degrees must be above 2, got {parameters.degrees.tolist()}")
    symmetric = np.allclose(parameters.scale, parameters.scale.transpose(0, 2, 1), rtol=1e-10, atol=0)
    if not symmetric or not (np.linalg.eigvalsh(parameters.scale) > 0).all():
        raise ValueError(f"scale must be symmetric and positive definite, got {parameters.scale.tolist()}")
