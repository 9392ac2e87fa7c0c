"""What roles share: the view, cash moves, hedges, and random awakenings."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from small import calm, opened, showing, sight
from venue import integers

from agents.role import (
    DEPOSIT,
    SELL_SHARES,
    WITHDRAW,
    Role,
    hedge_toward,
    holdable,
    merge_transfers,
    transfers,
)
from protocol.book import VAULT
from sim.model import Model
from sim.streams import stream


@pytest.fixture
def model() -> Iterator[Model]:
    with opened(calm()) as model:
        yield model


def crowd(model: Model, accounts: int) -> Role:
    return Role(model, np.arange(accounts), partial(stream, 1))


def test_a_transaction_costs_its_gas(model: Model) -> None:
    assert sight(model, gas_price=40.0).transaction_cost() == pytest.approx(12e6)


def test_inclusion_is_the_ratio_of_the_bid_to_gas(model: Model) -> None:
    assert sight(model, gas=40.0, gas_base=20.0).inclusion(1.0) == 0.5
    assert sight(model, gas=40.0, gas_base=20.0).inclusion(2.0) == 1.0
    assert sight(model, gas=10.0, gas_base=20.0).inclusion(1.0) == 1.0


def test_on_a_chain_a_bid_gets_in_by_chance_around_the_price_and_surely_far_above(model: Model) -> None:
    at_price = sight(model, gas_base=20.0, chain=np.array([40.0]), bid_spread=0.26)
    five_tries = sight(model, gas_base=20.0, chain=np.full(5, 40.0), bid_spread=0.26)

    assert at_price.inclusion(2.0) == pytest.approx(0.5)
    assert at_price.inclusion(2.0 * np.exp(0.26)) == pytest.approx(0.8413, abs=1e-4)
    assert five_tries.inclusion(2.0) == pytest.approx(1 - 0.5**5)
    assert five_tries.inclusion(0.2) < 1e-9
    assert five_tries.inclusion(20.0) > 1 - 1e-9


def test_without_a_chain_block_nobody_gets_in(model: Model) -> None:
    assert sight(model, chain=np.empty(0)).inclusion(100.0) == 0


def test_the_mid_of_a_one_sided_book_is_the_outside_price(model: Model) -> None:
    two_sided = sight(model, quotes=showing(model, 1.01, 1.03))
    no_bid = sight(model, quotes=showing(model, 0.0, 1.03))
    no_ask = sight(model, quotes=showing(model, 1.01, 0.0))

    np.testing.assert_allclose(two_sided.mid, 1.02 * two_sided.outside)
    np.testing.assert_array_equal(no_bid.mid, no_bid.outside)
    np.testing.assert_array_equal(no_ask.mid, no_ask.outside)


def test_worth_outside_is_cash_and_positions(model: Model) -> None:
    view = sight(
        model,
        outside=np.array([100.0, 10.0]),
        outside_size=np.array([[1.0, 0.0, -2.0], [0.0, 3.0, 5.0]]),
        outside_cash=np.array([7.0, 8.0, 9.0]),
    )

    np.testing.assert_array_equal(view.outside_worth(integers(2, 0)), [9 - 200 + 50, 107])


def test_transfers_drop_what_is_not_positive() -> None:
    moves = transfers(integers(4, 5, 6), np.array([10.9, 0.0, -3.0]), WITHDRAW)

    assert [column.tolist() for column in moves] == [[4], [10], [WITHDRAW], [VAULT]]


def test_transfers_of_shares_keep_the_target_of_each(model: Model) -> None:
    moves = transfers(integers(4, 5, 6), integers(1, 0, 3), SELL_SHARES, integers(10, 11, 12))

    assert [column.tolist() for column in moves] == [[4, 6], [1, 3], [SELL_SHARES] * 2, [10, 12]]


def test_merged_transfers_keep_their_order() -> None:
    first, second = (
        transfers(integers(7), integers(1), SELL_SHARES),
        transfers(integers(4), integers(2), DEPOSIT),
    )
    merged = merge_transfers(first, second)

    assert merged.account.tolist() == [7, 4]
    assert merged.kind.tolist() == [SELL_SHARES, DEPOSIT]


def test_every_account_may_hold_what_is_not_isolated() -> None:
    assert holdable(np.array([False, False]), 3).tolist() == [[True] * 3, [True] * 3]


def test_accounts_take_isolated_markets_in_turn() -> None:
    allowed = holdable(np.array([True, False, True]), 5)

    assert allowed.tolist() == [
        [True, False, False, True, False],
        [True, True, True, True, True],
        [False, False, True, False, False],
    ]


@pytest.mark.parametrize("accounts", [0, 1])
def test_a_role_of_one_account_or_none_holds_what_its_turn_allows(accounts: int) -> None:
    assert holdable(np.array([True, True]), accounts).tolist() == [[True] * accounts, [False] * accounts]


def test_the_view_knows_where_positions_stand_alone(model: Model) -> None:
    alone = model.exchange.parameters._replace(isolated=np.array([False, True]))
    makers = model.people.makers.accounts

    assert sight(model).holdable(makers).all()
    np.testing.assert_array_equal(
        sight(model, parameters=alone).holdable(makers), [[True] * 8, [False, True] * 4]
    )


def test_hedges_close_a_share_of_every_gap_beyond_the_band(model: Model) -> None:
    view = sight(model, outside_size=np.array([[-10.0, 0.0, 0.0], [0.0, 0.0, 4.0]]))
    target = np.array([[-30.0, 5.0], [2.0, 0.0]])
    hedges = hedge_toward(view, integers(0, 2), target, 0.5, np.array([[5.0], [2.0]]))

    assert [column.tolist() for column in hedges] == [[0, 2], [0, 1], [-10.0, -2.0]]


@pytest.mark.parametrize("mean", [0.003, 1.0])
def test_an_account_wakes_at_least_once_with_the_chance_of_a_poisson_clock(model: Model, mean: float) -> None:
    accounts, blocks = 10_000, 20
    role, seconds = crowd(model, accounts), 60.0
    woken = sum(
        len(role.awake(sight(model, block=block, seconds=seconds), mean / seconds)) for block in range(blocks)
    )

    chance, tries = 1 - np.exp(-mean), accounts * blocks
    deviation = (woken - chance * tries) / np.sqrt(tries * chance * (1 - chance))
    assert abs(deviation) < 5  # false alarm: 6e-7


def test_accounts_wake_once_in_a_block_and_lie_in_the_slice(model: Model) -> None:
    woken = crowd(model, 50).awake(sight(model), 10.0)

    np.testing.assert_array_equal(woken, np.arange(50))


def test_a_rate_beyond_all_measure_wakes_everybody_once(model: Model) -> None:
    woken = crowd(model, 50).awake(sight(model), 1e308)

    np.testing.assert_array_equal(woken, np.arange(50))


def test_nobody_wakes_in_an_empty_role_or_at_rate_zero(model: Model) -> None:
    assert len(crowd(model, 0).awake(sight(model), 1.0)) == 0
    assert len(crowd(model, 100).awake(sight(model), 0.0)) == 0


def test_decisions_and_blocks_have_their_own_draws(model: Model) -> None:
    role = crowd(model, 1000)
    drawn = [role.draw(name, block).random() for name, block in (("a", 1), ("b", 1), ("a", 2), ("a", 1))]

    assert drawn[0] == drawn[3]
    assert len(set(drawn)) == 3


def test_a_role_without_decisions_says_so(model: Model) -> None:
    with pytest.raises(NotImplementedError):
        crowd(model, 1).act(sight(model))
