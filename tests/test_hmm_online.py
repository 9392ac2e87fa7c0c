"""Online expectation–maximisation: it follows what changed, within its bounds."""

import numpy as np
import pytest
from hidden_chains import drawn, planted

from agents.models.baum_welch import Effort
from agents.models.emissions import emissions
from agents.models.hmm import HMM
from agents.models.maximisation import Form, Penalty, maximise, resolve
from agents.models.observations import read_observations
from agents.models.online import OnlineHMM, Pace
from agents.models.parameters import stationary_law
from agents.models.running import Memory, describe, learn
from agents.models.smoothing import Moments, expect, moments
from protocol.book import Floats


def followed(pace: Pace, later: Floats, degrees: float = np.inf) -> tuple[HMM, OnlineHMM]:
    """A model fitted to 3,000 observations and led through later ones."""
    values, _ = drawn(planted(2, degrees=degrees), 3000, "batch")
    model = HMM(2, "gaussian" if np.isinf(degrees) else "student_t").fit(values)
    online = OnlineHMM(model, values, pace)
    online.update(later)
    return model, online


@pytest.mark.long
@pytest.mark.parametrize("degrees", [np.inf, 5.0])
def test_in_the_same_world_it_stays_near_the_batch_fit(degrees: float) -> None:
    later, _ = drawn(planted(2, degrees=degrees), 3000, "later")
    model, online = followed(Pace(trust=10.0), later, degrees)
    found = online.parameters_

    assert found.volatility == pytest.approx(model.parameters_.volatility, rel=0.2)
    assert np.diagonal(found.transition) == pytest.approx(np.diagonal(model.parameters_.transition), abs=0.03)
    assert not np.array_equal(found.volatility, model.parameters_.volatility)


