"""Voting power: its checkpoints, and what power was at any past moment."""

import numpy as np
import pytest
from chamber import tokens_of
from venue import integers

from protocol.governance.tokens import LARGEST_SUPPLY, NOBODY, Tokens


def test_tokens_vote_through_their_delegate_and_undelegated_ones_do_not_vote() -> None:
    tokens = Tokens(integers(5, 7, 11, 13), integers(0, 0, NOBODY, 2))

    assert tokens.power.tolist() == [12, 0, 13, 0]
    assert tokens.supply == 36


def test_a_transfer_moves_power_between_delegates_and_not_the_supply() -> None:
    tokens = Tokens(integers(5, 7, 11), integers(2, 1, NOBODY))
    tokens.transfer(0, 1, 4, 1.0)
    tokens.transfer(1, 2, 10, 2.0)

    assert tokens.balances.tolist() == [1, 1, 21]
    assert tokens.power.tolist() == [0, 1, 1]
    assert tokens.supply == 23


def test_a_transfer_to_oneself_changes_nothing() -> None:
    tokens = tokens_of(1.0)
    tokens.transfer(0, 0, 400_000, 1.0)

    assert (tokens.power_at(0, 1.0), int(tokens.balances[0])) == (1_000_000, 1_000_000)


def test_a_delegate_has_the_power_from_then_on() -> None:
    tokens = Tokens(integers(5, 7), integers(0, 1))
    tokens.delegate(0, 1, 10.0)
    tokens.delegate(1, NOBODY, 20.0)
    tokens.transfer(1, 0, 7, 30.0)

    assert tokens.power_at(1, 30.0) == 12
    assert [tokens.power_at(1, time) for time in (9.0, 10.0, 19.0, 20.0)] == [7, 12, 12, 5]
    assert [tokens.power_at(0, time) for time in (9.0, 10.0)] == [5, 0]


def test_what_moves_at_a_moment_counts_at_it_and_not_before_it() -> None:
    tokens = Tokens(integers(5, 7), integers(0, 1))
    tokens.transfer(1, 0, 7, 10.0)

    assert (tokens.power_before(0, 10.0), tokens.power_at(0, 10.0)) == (5, 12)
    assert tokens.power_before(0, np.nextafter(10.0, 11.0)) == 12
    assert tokens.power_before(0, -np.inf) == 5


def test_a_flash_loan_within_one_moment_leaves_no_trace_in_the_past() -> None:
    tokens = Tokens(integers(5, 1_000), integers(0, 1))
    tokens.transfer(1, 0, 1_000, 10.0)
    during = tokens.power_at(0, 10.0)
    tokens.transfer(0, 1, 1_000, 10.0)

    assert during == 1_005
    assert [tokens.power_before(0, time) for time in (10.0, 10.5)] == [5, 5]
    assert tokens.power_at(0, 10.0) == 5


def test_supply_is_known_at_every_past_moment() -> None:
    tokens = Tokens(integers(5, 7), integers(0, NOBODY))
    tokens.mint(1, 100, 10.0)
    tokens.burn(0, 2, 10.0)
    tokens.burn(1, 7, 20.0)

    assert [tokens.supply_before(time) for time in (0.0, 10.0, 15.0, 20.0, 25.0)] == [12, 12, 110, 110, 103]
    assert tokens.supply == 103
    assert tokens.power.tolist() == [3, 0]


def test_a_deposit_stays_where_it_is_and_goes_on_voting() -> None:
    tokens = Tokens(integers(10, 0), integers(0, 1))
    tokens.lock(0, 6)
    tokens.transfer(0, 1, 4, 1.0)

    assert (tokens.free(0), tokens.power_at(0, 1.0)) == (0, 6)
    for move in (lambda: tokens.transfer(0, 1, 1, 1.0), lambda: tokens.burn(0, 1, 1.0)):
        with pytest.raises(ValueError, match="0 <= amount <= free must hold, got amount=1, free=0"):
            move()
    tokens.lock(0, -6)
    tokens.transfer(0, 1, 6, 2.0)

    assert tokens.balances.tolist() == [0, 10]


@pytest.mark.parametrize("amount", [5, -4])
def test_no_more_is_locked_than_is_free_nor_freed_than_is_locked(amount: int) -> None:
    tokens = Tokens(integers(7), integers(0))
    tokens.lock(0, 3)

    with pytest.raises(ValueError, match=rf"-locked <= amount <= free must hold, got amount={amount}"):
        tokens.lock(0, amount)


