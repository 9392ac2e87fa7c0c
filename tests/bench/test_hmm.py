"""Time of an iteration of Baum–Welch, beside hmmlearn from the same start in one run, and of a filter step.

hmmlearn has its priors off and diagonal covariances. Rounds alternate between the three and the fastest of
each counts. `make bench` prints the table; nothing here is a gate but the equality of the likelihoods.
"""

import time
from typing import Any

import numpy as np
import pytest
from hidden_chains import drawn, planted

from agents.models.baum_welch import improve
from agents.models.emissions import Emissions, emissions
from agents.models.filtering import filter_step
from agents.models.maximisation import UNPENALISED, Form, resolve
from agents.models.observations import read_observations
from agents.models.parameters import Markov
from agents.models.smoothing import expect, work_space
from protocol.book import Floats
from protocol.kernels import kernel

ITERATIONS, ROUNDS, STEPS = 10, 5, 100_000
CASES = [(count, states, series) for count in (10_000, 100_000) for states in (2, 3, 4) for series in (1, 4)]


def diagonal(states: int, series: int) -> Markov:
    """The planted model with independent series."""
    model = planted(states, series)
    return model._replace(scale=model.scale * np.eye(series))


def ours(values: Floats, start: Markov) -> tuple[float, float]:
    """Seconds of an iteration, and the likelihood at the end."""
    sample = read_observations(values)
    prior = resolve(UNPENALISED, sample, start.states)
    work, form, model = work_space(len(values), start.states), Form(diagonal=True), start
    begin = time.perf_counter()
    for _ in range(ITERATIONS):
        model = improve(sample, model, expect(sample, model, work), prior, form)
    return (time.perf_counter() - begin) / ITERATIONS, expect(sample, model).log_likelihood


def theirs(values: Floats, start: Markov, implementation: str, oracle: Any) -> tuple[float, float]:
    """The same of hmmlearn."""
    model = oracle.GaussianHMM(
        start.states,
        min_covar=0,
        covars_prior=0,
        covars_weight=0,
        init_params="",
        n_iter=ITERATIONS,
        tol=-np.inf,
        implementation=implementation,
    )
    model.startprob_, model.transmat_, model.means_ = start.initial, start.transition, start.mean
    model.n_features, model.covars_ = start.series, np.einsum("kii->ki", start.scale)
    begin = time.perf_counter()
    model.fit(values)
    return (time.perf_counter() - begin) / ITERATIONS, model.score(values)


def test_an_iteration_against_hmmlearn(capsys: pytest.CaptureFixture[str]) -> None:
    oracle = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is not installed: pip install hmmlearn")
    lines = ["", "      T  K  D | ours, ms | scaling, times ours | log (default), times ours"]
    for count, states, series in CASES:
        start = diagonal(states, series)
        values, _ = drawn(start, count, "bench")
        ours(values, start)
        runs = [
            (ours(values, start), *(theirs(values, start, each, oracle) for each in ("scaling", "log")))
            for _ in range(ROUNDS)
        ]
        mine, scaling, log = (min(each[0] for each in column) for column in zip(*runs, strict=True))
        ratios = f"{1e3 * mine:8.3f} | {scaling / mine:19.1f} | {log / mine:25.1f}"
        lines.append(f"{count:7,} {states:2} {series:2} | {ratios}")

        assert runs[0][0][1] == pytest.approx(runs[0][1][1], rel=1e-8)
    with capsys.disabled():
        print("\n".join(lines))


@kernel
def follow(values: Floats, probability: Floats, transition: Floats, law: Emissions, work: Floats) -> float:
    """Lead the filter through a sample, one step at a time."""
    total = 0.0
    for t in range(len(values)):
        total += filter_step(probability, values[t], transition, law, work)
    return total


@pytest.mark.parametrize("degrees", [np.inf, 5.0])
def test_a_step_of_the_filter(degrees: float, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["", f"states  ns per observation ({'gaussian' if np.isinf(degrees) else 'student_t'})"]
    for states in (2, 3, 4):
        model = planted(states, degrees=degrees)
        values, _ = drawn(model, STEPS, "stream")
        law, work = emissions(model, np.ones((1, 1), bool)), np.empty((2, states))
        seconds = []
        for _ in range(ROUNDS + 1):
            probability, begin = model.initial.copy(), time.perf_counter()
            follow(values, probability, model.transition, law, work)
            seconds.append(time.perf_counter() - begin)
        lines.append(f"{states:6}  {1e9 * min(seconds) / STEPS:.1f}")

        assert probability.sum() == pytest.approx(1)
    with capsys.disabled():
        print("\n".join(lines))
