"""DebtRank in both forms: examples worked by hand, and the laws that hold in every network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.debt_rank import debt_rank, induced_loss, linear_debt_rank
from sim.streams import stream

EQUITY = np.array([10.0, 10.0, 10.0])
CHAIN = np.array([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
RING = np.array([[0.0, 0.0, 5.0], [5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])


def shock(*shares: float) -> np.ndarray:
    return np.array(shares)


def network(seed: int, size: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Random exposures and equities."""
    draw = stream(seed, "exposures")
    exposures = draw.exponential(2.0, (size, size)) * (draw.random((size, size)) < 0.5)
    np.fill_diagonal(exposures, 0.0)
    return exposures, draw.exponential(8.0, size) + 0.5


@pytest.mark.parametrize("rank", [debt_rank, linear_debt_rank])
def test_a_chain_passes_on_a_share_of_a_share(rank) -> None:
    """B loses half of what A has lost, C four tenths of what B has lost."""
    np.testing.assert_allclose(rank(CHAIN, EQUITY, shock(1, 0, 0)), [1.0, 0.5, 0.2])
    np.testing.assert_allclose(rank(CHAIN, EQUITY, shock(0.4, 0, 0)), [0.4, 0.2, 0.08])


def test_in_a_ring_the_first_form_stops_and_the_linear_form_goes_round() -> None:
    """A shock of 0.4: B 0.2, C 0.1, and A 0.05 more, which only the linear form passes on, to 1/(1 − 1/8)."""
    np.testing.assert_allclose(debt_rank(RING, EQUITY, shock(0.4, 0, 0)), [0.45, 0.2, 0.1])
    np.testing.assert_allclose(
        linear_debt_rank(RING, EQUITY, shock(0.4, 0, 0)), np.array([0.4, 0.2, 0.1]) * 8 / 7
    )


def test_a_bank_hit_twice_passes_on_only_the_first_loss_in_the_first_form() -> None:
    """C is exposed to A and to B, B to A, and D to C: the loss that comes through B is late."""
    exposures = np.zeros((4, 4))
    exposures[1, 0], exposures[2, 0], exposures[2, 1], exposures[3, 2] = 5.0, 2.0, 4.0, 5.0

    first = debt_rank(exposures, np.full(4, 10.0), shock(1, 0, 0, 0))
    linear = linear_debt_rank(exposures, np.full(4, 10.0), shock(1, 0, 0, 0))

    np.testing.assert_allclose(first, [1.0, 0.5, 0.4, 0.1])
    np.testing.assert_allclose(linear, [1.0, 0.5, 0.4, 0.2])


def test_nobody_loses_more_than_everything_and_a_bankrupt_passes_on_no_more() -> None:
    """B is exposed by three times its equity: it is gone at a third of A's loss, and passes on one whole."""
    exposures = np.array([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0], [0.0, 5.0, 0.0]])

    np.testing.assert_allclose(linear_debt_rank(exposures, EQUITY, shock(0.5, 0, 0)), [0.5, 1.0, 0.5])
    np.testing.assert_allclose(debt_rank(exposures, EQUITY, shock(0.5, 0, 0)), [0.5, 0.5, 0.25])


@pytest.mark.parametrize("rank", [debt_rank, linear_debt_rank])
def test_without_exposures_there_is_no_contagion(rank) -> None:
    start = shock(0.3, 0.0, 1.0)

    found = rank(np.zeros((3, 3)), EQUITY, start)

    np.testing.assert_array_equal(found, start)
    assert induced_loss(found, start, EQUITY) == 0.0


def test_the_rank_is_the_loss_beyond_the_shock() -> None:
    """Of 30 in all, B loses 5 and C 2 that A's bankruptcy did not take itself."""
    start = shock(1, 0, 0)

    assert induced_loss(debt_rank(CHAIN, EQUITY, start), start, EQUITY) == pytest.approx(7 / 30)


@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_losses_lie_within_shock_and_everything_and_the_linear_form_is_never_less(seed, size) -> None:
    exposures, equity = network(seed)
    start = np.zeros(len(equity))
    start[0] = size

    first, linear = debt_rank(exposures, equity, start), linear_debt_rank(exposures, equity, start)

    assert (first >= start).all()
    assert (first <= 1).all()
    assert (linear >= first - 1e-9).all()
    assert (linear <= 1).all()


@given(st.integers(0, 10_000), st.floats(0.0, 0.9), st.floats(0.0, 0.1), st.floats(1.0, 3.0))
def test_a_larger_shock_or_exposure_never_lowers_a_loss(seed, size, more, factor) -> None:
    exposures, equity = network(seed)
    start, larger = np.zeros((2, len(equity)))
    start[0], larger[0] = size, size + more
    loss = linear_debt_rank(exposures, equity, start)

    assert (linear_debt_rank(exposures, equity, larger) >= loss - 1e-9).all()
    assert (linear_debt_rank(exposures * factor, equity, start) >= loss - 1e-9).all()


def test_who_has_nothing_loses_nothing_and_nonsense_is_refused() -> None:
    np.testing.assert_allclose(debt_rank(CHAIN, np.array([10.0, 0.0, 10.0]), shock(1, 0, 0)), [1, 0, 0])

    with pytest.raises(ValueError, match="at least 0, got -5"):
        debt_rank(-CHAIN, EQUITY, shock(1, 0, 0))
    with pytest.raises(ValueError, match="within 0 and 1"):
        linear_debt_rank(CHAIN, EQUITY, shock(2, 0, 0))


def test_losses_that_do_not_settle_say_so() -> None:
    with pytest.raises(ValueError, match="within 3 rounds"):
        linear_debt_rank(RING, EQUITY, shock(0.4, 0, 0), rounds=3)
