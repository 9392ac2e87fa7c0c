"""The number of states: what was planted, and one where nothing is hidden."""

import numpy as np
import pytest
from hidden_chains import drawn, planted

from agents.models.baum_welch import Effort
from agents.models.hmm import HMM
from agents.models.selection import Veto, choose_states, free_parameters, held_out, regime_faults

EFFORT = Effort(starts=4, tolerance=1e-6, iterations=150)


def gaussian(states: int) -> HMM:
    return HMM(states, "gaussian", effort=EFFORT)


@pytest.mark.parametrize("states", [1, 2, 3])
def test_the_planted_number_is_chosen(states: int) -> None:
    """One state is the negative control: independent Gaussian numbers hide nothing."""
    values, _ = drawn(planted(states, stay=0.98), 3000, "choice", states)

    assert choose_states(values, gaussian).states == states


def test_heavy_tails_alone_are_no_regimes() -> None:
    """Independent Student-t numbers: Gaussian states imitate the tails, and the veto on dwell strikes."""
    values, _ = drawn(planted(1, degrees=4.0), 2000, "tails")
    choice = choose_states(values, gaussian, (1, 2, 3))

    assert choice.states == 1
    assert choice.candidates[2].bic < choice.candidates[1].bic
    assert any("mean stay" in fault for fault in choice.candidates[2].vetoes)


def test_a_fold_is_predicted_by_a_model_that_has_not_seen_it() -> None:
    values, _ = drawn(planted(2), 600, "folds")
    edges = np.array([300, 450, 600])
    inside, after = values.copy(), values.copy()
    inside[301:450] *= 5
    after[450:] *= 5
    known, changed, later = (held_out(each, gaussian, 2, edges) for each in (values, inside, after))

    assert len(known) == 300
    assert changed[0] == known[0]
    np.testing.assert_array_equal(later[:150], known[:150])
    assert later[160] != known[160]


def test_parameters_are_counted() -> None:
    for kind, series, expected in (("gaussian", 1, 14), ("student_t", 1, 17), ("gaussian", 2, 23)):
        model = HMM(3, kind)
        model.parameters_ = planted(3, series)
        assert free_parameters(model) == expected


@pytest.mark.parametrize(
    ("veto", "fault"),
    [
        (Veto(dwell=30), "a mean stay of 25.0 steps"),
        (Veto(occupancy=0.6), "an occupancy of 0.500"),
        (Veto(ratio=2.5), "a ratio of volatilities of 2.00"),
    ],
)
def test_each_rule_can_veto(veto: Veto, fault: str) -> None:
    model = HMM(2, "gaussian")
    model.parameters_ = planted(2)

    assert regime_faults(model, np.array([0.5, 0.5]), Veto()) == ()
    assert regime_faults(model, np.array([0.5, 0.5]), veto) == (fault,)


def test_one_state_must_be_a_candidate() -> None:
    with pytest.raises(ValueError, match=r"candidates must be positive and hold 1, got \[2, 3\]"):
        choose_states(np.arange(100.0), gaussian, (2, 3))
