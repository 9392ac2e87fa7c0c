"""What models know of worlds whose regimes are known; `make bench` prints the tables of docs/regimes.md."""

import numpy as np
import pytest
from hidden_chains import drawn
from hidden_evidence import (
    KINDS,
    RATIOS,
    TESTED,
    TRAINED,
    brier,
    chosen,
    detection,
    deviations,
    knowledge,
    rand_index,
    world,
)

from agents.models.decoding import decode_states
from agents.models.hmm import Kind
from agents.models.observations import read_observations

SEEDS = 20
MOST_WORSE = {2.0: 1.2, 3.0: 1.2, 4.0: 1.3}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("degrees", [np.inf, 5.0])
def test_parameters_lie_within_their_standard_errors_as_often_as_they_should(degrees: float) -> None:
    """180 numbers: 0.5 beyond three errors are expected, and a mean square of 1 give or take 0.11."""
    away = deviations(degrees, 30)

    assert (np.abs(away) >= 3).sum() <= 4
    assert 0.65 < np.mean(away**2) < 1.4


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [np.inf, 5.0])
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_filter_knows_nearly_what_can_be_known(ratio: float, degrees: float) -> None:
    found = knowledge(ratio, degrees, 10)

    assert found.best - 0.002 < found.brier < (1.15 if ratio < 2 else 1.05) * found.best
    assert found.brier < 0.9 * found.base
    assert found.index > 0.9 * found.best_index
    if ratio >= 2:
        assert found.holed < MOST_WORSE[ratio] * found.brier
        assert found.holed < 1.1 * found.best_holed


def test_a_filter_of_shuffled_values_knows_nothing() -> None:
    """The negative control: scores no better than the base rate's, and groups as by chance."""
    truth = world(3.0)
    values, states = drawn(truth, TRAINED + TESTED, "shuffled")
    values = values[np.argsort(np.sin(1e4 * np.arange(len(values))))]
    later = states[TRAINED:]
    path = decode_states(read_observations(values), truth).states[TRAINED:]

    assert brier(truth, values, states) > later.mean() * (1 - later.mean())
    assert abs(rand_index(path, later)) < 0.05


def test_the_rand_index_is_that_of_a_table_by_hand() -> None:
    """Six things in two groups of three, of which one is misplaced: 4 pairs agree, 3.2 by chance."""
    one, other = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1])

    assert rand_index(one, one) == 1
    assert rand_index(one, 1 - one) == 1
    assert rand_index(one, other) == pytest.approx((4 - 6 * 7 / 15) / ((6 + 7) / 2 - 6 * 7 / 15))


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [np.inf, 5.0])
def test_switches_are_found_sooner_the_larger_they_are(degrees: float) -> None:
    found = [detection(ratio, degrees) for ratio in RATIOS]
    alarms, delay = (np.array([each[i] for each in found]) for i in (0, 1))

    assert (np.diff(alarms, axis=1) < 0).all()
    assert (np.diff(alarms[:, 0]) < 0).all()
    assert (np.diff(delay, axis=0) <= 0).all()
    assert (np.diff(delay, axis=1) >= 0).all()
    assert (delay[1:, 1] <= 8).all()
    assert (alarms[:, 1] < 8).all()


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_states_of_a_world_with_one_are_vetoed(kind: Kind) -> None:
    """At most one false alarm in twenty worlds."""
    assert chosen(1.0, kind, SEEDS) <= 0.05


@pytest.mark.slow
def test_two_states_of_a_world_with_two_are_found() -> None:
    assert chosen(3.0, "student_t", 5) == 1
