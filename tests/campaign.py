"""A venue of any preset under arbitrary acts: block after block, each phase judged, nothing repaired.

    python tests/campaign.py --blocks 200000

runs many worlds of every preset. A world follows from its preset, its seed and its storms; a broken law names
them, with the block, as the command that runs it again.
"""

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np
from campaign_orders import offers, quotes, wishes
from campaign_world import OPENING, STORMS, World, deposit_purses, open_world, settings_of, storms_of

from protocol.arithmetic import MICRO, PPM
from protocol.book import Rows, balances
from protocol.collateral import choose_leverage, deposit_asset
from protocol.laws.audit import Snapshot, broken_by_prices, broken_by_transfers, snapshot
from protocol.laws.cascade_audit import broken_by_cascade
from protocol.laws.invariants import InvariantError, violated
from protocol.laws.trade_audit import broken_by_trade
from protocol.liquidations.record import NO_OFFERS, OUTCOMES
from protocol.losses.journal import STAGES, Cascade
from protocol.orders import join
from protocol.prices.oracle import MedianRule, Reading
from protocol.scan import accounts_risk
from sim.presets import preset_names
from sim.streams import stream
from sim.venue import grid

BLOCKS = 250
HEAVY_GAS, LIGHT_GAS = 1e4, 10.0


