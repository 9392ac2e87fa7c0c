"""Hidden Markov models of market regimes: fit, score, filter, smooth, decode, sample."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from agents.models.baum_welch import Convergence, Effort, climb, convergence
from agents.models.decoding import Path, decode_states
from agents.models.filtering import Filtered, filter_states
from agents.models.maximisation import Form, Penalty, resolve
from agents.models.observations import Observations, read_observations
from agents.models.parameters import Markov, Order, check_parameters, state_order
from agents.models.sampling import sample_path
from agents.models.smoothing import expect
from agents.models.starts import starting_models
from agents.models.uncertainty import standard_errors
from protocol.book import Floats, Ints

Kind = Literal["gaussian", "student_t"]
FULL, PENALISED, USUAL = Form(), Penalty(), Effort()
LEAST_PER_STATE = 2


class HMM:
    """A hidden Markov model with Gaussian or Student-t emissions.

    Parameters
    ----------
    states : int
        K.
    emissions : {"student_t", "gaussian"}
    form : Form, optional
        Whether covariances are diagonal and degrees of freedom shared; default: neither.
    penalty : Penalty, optional
        Against degenerate variances, and for regimes that last.
    effort : Effort, optional
        Starts, tolerance and iterations.
    order : {"volatility", "level"}
        How states are numbered, the calmest first: see `agents.models.parameters.state_order`.

    Attributes
    ----------
    parameters_ : Markov
        After `fit`, or set by the user.
    log_likelihood_ : float
        Of the sample fitted to, without penalties.
    smoothed_ : (T, K) ndarray
        Probability of each state given the whole sample fitted to.
    convergence_ : Convergence
        How the fit ended, and how many starts agreed.
    """

    parameters_: Markov
    log_likelihood_: float
    smoothed_: Floats
    convergence_: Convergence

    def __init__(
        self,
        states: int,
        emissions: Kind = "student_t",
        form: Form = FULL,
        penalty: Penalty = PENALISED,
        effort: Effort = USUAL,
        order: Order = "volatility",
    ) -> None:
        if states < 1:
            raise ValueError(f"states >= 1 must hold, got {states}")
        if emissions not in ("gaussian", "student_t"):
            raise ValueError(f"emissions must be gaussian or student_t, got {emissions!r}")
        self.states, self.emissions, self.form = states, emissions, form
        self.penalty, self.effort, self.order = penalty, effort, order

    def fit(self, values: ArrayLike, gaps: ArrayLike | None = None, start: Markov | None = None) -> "HMM":
        """Estimate the parameters by Baum–Welch.

        Parameters
        ----------
        values : (T,) or (T, D) array_like
            NaN where missing.
        gaps : (T,) array_like, optional
            Time since the observation before, in whole steps.
        start : Markov, optional
            The only start, in place of those found from the sample.

        Returns
        -------
        HMM
            Itself.

        Raises
        ------
        ValueError
            If a series does not vary, observations are fewer than twice the states, or a gap is a fraction.
        """
        sample = read_observations(values, gaps)
        self._check_sample(sample)
        prior = resolve(self.penalty, sample, self.states)
        student = self.emissions == "student_t"
        if start is not None:
            check_parameters(start)
        starts = (
            starting_models(sample, self.states, student, self.effort.starts) if start is None else [start]
        )
        climbs = [climb(sample, each, prior, self.form, self.effort) for each in starts]
        best, self.convergence_ = convergence(climbs)
        self.parameters_ = best.parameters.permuted(state_order(best.parameters, self.order))
        self.log_likelihood_ = best.log_likelihood
        self.smoothed_ = expect(sample, self.parameters_).smoothed
        return self

    def score(self, values: ArrayLike, gaps: ArrayLike | None = None) -> float:
        """Log likelihood of a sample."""
        return self.filter(values, gaps).log_likelihood

    def filter(self, values: ArrayLike, gaps: ArrayLike | None = None) -> Filtered:
        """Probabilities of the states given the past alone, and predictive log densities."""
        return filter_states(read_observations(values, gaps), self._known())

    def smooth(self, values: ArrayLike, gaps: ArrayLike | None = None) -> Floats:
        """Probabilities of the states given the whole sample, (T, K): they look ahead."""
        return expect(read_observations(values, gaps), self._known()).smoothed

    def decode(self, values: ArrayLike, gaps: ArrayLike | None = None) -> Path:
        """The most probable path of states given the whole sample."""
        return decode_states(read_observations(values, gaps), self._known())

    def sample(self, count: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
        """Draw observations, (T, D), and the states behind them, (T,)."""
        return sample_path(self._known(), count, rng)

    def standard_errors(self, values: ArrayLike, gaps: ArrayLike | None = None) -> Markov:
        """Standard errors of the parameters fitted to a sample, from the observed information.

        Returns
        -------
        Markov
            NaN where there is none: see `agents.models.uncertainty.standard_errors`.
        """
        return standard_errors(read_observations(values, gaps), self._known(), self.form)

    def _known(self) -> Markov:
        if not hasattr(self, "parameters_"):
            raise ValueError("a model must be fitted, or its parameters_ set, before it is used")
        check_parameters(self.parameters_)
        return self.parameters_

    def _check_sample(self, sample: Observations) -> None:
        if sample.size < LEAST_PER_STATE * self.states:
            rule = f"{self.states} states need at least {LEAST_PER_STATE * self.states} observations"
            raise ValueError(f"{rule}, got {sample.size}")
        if (sample.gaps != np.rint(sample.gaps)).any():
            rule = "a fit needs gaps of whole steps; choose a shorter step"
            raise ValueError(f"{rule}, got {sample.gaps[sample.gaps != np.rint(sample.gaps)][0]}")