@pytest.mark.parametrize("amount", [-1, 6])
def test_nobody_moves_or_burns_what_he_does_not_have(amount: int) -> None:
    tokens = Tokens(integers(5, 7), integers(0, 1))

    with pytest.raises(ValueError, match=rf"got amount={amount}, free=5 \(holder 0\)"):
        tokens.transfer(0, 1, amount, 1.0)
    with pytest.raises(ValueError, match=rf"got amount={amount}, free=5 \(holder 0\)"):
        tokens.burn(0, amount, 1.0)
    assert tokens.balances.tolist() == [5, 7]


@pytest.mark.parametrize("holder", [-1, 2])
def test_a_number_that_is_no_holders_is_refused(holder: int) -> None:
    tokens = Tokens(integers(5, 7), integers(0, 1))
    acts = (
        lambda: tokens.power_before(holder, 1.0),
        lambda: tokens.power_at(holder, 1.0),
        lambda: tokens.transfer(holder, 0, 1, 1.0),
        lambda: tokens.transfer(0, holder, 1, 1.0),
        lambda: tokens.mint(holder, 1, 1.0),
        lambda: tokens.burn(holder, 1, 1.0),
        lambda: tokens.delegate(holder, 0, 1.0),
        lambda: tokens.free(holder),
        lambda: tokens.lock(holder, 0),
    )

    for act in acts:
        with pytest.raises(ValueError, match=f"a holder must be one of 0 to 1, got {holder}"):
            act()


def test_a_delegate_must_be_a_holder_or_nobody() -> None:
    with pytest.raises(ValueError, match="a delegate must be a holder or -1, got 2"):
        Tokens(integers(5, 7), integers(0, 1)).delegate(0, 2, 1.0)


@pytest.mark.parametrize("act", ["transfer", "mint", "burn", "delegate"])
def test_the_past_cannot_be_changed(act: str) -> None:
    tokens = Tokens(integers(5, 7, 9), integers(NOBODY, 1, 2))
    tokens.mint(0, 1, 10.0)
    acts = {
        "transfer": lambda: tokens.transfer(1, 2, 1, 9.0),
        "mint": lambda: tokens.mint(1, 1, 9.0),
        "burn": lambda: tokens.burn(1, 1, 9.0),
        "delegate": lambda: tokens.delegate(1, 2, 9.0),
    }

    with pytest.raises(ValueError, match=r"tokens move in the order of time, got 9.0 after 10.0"):
        acts[act]()
    assert (tokens.balances.tolist(), tokens.power.tolist()) == ([6, 7, 9], [0, 7, 9])


def test_a_supply_that_the_integers_cannot_count_is_refused() -> None:
    tokens = Tokens(integers(LARGEST_SUPPLY - 3), integers(0))
    tokens.mint(0, 3, 1.0)

    with pytest.raises(ValueError, match="supply"):
        tokens.mint(0, 1, 1.0)
    with pytest.raises(ValueError, match=f"supply <= {LARGEST_SUPPLY} must hold, got {2 * 2**62}"):
        Tokens(integers(2**62, 2**62), integers(0, 1))


def test_numbers_out_of_numpy_leave_python_integers_behind() -> None:
    tokens = Tokens(integers(10**15, 0), integers(0, 1))
    tokens.mint(0, np.int64(10**15), 1.0)
    tokens.burn(0, np.int64(1), 2.0)
    tokens.transfer(0, 1, np.int64(5), 3.0)

    assert type(tokens.supply) is int
    assert type(tokens.power_at(1, 3.0)) is int
    assert tokens.supply_before(9.0) * 40_000 // 10**6 == (2 * 10**15 - 1) * 40_000 // 10**6


@pytest.mark.parametrize(
    ("balances", "delegates", "rule"),
    [
        ((1, -2), (0, 1), "balances >= 0 must hold, got -2"),
        ((1, 2), (0,), "delegates must be holders 0 to 1 or -1"),
        ((1, 2), (0, 2), "delegates must be holders 0 to 1 or -1"),
        ((1, 2), (0, -2), "delegates must be holders 0 to 1 or -1"),
    ],
)
def test_an_impossible_opening_is_refused(
    balances: tuple[int, ...], delegates: tuple[int, ...], rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        Tokens(integers(*balances), integers(*delegates))