class Campaign:
    """A world as it runs.

    Attributes
    ----------
    exchange : Exchange
    seen : Counter
        What has happened so far, by name.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = stream(world.seed, "campaign", world.preset)
        settings = settings_of(world, self.rng)
        self.units = grid(settings)
        self.outside = OPENING.copy()
        self.exchange, self.crowd = open_world(
            settings, self.rng, spread=2.5 if "whales" in world.storms else 0.7
        )
        self.purses = deposit_purses(self.exchange)
        self.seen: Counter[str] = Counter()
        self.block, self.time, self.seconds = 0, 0.0, 60

    def strikes(self, storm: str, chance: float) -> bool:
        """Whether a storm strikes now; the draw is made in any world."""
        return bool(self.rng.random() < chance) and storm in self.world.storms

    def run(self, blocks: int) -> Counter[str]:
        """Advance, and say what has been seen."""
        for _ in range(blocks):
            self.step()
        return self.seen

    def step(self) -> None:
        """One block: prices and funding, trading, liquidations, cash; each is judged when it is over."""
        self.block += 1
        self.seen["blocks"] += 1
        self.seconds = int(self.rng.choice([1, 60, 600, 3600])) if "slow" in self.world.storms else 60
        self.time += self.seconds
        before = snapshot(self.exchange)
        self._prices()
        self._require(broken_by_prices(before, self.exchange), "prices")
        before = snapshot(self.exchange)
        fills = self._trade(before)
        self._require(broken_by_trade(before, self.exchange, fills), "trading")
        before = snapshot(self.exchange)
        cascade = self._liquidate()
        self._require(broken_by_cascade(before, self.exchange, cascade), "liquidation")
        before = snapshot(self.exchange)
        self._transfer()
        self._require(broken_by_transfers(before, self.exchange), "transfers")

    def digest(self) -> str:
        """Hash of the state: equal worlds have equal ones."""
        state = hashlib.sha256(str(sorted(self.seen.items())).encode())
        for column in balances(self.exchange.book):
            state.update(np.ascontiguousarray(column).tobytes())
        return state.hexdigest()

    def _require(self, broken: list[str], phase: str) -> None:
        """Raise InvariantError with all that is wrong after a phase, and the command to see it again."""
        broken = [*violated(self.exchange.book, self.exchange.venue), *broken]
        if broken:
            command = self.world.command(self.block)
            raise InvariantError(f"block {self.block}, {phase}: {'; '.join(broken)}\nagain: {command}")

    def _prices(self) -> None:
        """Move the outside price; let the feed see it, or not; charge funding."""
        step = self.rng.standard_t(3, 3) * (0.02 if "jumps" in self.world.storms else 0.002)
        if self.strikes("crashes", 0.02):
            step[self.rng.integers(3)] += np.log(self.rng.uniform(0.4, 1.6))
        moved = self.outside * np.exp(np.clip(step, -0.9, 0.9))
        self.outside = np.clip(moved, OPENING / 30, OPENING * 30)
        if self.strikes("governance", 0.05):
            self._govern()
        self.exchange.observe(float(self.seconds))
        self.exchange.update_prices(self._reading(), self.time)
        index = self.exchange.book.funding.copy()
        self.exchange.advance_funding(self.time)
        self.seen["funding paid"] += int((index != self.exchange.book.funding).any())
        for act, usable in zip(self.exchange.usable._fields, self.exchange.usable, strict=True):
            self.seen[f"refused to {act}"] += int((~usable).any())

    def _reading(self) -> Reading:
        """What the world shows the feed."""
        rng, rule, price = self.rng, self.exchange.rules.prices.feed, self.units.price(self.outside)
        shape = (len(rule.weights) if isinstance(rule, MedianRule) else 1, 3)
        noise = np.exp(0.001 * rng.standard_normal(shape))
        scale = np.where(rng.random(3) < 0.5, rng.choice([0.5, 0.9, 1.1, 2.0]), 1.0)
        return Reading(
            reference=price,
            sources=np.maximum(np.rint(price * noise), 1).astype(np.int64),
            live=rng.random(shape) < (0.5 if self.strikes("stalls", 0.3) else 1.0),
            volatility=np.full(3, 3e-4 if "jumps" in self.world.storms else 3e-5),
            stalled=rng.random(3) < (0.7 if self.strikes("stalls", 0.3) else 0.0),
            slowdown=10.0 if self.strikes("gas", 0.5) else 1.0,
            scale=scale if self.strikes("scaling", 0.02) else np.ones(3),
            seconds=float(self.seconds),
        )

    def _govern(self) -> None:
        """Propose new margins, fees and caps; what breaks a constraint is refused."""
        rng, old = self.rng, self.exchange.parameters
        initial = np.clip(old.initial * rng.uniform(0.5, 2.0, 3), 3_000, PPM).astype(np.int64)
        maintenance = np.clip(initial * rng.uniform(0.2, 1.1, 3), 1_000, PPM).astype(np.int64)
        proposed = old._replace(
            initial=initial,
            maintenance=maintenance,
            open_interest_cap=np.where(rng.random(3) < 0.3, 200_000 * MICRO, old.open_interest_cap),
            taker_fee=int(rng.integers(0, 1_000)),
            maker_fee=int(rng.integers(-200, 200)),
        )
        try:
            self.exchange.enact(proposed)
            self.seen["enacted"] += 1
        except ValueError:
            self.seen["not enacted"] += 1

    def _trade(self, before: Snapshot) -> Rows:
        """Cancel, quote and take, all at once."""
        rng, exchange, equity = self.rng, self.exchange, before.risk[0]
        leaving = rng.random(len(equity)) < 0.1
        leaving[self.crowd.makers] = True
        price = self.units.price(self.outside)
        quoted = quotes(rng, self.crowd.makers, equity, price, self.block)
        wanted = wishes(rng, exchange.book, equity, int(self.crowd.traders[0]), self.block)
        batch = wanted if self.strikes("thin", 0.5) else join([quoted, wanted])
        fills = exchange.trade(batch, leaving, self.block, rng.permutation(len(batch.account)))
        notional = np.abs(wanted.size) * exchange.book.mark[wanted.market]
        self.seen["orders"] += len(batch.account)
        self.seen["fills"] += len(fills)
        self.seen["oversized orders"] += int((notional > 250 * np.maximum(equity[wanted.account], 0)).sum())
        return fills

    def _liquidate(self) -> Cascade:
        """A few rounds, or many, with keepers or without."""
        rng, rounds = self.rng, int(self.rng.choice([1, 2, 6]))
        gas_price = HEAVY_GAS if self.strikes("gas", 0.5) else LIGHT_GAS
        standing = offers(rng, self.crowd, gas_price)
        cascade = self.exchange.liquidate(
            self.time,
            rounds,
            rng.integers(0, 2**31, rounds),
            NO_OFFERS if self.strikes("absent", 0.7) else standing,
            gas_price,
        )
        self._count(cascade)
        return cascade

    def _count(self, cascade: Cascade) -> None:
        """Note what the cascade did."""
        outcome, stage = cascade.liquidations["outcome"], cascade.payments["stage"]
        for number, name in enumerate(OUTCOMES):
            self.seen[f"liquidation {name}"] += int((outcome == number).sum())
        for number, name in enumerate(STAGES):
            self.seen[f"loss to {name}"] += int((stage == number).sum())
        self.seen["deleveraged"] += len(cascade.deleverages)
        self.seen["assets sold"] += int((cascade.sales["filled"] != 0).sum())
        self.seen["truncated"] += int(cascade.truncated)
        self.seen["receipts"] += len(self.exchange.engine.receipts())
        self.seen["halted"] += int(self.exchange.halted)

    def _transfer(self) -> None:
        """Random moves of cash, assets and shares; the ruined are given new money."""
        rng, exchange, traders = self.rng, self.exchange, self.crowd.traders
        for _ in range(3):
            account = int(rng.integers(traders[0], len(exchange.book.cash)))
            self._act(int(rng.integers(7)), account, int(10 ** rng.uniform(0, 5) * MICRO))
        equity = accounts_risk(exchange.book, exchange.parameters)[0, traders]
        for account in traders[(equity < 100 * MICRO) & (rng.random(len(traders)) < 0.2)].tolist():
            exchange.deposit(account, int(2_000 * MICRO * rng.lognormal()))

    def _act(self, kind: int, account: int, amount: int) -> None:
        """One act of an account beside trading."""
        exchange, book, rng = self.exchange, self.exchange.book, self.rng
        market, purse = int(rng.integers(3)), int(rng.choice(self.purses))
        if kind == 0:
            exchange.deposit(account, amount // 10)
        elif kind == 1:
            self._withdraw(account, amount)
        elif kind == 2:
            self.seen["shares bought"] += int(exchange.buy_shares(account, purse, amount) > 0)
        elif kind == 3:
            holder = int(rng.choice(self.crowd.providers))
            self.seen["shares sold"] += int(exchange.sell_shares(holder, purse, amount) > 0)
        elif kind == 4 and "assets" in self.world.storms:
            deposit_asset(book, account, market, amount // int(10 * book.oracle[market]))
            self.seen["assets brought"] += 1
        elif kind == 5:
            lots = int(book.collateral[market, account])
            self.seen["assets taken"] += exchange.withdraw_asset(account, market, lots, self.time) > 0
        elif kind == 6:
            rate = int(rng.choice([0, 20_000, 100_000, 500_000]))
            self.seen["leverage chosen"] += int(choose_leverage(book, exchange.parameters, account, rate))

    def _withdraw(self, account: int, amount: int) -> None:
        """Try to take money out, and note what became of it."""
        paid = self.exchange.withdraw(account, amount, self.time)
        shut = self.exchange.halted or self.time < self.exchange.gates.cross
        self.seen["withdrawals" if paid else "withdrawals gated" if shut else "withdrawals refused"] += 1


class Finding(NamedTuple):
    """What a campaign of one preset has seen, and the laws that it has seen broken."""

    preset: str
    seen: Counter[str]
    broken: list[str]


def explore(preset: str, blocks: int, seed: int = 0) -> Finding:
    """Run worlds of a preset, with seeds from `seed` on, until they have seen `blocks` blocks."""
    seen, broken = Counter[str](), []
    while seen["blocks"] < blocks:
        here = Campaign(World(preset, seed, storms_of(seed)))
        try:
            here.run(min(BLOCKS, blocks - seen["blocks"]))
        except InvariantError as error:
            broken.append(str(error))
        seen.update(here.seen)
        seen["worlds"] += 1
        seed += 1
    return Finding(preset, seen, broken)


def explore_all(presets: Sequence[str], blocks: int, seed: int, workers: int) -> Iterator[Finding]:
    """Campaigns of several presets, in `workers` processes, each told as soon as it is over."""
    if workers < 2:
        yield from (explore(preset, blocks, seed) for preset in presets)
        return
    with ProcessPoolExecutor(workers) as pool:
        waiting = [pool.submit(explore, preset, blocks, seed) for preset in presets]
        for done in as_completed(waiting):
            yield done.result()


def told(finding: Finding) -> str:
    """A paragraph on a campaign."""
    counts = ", ".join(f"{name} {count:,}" for name, count in sorted(finding.seen.items()) if count)
    return "\n".join(
        [f"{finding.preset}: {len(finding.broken)} worlds broken; {counts}", *finding.broken, ""]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign, or one world of it, and write what it has seen; returns 1 if a law was broken."""
    parser = argparse.ArgumentParser(description="random worlds of every preset, each law checked")
    parser.add_argument("--preset", choices=preset_names(), action="append", help="all, if none is named")
    parser.add_argument("--blocks", type=int, default=10_000, help="of each preset, or of the one world")
    parser.add_argument("--seed", type=int, default=0, help="of the first world, or of the one world")
    parser.add_argument("--storms", help=f"of one world, joined by commas, or none: {', '.join(STORMS)}")
    parser.add_argument("--workers", type=int, default=1, help="processes, of which each runs a preset")
    chosen = parser.parse_args(arguments)
    presets = chosen.preset or preset_names()
    if chosen.storms is not None:
        storms = frozenset(chosen.storms.split(",")) - {"none"}
        one = Campaign(World(presets[0], chosen.seed, storms))
        one.run(chosen.blocks)
        sys.stdout.write(told(Finding(presets[0], one.seen, [])) + f"state {one.digest()}\n")
        return 0
    failed = False
    for finding in explore_all(presets, chosen.blocks, chosen.seed, chosen.workers):
        sys.stdout.write(told(finding))
        failed = failed or bool(finding.broken)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