@pytest.mark.kernel
@pytest.mark.parametrize("degrees", [np.inf, 5.0])
def test_with_equal_weights_its_statistics_are_those_of_the_smoother(degrees: float) -> None:
    """At fixed parameters and steps of 1/t the recursion is exact; the chain is not symmetric."""
    moves = np.array([[0.9, 0.07, 0.03], [0.2, 0.75, 0.05], [0.1, 0.3, 0.6]])
    law = stationary_law(moves)
    model = planted(3, 2, degrees)._replace(transition=moves, initial=law)
    sample = read_observations(drawn(model, 50, "exact")[0])
    density = emissions(model, sample.observed)
    now, after = (Memory(law.copy(), np.zeros((3, 3, 3)), np.zeros((3, 8, 3)), np.empty(3)) for _ in range(2))
    for t, row in enumerate(zip(sample.values, sample.features, strict=True)):
        learn(now, after, (density, moves), row, 1 / (t + 1))
        now, after = after, now
    smoothed = expect(sample, model).smoothed
    found, sums = moments(sample, model, smoothed), 50 * now.sums @ now.probability

    np.testing.assert_allclose(sums[:, 0], found.occupancy[0], rtol=1e-10)
    np.testing.assert_allclose(sums[:, 1], found.tail[0], rtol=1e-10)
    np.testing.assert_allclose(sums[:, 2:], found.weighted[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose((now.pairs @ now.probability).sum(axis=0), smoothed.mean(axis=0), rtol=1e-10)


@pytest.mark.long
def test_it_follows_a_world_that_became_wilder() -> None:
    truth = planted(2)
    later, _ = drawn(truth._replace(scale=2.25 * truth.scale), 6000, "wilder")
    model, free = followed(Pace(trust=10.0), later)
    _, bound = followed(Pace(trust=0.25), later)

    assert free.parameters_.volatility == pytest.approx(1.5 * model.parameters_.volatility, rel=0.15)
    np.testing.assert_allclose(bound.parameters_.volatility / model.parameters_.volatility, np.exp(0.25))


def test_its_filter_is_the_models_while_it_does_not_move() -> None:
    later, _ = drawn(planted(2), 50, "still")
    model, online = followed(Pace(most=1e-12, least=1e-13), later)
    values = drawn(planted(2), 3000, "batch")[0]
    known = model.filter(np.vstack([values, later]))

    np.testing.assert_allclose(online.probability_, known.probability[-1], atol=1e-4)


def test_a_missing_row_moves_the_chain_alone() -> None:
    _, online = followed(Pace(), np.array([0.1]))
    before, probability = online.parameters_, online.probability_.copy()
    increments = online.update(np.array([np.nan]))

    assert increments[0] == 0
    np.testing.assert_allclose(online.probability_, probability @ before.transition, atol=1e-14)
    for now, then in zip(online.parameters_, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_step_falls_to_its_floor_and_never_exceeds_its_cap() -> None:
    values, _ = drawn(planted(2), 300, "pace")
    model = HMM(2, "gaussian").fit(values)
    dwell = model.parameters_.dwell.sum()

    assert OnlineHMM(model, values).step_ == pytest.approx(300**-0.6)
    assert OnlineHMM(model, values, Pace(most=0.01)).step_ == 0.01
    assert OnlineHMM(model, values, Pace(decay=1.0)).step_ == pytest.approx(max(1 / 300, 1 / (8 * dwell)))


def test_states_that_cross_are_put_in_order_with_their_memory() -> None:
    _, online = followed(Pace(), np.array([0.1]))
    memory = [each.copy() for each in online.memory]
    crossed = online.parameters_.permuted(np.array([1, 0]))
    found = online.ordered(crossed)

    assert found.volatility[0, 0] < found.volatility[1, 0]
    np.testing.assert_array_equal(online.memory.probability, memory[0][::-1])
    np.testing.assert_array_equal(online.memory.pairs, memory[1][::-1, ::-1, ::-1])
    np.testing.assert_array_equal(online.memory.sums, memory[2][::-1, :, ::-1])


@pytest.mark.parametrize("pace", [Pace(decay=0.4), Pace(most=0.0), Pace(trust=-1.0)])
def test_a_pace_without_sense_is_refused(pace: Pace) -> None:
    values, _ = drawn(planted(2), 300, "pace")
    model = HMM(2, "gaussian").fit(values)

    with pytest.raises(ValueError, match=r"0\.5 < decay <= 1, 0 < most < 1 and trust >= 0 must hold"):
        OnlineHMM(model, values, pace)


def test_scales_below_the_floor_are_lifted_on_the_way() -> None:
    """Calm that is ten times calmer than any before: the floor holds, and the trust region is far away."""
    values, _ = drawn(planted(2, 2), 1000, "floor")
    model = HMM(2, "gaussian", penalty=Penalty(variance=0.0, floor=0.5)).fit(values)
    online = OnlineHMM(model, values, Pace(trust=10.0))
    online.update(1e-2 * drawn(planted(2, 2), 1000, "calmer")[0])
    floor = np.sqrt(resolve(model.penalty, read_observations(values), 2).floor)
    unit = online.parameters_.scale / np.outer(floor, floor)

    assert np.linalg.eigvalsh(unit).min() == pytest.approx(1)


def test_states_cross_in_the_midst_of_a_batch_as_one_by_one() -> None:
    """The calm state becomes the wild one; rows learnt together or singly give the same model."""
    values, _ = drawn(planted(2), 1000, "cross")
    level = HMM(2, "gaussian", order="level").fit(values)
    later = drawn(planted(2)._replace(mean=np.array([[6.0], [-6.0]])), 1500, "crossed")[0]
    whole, single = (OnlineHMM(level, values, Pace(trust=10.0, least=0.05)) for _ in range(2))
    whole.update(later)
    for row in later:
        single.update(row[None])
        assert np.diff(single.parameters_.mean[:, 0]) > 0

    for one, other in zip(whole.parameters_, single.parameters_, strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.parameters_.volatility[0, 0] > whole.parameters_.volatility[1, 0]


def test_parameters_taken_out_do_not_move() -> None:
    _, online = followed(Pace(), np.array([0.1]))
    before = online.parameters_
    scale = before.scale.copy()
    online.update(np.array([5.0, -5.0]))

    np.testing.assert_array_equal(before.scale, scale)
    assert not np.array_equal(online.parameters_.scale, scale)


@pytest.mark.parametrize(
    ("values", "rule"),
    [([[1.0, 2.0]], r"rows must hold 1 series, got the shape \(1, 2\)"), ([np.inf], "must not be infinite")],
)
def test_rows_that_do_not_fit_are_refused(values: list[float], rule: str) -> None:
    _, online = followed(Pace(), np.array([0.1]))

    with pytest.raises(ValueError, match=rule):
        online.update(values)


@pytest.mark.kernel
def test_features_of_a_row_are_those_of_a_sample() -> None:
    sample = read_observations(drawn(planted(2, 4), 3, "features")[0])
    found = np.empty_like(sample.features)
    for value, out in zip(sample.values, found, strict=True):
        describe(value, sample.centre, out)

    np.testing.assert_array_equal(found, sample.features)


@pytest.mark.kernel
@pytest.mark.parametrize("degrees", [np.inf, 5.0])
@pytest.mark.parametrize("form", [Form(), Form(diagonal=True), Form(shared_degrees=True)])
def test_a_step_is_the_maximisation_of_a_batch(degrees: float, form: Form) -> None:
    """Parameters after an observation are those that `maximise` finds in the running statistics."""
    values, _ = drawn(planted(2, 2, degrees), 1000, "step")
    model = HMM(2, "gaussian" if np.isinf(degrees) else "student_t", form, effort=Effort(2)).fit(values)
    online = OnlineHMM(model, values)
    before = online.parameters_
    online.update(values[:1])
    statistics = online.memory.sums, online.memory.pairs
    sums, pairs = (each @ online.probability_ / online.step_ for each in statistics)
    found = Moments(sums[None, :, 0], sums[None, :, 1], sums[None, :, 2:])
    expected = maximise(before, read_observations(values), found, online.prior, form)
    moves = pairs + online.prior.moves

    for one, other in zip(online.parameters_[2:], expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    moves /= moves.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(online.parameters_.transition, moves, rtol=1e-12)
    assert not np.array_equal(before.scale, online.parameters_.scale)
