"""Time of an iteration of Baum–Welch, beside hmmlearn from the same start in one run, and of a filter step.

hmmlearn has its priors off and diagonal covariances. Rounds alternate between the three, and medians count:
of the times and of the ratios within a round. Times are processor time of the thread, which a busy machine
disturbs least. `make bench` prints the table; nothing here is a gate but the equality of the likelihoods.
"""

import time
from typing import Any

import numpy as np
import pytest
from hidden_chains import drawn, planted

from agents.models.baum_welch import Effort, improve
from agents.models.emissions import Emissions, emissions
from agents.models.filtering import filter_step
from agents.models.hmm import HMM, Kind
from agents.models.maximisation import UNPENALISED, Form, resolve
from agents.models.observations import read_observations
from agents.models.online import OnlineHMM
from agents.models.parameters import Markov
from agents.models.smoothing import expect, work_space
from protocol.book import Floats
from protocol.kernels import kernel

ITERATIONS, ROUNDS, STEPS = 10, 7, 100_000
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
    begin = time.thread_time()
    for _ in range(ITERATIONS):
        model = improve(sample, model, expect(sample, model, work), prior, form)
    return (time.thread_time() - begin) / ITERATIONS, expect(sample, model).log_likelihood


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
    begin = time.thread_time()
    model.fit(values)
    return (time.thread_time() - begin) / ITERATIONS, model.score(values)


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
        seconds = np.array([[each[0] for each in row] for row in runs])
        scaling, log = np.median(seconds[:, 1:] / seconds[:, :1], axis=0)
        ratios = f"{1e3 * np.median(seconds[:, 0]):8.3f} | {scaling:19.1f} | {log:25.1f}"
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
            probability, begin = model.initial.copy(), time.thread_time()
            follow(values, probability, model.transition, law, work)
            seconds.append(time.thread_time() - begin)
        lines.append(f"{states:6}  {1e9 * np.median(seconds[1:]) / STEPS:.1f}")

        assert probability.sum() == pytest.approx(1)
    with capsys.disabled():
        print("\n".join(lines))


@pytest.mark.parametrize("kind", ["gaussian", "student_t"])
def test_learning_from_an_observation(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["", f"states series  us per observation, in batches and one by one ({kind})"]
    for states, series in ((2, 1), (3, 1), (3, 4)):
        values, _ = drawn(planted(states, series, degrees=5.0), 3000, "online")
        model = HMM(states, kind, effort=Effort(starts=2, iterations=50)).fit(values)
        seconds = []
        for _ in range(ROUNDS):
            online, begin = OnlineHMM(model, values), time.thread_time()
            online.update(values)
            middle = time.thread_time()
            for row in values[:500]:
                online.update(row[None])
            seconds.append(((middle - begin) / 3000, (time.thread_time() - middle) / 500))
        batch, single = 1e6 * np.median(seconds, axis=0)
        lines.append(f"{states:6} {series:6}  {batch:.1f}, {single:.1f}")
    with capsys.disabled():
        print("\n".join(lines))
