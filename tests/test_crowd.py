"""The margin engine as plain Mesa agents, in numpy and on the protocol's book: one and the same."""

import mesa
import numpy as np
import pytest
from bench.crowd import FIRST, Crowd, Decisions, Outcome, Recipe, draw_crowd
from bench.engines import ENGINES, MESA, close
from venue import integers, parameters, usd

from protocol.arithmetic import PPM
from protocol.book import FEES, INSURANCE, VAULT

ALICE, BOB, CAROL = range(FIRST, FIRST + 3)
NOBODY = Decisions(integers(0, 0, 0), *np.zeros((3, 0), np.int64))
OTHERS = [name for name in ENGINES if name != MESA]


def outcome(name: str, crowd: Crowd) -> Outcome:
    """What has happened after all blocks."""
    engine = ENGINES[name](crowd)
    engine.run(len(crowd.price))
    found = engine.outcome()
    close(engine)
    return found


@pytest.mark.parametrize(
    ("sigma", "blocks", "least"), [(1e-4, 60, 2), (5e-4, 60, 5), (2e-3, 60, 20), (2e-2, 10, 50)]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_engines_liquidate_the_same_accounts_and_leave_everybody_the_same_cash(
    seed: int, sigma: float, blocks: int, least: int
) -> None:
    crowd = draw_crowd(Recipe(2_000, blocks, sigma, seed, attention=24.0, past=0.1))
    plain = outcome(MESA, crowd)

    assert len(plain.liquidations) >= least
    assert plain.cash[FEES] > 0
    assert plain.cash.sum() == crowd.cash.sum()
    for name in OTHERS:
        found = outcome(name, crowd)

        assert found.liquidations == plain.liquidations, name
        np.testing.assert_array_equal(found.cash, plain.cash, name)


def test_the_random_crowds_reach_every_branch() -> None:
    crowd = draw_crowd(Recipe(2_000, 20, 2e-2, attention=24.0))
    plain = outcome(MESA, crowd)
    closed = [row[:2] for row in plain.liquidations]
    lenient = crowd._replace(parameters=crowd.parameters._replace(initial=crowd.parameters.maintenance))

    assert len(set(closed)) < len(closed), "nobody was closed in two markets"
    assert plain.cash[INSURANCE] == 0, "the fund has not run dry"
    assert any(equity > 0 for *_, equity in plain.liquidations)
    assert outcome(MESA, lenient).cash[FEES] > plain.cash[FEES], "initial margin has refused nobody"


@pytest.mark.parametrize("name", OTHERS)
def test_an_account_changed_by_hand_changes_the_list(name: str) -> None:
    crowd = draw_crowd(Recipe(2_000, 60, 2e-3))
    before = outcome(name, crowd)
    block, account, *_ = before.liquidations[0]
    richer = crowd.cash.copy()
    richer[account] += usd(1_000_000)
    after = outcome(name, crowd._replace(cash=richer))

    assert (block, account) not in [row[:2] for row in after.liquidations]
    assert [row for row in before.liquidations if row[1] != account] == [
        row for row in after.liquidations if row[1] != account
    ]


def by_hand() -> Crowd:
    """Three traders at 100 USD a lot in both markets, with 10 % initial and 5 % maintenance margin.

    Alice is long 10 lots with 60 USD, Bob short 10 with 30 USD, and Carol has 25 USD and nothing else. The
    first market falls to 99 and then rises to 104, the second stays.
    """
    size = np.zeros((2, FIRST + 3), np.int64)
    size[0, [ALICE, BOB]] = 10, -10
    cash = np.zeros(FIRST + 3, np.int64)
    cash[[ALICE, BOB, CAROL]] = usd(60 - 1_000), usd(30 + 1_000), usd(25)
    cash[[VAULT, INSURANCE]] = usd(1_000_000), usd(3)
    return Crowd(
        cash,
        size,
        integers(usd(100), usd(100)),
        np.array([[usd(99), usd(100)], [usd(104), usd(100)]]),
        Decisions(
            integers(0, 3, 4), integers(ALICE, BOB, CAROL, CAROL), *integers([0, 1, 0, 0], [5, -1, 4, 2])
        ),
        parameters(2, initial=100_000, maintenance=50_000, taker_fee=PPM // 1_000),
    )


@pytest.mark.parametrize("name", ENGINES)
def test_a_crowd_worked_by_hand(name: str) -> None:
    """Who trades, who is closed and who pays.

    At 99 Alice, with 50 USD of equity, is below her 99 USD of initial margin and may reduce to 5 lots for a
    fee of 0.495. Bob has 40 USD against 49.50 of maintenance: he may not sell the second market as well, and
    is closed with 40 USD left. Carol may not buy 4 lots, which need 39.60 of her 25 USD. At 104 she buys 2
    for a fee of 0.208.
    """
    found = outcome(name, by_hand())

    assert found.liquidations == [(0, BOB, 0, -10, usd(40))]
    assert found.cash[ALICE] == usd(60 - 1_000 + 5 * 99 - 0.495)
    assert found.cash[BOB] == usd(40)
    assert found.cash[CAROL] == usd(25 - 2 * 104 - 0.208)
    assert found.cash[FEES] == usd(0.495 + 0.208)


@pytest.mark.parametrize("name", ENGINES)
def test_the_fund_pays_what_it_can_for_the_first_who_cannot(name: str) -> None:
    crowd = by_hand()
    price = crowd.price.copy()
    price[0, 0] = usd(104)
    found = outcome(name, crowd._replace(price=price, decisions=NOBODY))

    assert found.liquidations == [(0, BOB, 0, -10, usd(-10))]
    assert found.cash[BOB] == usd(-7)
    assert found.cash[INSURANCE] == 0


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("missing", "closed"), [(0, False), (1, True)])
def test_who_has_a_micro_usd_less_than_maintenance_is_closed(name: str, missing: int, closed: bool) -> None:
    crowd = by_hand()
    cash = crowd.cash.copy()
    cash[ALICE] = usd(49.50 - 10 * 99) - missing
    found = outcome(name, crowd._replace(cash=cash, decisions=NOBODY))

    assert (ALICE in [account for _, account, *_ in found.liquidations]) == closed


def test_mesa_forgets_a_crowd_that_was_closed() -> None:
    before = len(mesa.Agent._ids)
    outcome(MESA, by_hand())

    assert len(mesa.Agent._ids) == before
