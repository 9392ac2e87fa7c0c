"""Baum–Welch: expectation and maximisation in turn, from several starts, with an honest report."""

from typing import Literal, NamedTuple

import numpy as np

from agents.models.maximisation import Form, Prior, expected_moves, log_prior, maximise
from agents.models.observations import Observations
from agents.models.parameters import Markov
from agents.models.smoothing import Expectation, expect, moments, work_space
from protocol.book import Floats

Reason = Literal["converged", "iterations", "fell", "degenerate"]
ROUNDING = 1e-8
AGREEMENT = 1.0


class Effort(NamedTuple):
    """How long to search.

    Attributes
    ----------
    starts : int
        How many starts to make.
    tolerance : float
        Stop when an iteration raises the penalised log likelihood by less than this share of it.
    iterations : int
        At most, from each start.
    """

    starts: int = 8
    tolerance: float = 1e-6
    iterations: int = 300


class Ascent(NamedTuple):
    """One climb of the penalised log likelihood.

    Attributes
    ----------
    parameters : Markov
        The best ones met.
    log_likelihood : float
        Of the sample at them, without penalties.
    history : (n,) float64
        Penalised log likelihood at the start and after each iteration.
    reason : {"converged", "iterations", "fell", "degenerate"}
        Why it ended; "fell": an iteration lowered it, beyond rounding; "degenerate": it or a scale was
        no number.
    """

    parameters: Markov
    log_likelihood: float
    history: Floats
    reason: Reason

    @property
    def objective(self) -> float:
        """Penalised log likelihood of the parameters; −∞ if the climb broke down."""
        return float(self.history.max()) if self.reason != "degenerate" else -np.inf

    @property
    def change(self) -> float:
        """What the last iteration added, as a share of the penalised log likelihood."""
        if len(self.history) < 2:
            return float("nan")
        return float((self.history[-1] - self.history[-2]) / max(1.0, abs(self.history[-1])))


class Convergence(NamedTuple):
    """What a fit may claim.

    Attributes
    ----------
    reason : {"converged", "iterations", "fell", "degenerate"}
        Why the best climb ended.
    iterations : int
    change : float
        Of its last iteration, as a share of the penalised log likelihood.
    objective : (s,) float64
        Penalised log likelihood that each start reached, in the order of the starts; −∞ where it broke down.
    agreeing : float
        Share of the starts that came within 1 nat of the best.
    """

    reason: Reason
    iterations: int
    change: float
    objective: Floats
    agreeing: float

    @property
    def converged(self) -> bool:
        """Whether the best climb ended because it had arrived."""
        return self.reason == "converged"


def climb(sample: Observations, start: Markov, prior: Prior, form: Form, effort: Effort) -> Ascent:
    """Iterate from one start; the penalised log likelihood never falls, or the climb ends and says so."""
    work = work_space(len(sample.values), start.states)
    best, parameters, history = Ascent(start, -np.inf, np.empty(0), "degenerate"), start, []
    while True:
        try:
            found = expect(sample, parameters, work)
        except np.linalg.LinAlgError:
            return best._replace(reason="degenerate")
        objective = found.log_likelihood + log_prior(parameters, prior)
        if not np.isfinite(objective):
            return best._replace(reason="degenerate")
        history.append(objective)
        reason = verdict(history, effort)
        if reason == "fell":
            return best._replace(history=np.array(history), reason=reason)
        best = Ascent(parameters, found.log_likelihood, np.array(history), reason or "iterations")
        if reason or len(history) > effort.iterations:
            return best
        parameters = improve(sample, parameters, found, prior, form)


def improve(sample: Observations, parameters: Markov, found: Expectation, prior: Prior, form: Form) -> Markov:
    """One maximisation step from what the expectation step found at the parameters."""
    sums = moments(sample, parameters, found.smoothed, form.diagonal)
    mean, scale, degrees = maximise(parameters, sample, sums, prior, form)
    counts = expected_moves(parameters.transition, sample.gaps, found.transitions) + prior.moves
    rows = counts.sum(axis=1, keepdims=True)
    transition = np.divide(counts, rows, out=parameters.transition.copy(), where=rows > 0)
    initial = found.smoothed[0] / found.smoothed[0].sum()
    return Markov(initial, transition, mean, scale, degrees)


def verdict(history: list[float], effort: Effort) -> Reason | None:
    """Why to stop after the last of these penalised log likelihoods, if at all."""
    if len(history) < 2:
        return None
    size = max(1.0, abs(history[-1]))
    change = (history[-1] - history[-2]) / size
    if change < -ROUNDING:
        return "fell"
    return "converged" if change < effort.tolerance else None


def convergence(climbs: list[Ascent]) -> tuple[Ascent, Convergence]:
    """The best of several climbs, and the report.

    Raises
    ------
    ValueError
        If every climb broke down.
    """
    objective = np.array([each.objective for each in climbs])
    best = climbs[int(np.argmax(objective))]
    if not np.isfinite(best.objective):
        raise ValueError(f"a climb must end at a maximum, and all {len(climbs)} broke down; add a penalty")
    agreeing = float((objective > best.objective - AGREEMENT).mean())
    return best, Convergence(best.reason, len(best.history) - 1, best.change, objective, agreeing)
