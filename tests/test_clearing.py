"""Clearing vectors: examples worked by hand, a linear programme as oracle, and the laws of the theory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from analysis.clearing import Clearing, clear
from sim.streams import stream

CHAIN = np.array([[0.0, 10.0, 0.0], [0.0, 0.0, 10.0], [0.0, 0.0, 0.0]])
RING = np.array([[0.0, 8.0, 2.0], [4.0, 0.0, 4.0], [3.0, 3.0, 0.0]])


def network(seed: int, size: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random debts, assets and debts outside; everybody has something."""
    draw = stream(seed, "network")
    liabilities = draw.exponential(5.0, (size, size)) * (draw.random((size, size)) < 0.6)
    np.fill_diagonal(liabilities, 0.0)
    return liabilities, draw.exponential(6.0, size) + 0.01, draw.exponential(3.0, size)


def programme(liabilities: np.ndarray, assets: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The greatest clearing vector as the solution of Eisenberg and Noe's linear programme (lemma 4)."""
    owed = liabilities.sum(axis=1) + outside
    shares = liabilities / owed[:, None]
    found = linprog(
        -np.ones(len(owed)),
        np.eye(len(owed)) - shares.T,
        assets,
        bounds=list(zip(0 * owed, owed, strict=True)),
    )
    return found.x


def test_a_chain_passes_a_loss_down_to_who_owes_nothing() -> None:
    """A has 4 and owes B 10, B has 3 and owes C 10: A pays 4, B pays 7, C gets 7."""
    found = clear(CHAIN, np.array([4.0, 3.0, 1.0]))

    np.testing.assert_allclose(found.paid, [4.0, 7.0, 0.0])
    np.testing.assert_allclose(found.equity, [0.0, 0.0, 8.0])
    assert found.defaulted.tolist() == [True, True, False]
    assert found.wave.tolist() == [0, 1, -1]
    assert found.shortfall == pytest.approx(9.0)


def test_two_that_owe_each_other_are_solved_together() -> None:
    """x = 2 + y/2 and y = 1 + x/2 with 10 owed by each, half of it outside: x = 10/3, y = 8/3."""
    liabilities = np.array([[0.0, 5.0], [5.0, 0.0]])

    found = clear(liabilities, np.array([2.0, 1.0]), np.array([5.0, 5.0]))

    np.testing.assert_allclose(found.paid, [10 / 3, 8 / 3])


def test_a_ring_of_three_by_hand() -> None:
    """A owes 10 and has 1, B owes 8 and has 6, C owes 6 and has 6; B and C pay in full.

    A gets 4 from B and 3 from C: it pays 8 of 10, so B gets 6.4 and C 1.6.
    """
    found = clear(RING, np.array([1.0, 6.0, 6.0]))

    np.testing.assert_allclose(found.paid, [8.0, 8.0, 6.0])
    np.testing.assert_allclose(found.equity, [0.0, 6 + 6.4 + 3 - 8, 6 + 1.6 + 4 - 6])


def test_costs_of_bankruptcy_pull_down_who_would_have_stood() -> None:
    """Half of everything is lost in a default: A pays 4 of 10, so B, with 7 and 4 against 12, fails as well.

    Without costs A pays 8 and B, with 15, pays its 12.
    """
    liabilities = np.array([[0.0, 10.0, 0.0], [0.0, 0.0, 12.0], [0.0, 0.0, 0.0]])
    assets = np.array([8.0, 7.0, 0.0])

    sound, costly = clear(liabilities, assets), clear(liabilities, assets, recovery=(0.5, 0.5))

    np.testing.assert_allclose(sound.paid, [8.0, 12.0, 0.0])
    np.testing.assert_allclose(costly.paid, [4.0, 5.5, 0.0])
    assert costly.wave.tolist() == [0, 1, -1]


def test_assets_and_claims_may_be_worth_different_shares_in_a_default() -> None:
    """B in default keeps all of its 3 and a quarter of the 4 that A pays."""
    found = clear(CHAIN, np.array([4.0, 3.0, 0.0]), recovery=(1.0, 0.25))

    np.testing.assert_allclose(found.paid, [4.0, 4.0, 0.0])


@pytest.mark.parametrize("seed", range(12))
def test_the_vector_solves_the_linear_programme(seed) -> None:
    liabilities, assets, outside = network(seed)

    found = clear(liabilities, assets, outside)

    np.testing.assert_allclose(found.paid, programme(liabilities, assets, outside), atol=1e-7)


def test_the_programmes_cover_defaults_in_several_waves() -> None:
    waves = [clear(*network(seed)).wave.max() for seed in range(12)]

    assert min(waves) <= 0
    assert max(waves) >= 1


def value(found: Clearing, shares: np.ndarray, assets: np.ndarray) -> np.ndarray:
    """What each has to pay with."""
    return assets + found.paid @ shares


@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_nobody_pays_more_than_owed_or_had_and_nothing_is_lost_without_costs(seed, alpha, beta) -> None:
    liabilities, assets, outside = network(seed)
    costly, sound = clear(liabilities, assets, outside, (alpha, beta)), clear(liabilities, assets, outside)
    shares = liabilities / sound.owed[:, None]

    for found in (costly, sound):
        assert (found.paid <= found.owed * (1 + 1e-9)).all()
        assert (found.paid <= value(found, shares, assets) + 1e-9).all()
        np.testing.assert_allclose(found.paid[~found.defaulted], found.owed[~found.defaulted])
    assert (costly.paid <= sound.paid + 1e-9).all()
    beyond = sound.paid - sound.paid * shares.sum(axis=1)
    assert sound.equity.sum() + beyond.sum() == pytest.approx(assets.sum())


@given(st.integers(0, 10_000), st.integers(0, 5), st.floats(0.0, 20.0))
def test_more_assets_never_lower_a_payment(seed, who, more) -> None:
    liabilities, assets, outside = network(seed)
    richer = assets.copy()
    richer[who] += more

    poor, rich = clear(liabilities, assets, outside), clear(liabilities, richer, outside)

    assert (rich.paid >= poor.paid - 1e-9).all()
    assert (rich.equity >= poor.equity - 1e-9).all()


@pytest.mark.parametrize("seed", range(6))
def test_from_above_and_from_below_one_arrives_at_the_same_vector(seed) -> None:
    """Everybody has something outside, so the vector is unique (Eisenberg and Noe, theorem 2)."""
    liabilities, assets, outside = network(seed)
    found = clear(liabilities, assets, outside)
    shares = liabilities / found.owed[:, None]
    for start in (np.zeros_like(assets), found.owed):
        paid = start
        for _ in range(5_000):
            paid = np.minimum(found.owed, assets + paid @ shares)

        np.testing.assert_allclose(paid, found.paid, atol=1e-7)


def test_without_debts_nobody_defaults() -> None:
    found = clear(np.zeros((3, 3)), np.array([0.0, 1.0, 2.0]))

    assert not found.defaulted.any()
    np.testing.assert_array_equal(found.equity, [0.0, 1.0, 2.0])


def test_in_a_circle_without_assets_the_most_circulates_that_can() -> None:
    """A owes B 2, B owes A 3, and neither has anything: any payment up to 2 clears, 2 is the greatest."""
    found = clear(np.array([[0.0, 2.0], [3.0, 0.0]]), np.zeros(2))

    np.testing.assert_allclose(found.paid, [2.0, 2.0])
    assert found.defaulted.tolist() == [False, True]


@pytest.mark.parametrize(
    ("liabilities", "assets", "recovery", "message"),
    [
        (-CHAIN, np.ones(3), (1.0, 1.0), "at least 0, got -10"),
        (CHAIN, -np.ones(3), (1.0, 1.0), "at least 0, got -1"),
        (np.eye(3), np.ones(3), (1.0, 1.0), "nobody owes to themselves"),
        (CHAIN, np.ones(3), (1.2, 1.0), r"within 0 and 1, got \(1.2, 1.0\)"),
    ],
)
def test_what_makes_no_sense_is_refused(liabilities, assets, recovery, message) -> None:
    with pytest.raises(ValueError, match=message):
        clear(liabilities, assets, recovery=recovery)
