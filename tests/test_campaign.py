"""Random campaigns break no law, and reach what they are for, under every preset."""

import os
import subprocess
import sys
from collections import Counter
from math import ceil
from pathlib import Path

import campaign
import numpy as np
import pytest
from campaign import BLOCKS, Campaign, explore, main
from campaign_world import STORMS, World, storms_of
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.arithmetic import MICRO
from protocol.book import Rows
from protocol.orders import IMMEDIATE, orders
from protocol.venues.skew_pool import SkewPool
from sim.presets import preset_names
from sim.streams import stream

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

WHOLE_CAMPAIGN = 10_000
SHARES = {
    "dydx_v4": 0.5,
    "hyperliquid": 0.5,
    "drift": 0.5,
}  # the dearest reach as much of it in half the blocks
EVERYWHERE = {
    "fills": 10_000,
    "oversized orders": 2_000,
    "liquidation filled": 300,
    "funding paid": 300,
    "enacted": 20,
    "not enacted": 10,
    "withdrawals": 1_000,
    "withdrawals refused": 50,
    "shares bought": 1_000,
    "shares sold": 100,
    "assets brought": 300,
    "assets taken": 50,
    "leverage chosen": 1_000,
}
REACHED = {
    "dydx_v4": {"liquidation partial": 50, "deleveraged": 500, "loss to insurance_fund": 500, "halted": 20},
    "hyperliquid": {"liquidation partial": 50, "liquidation vault": 100, "loss to backstop_vault": 50},
    "gmx_v2": {"deleveraged": 10, "loss to liquidity_pool": 50, "refused to trade": 50},
    "synthetix_v3": {"liquidation partial": 200, "loss to liquidity_pool": 300, "refused to trade": 50},
    "drift": {"loss to insurance_fund": 20, "loss to socialised_loss": 5, "receipts": 300},
}


def campaign_of(preset: str, blocks: int) -> Counter[str]:
    """Worlds that hypothesis chooses; a failure shrinks to few storms, and names its command."""
    seen: Counter[str] = Counter()

    @settings(max_examples=ceil(blocks / BLOCKS))
    @given(seed=st.integers(0, 2**32 - 1), storms=st.frozensets(st.sampled_from(STORMS), max_size=6))
    def breaks_no_law(seed: int, storms: frozenset[str]) -> None:
        seen.update(Campaign(World(preset, seed, storms)).run(BLOCKS))

    breaks_no_law()
    return seen


@pytest.mark.long
@pytest.mark.parametrize("preset", preset_names())
def test_thousands_of_random_blocks_break_no_law(preset: str) -> None:
    share = SHARES.get(preset, 1.0)
    seen = campaign_of(preset, int(share * WHOLE_CAMPAIGN))
    wanted = EVERYWHERE | REACHED[preset]
    missed = {name: seen[name] for name, least in wanted.items() if seen[name] < share * least}

    assert seen["blocks"] >= share * WHOLE_CAMPAIGN
    assert missed == {}


def round_trip(here: Campaign, account: int, market: int, lots: int) -> list[Rows]:
    """Buy or sell, and undo it at once, at one price of the oracle."""
    nobody = np.zeros(len(here.exchange.book.cash), np.bool_)
    fills = []
    for size in (lots, -lots):
        batch = orders(np.array([account]), market, np.array([size]), kind=IMMEDIATE)
        fills.append(here.exchange.trade(batch, nobody, here.block, np.array([0])))
    return fills


@pytest.mark.parametrize("preset", preset_names())
def test_a_round_trip_costs_at_least_its_fees(preset: str) -> None:
    done = 0
    for seed in range(9):
        here, rng = Campaign(World(preset, seed, frozenset({"jumps"}))), stream(seed, "round trips")
        if isinstance(here.exchange.venue, SkewPool):
            here.exchange.venue.parameters = here.exchange.venue.parameters._replace(delay=0.0)
        for _ in range(30):
            here.step()
            account, market = int(rng.choice(here.crowd.keepers)), int(rng.integers(3))
            book = here.exchange.book
            if book.size[:, account].any():
                continue
            here.exchange.deposit(account, 10_000_000 * MICRO)
            before = int(book.cash[account])
            legs = round_trip(here, account, market, int(rng.integers(1, 20_000)) * int(rng.choice([-1, 1])))
            if book.size[market, account] == 0 and len(legs[0]):
                fees = sum(int(leg["taker_fee"][leg["taker"] == account].sum()) for leg in legs)
                done += 1

                assert before - int(book.cash[account]) >= fees

    assert done >= 30


def test_a_world_is_the_same_in_any_process() -> None:
    world = World("dydx_v4", 11, frozenset({"jumps", "rules", "slow"}))
    here = Campaign(world)
    here.run(40)
    program = Path(campaign.__file__)
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(program.parent.parent)}
    there = subprocess.run(
        [sys.executable, str(program), *world.command(40).split()[2:]],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert there.stdout.splitlines()[-1] == f"state {here.digest()}"


def test_a_broken_law_is_told_with_the_command_that_shows_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def mint(self: Campaign) -> None:
        self.exchange.book.cash[self.crowd.traders[0]] += self.block == 7

    monkeypatch.setattr(Campaign, "_transfer", mint)
    monkeypatch.setattr(campaign, "storms_of", lambda seed: frozenset({"jumps"}))
    finding = explore("dydx_v4", 20, seed=5)
    told, again = finding.broken[0].splitlines()

    assert told.startswith("block 7, transfers: cash_conserved: accounts hold ")
    assert again == "again: python tests/campaign.py --preset dydx_v4 --seed 5 --storms jumps --blocks 7"
    assert (len(finding.broken), finding.seen["worlds"]) == (2, 3)


def test_a_long_campaign_tells_what_it_has_seen(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--preset", "dydx_v4", "--preset", "hyperliquid", "--blocks", "20"])
    lines = capsys.readouterr().out.splitlines()

    assert status == 0
    assert [line.split(":")[0] for line in lines] == ["dydx_v4", "hyperliquid"]
    assert all("0 worlds broken; " in line and "blocks 20," in line for line in lines)


def test_a_third_of_the_storms_strike_a_world() -> None:
    mean = np.mean([len(storms_of(seed)) for seed in range(300)]) / len(STORMS)

    assert 0.28 < mean < 0.38
