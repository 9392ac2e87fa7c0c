"""The Mesa model: one venue, its people, and the order in which things happen."""

import mesa
import numpy as np

from agents.delegates.facts import PublicFacts, insurance, public_facts
from agents.guardian import Vital
from agents.risk_engine import HIDDEN, RiskEngine
from agents.role import (
    BUY_SHARES,
    DEPOSIT,
    DEPOSIT_ASSET,
    GAS_PER_TRANSACTION,
    SELL_SHARES,
    WITHDRAW,
    Actions,
    Hedges,
    Transfers,
    View,
)
from protocol.arithmetic import MICRO
from protocol.book import INSURANCE, Floats, Ints, Rows
from protocol.laws.invariants import InvariantError
from protocol.liquidations.collateral_sales import CollateralSales
from protocol.liquidations.keepers import Offers
from protocol.losses.journal import Cascade
from protocol.orders import join
from protocol.prices.oracle import Reading
from sim.configuration import Scenario
from sim.governance.opening import let_plot, open_governance
from sim.outside import Outside
from sim.population import account_count, endow, of_present, outsider_of, settle_in
from sim.record import Recorder
from sim.risk_engines import open_risk_engine
from sim.streams import stream
from sim.venue import grid, open_exchange
from sim.world import World

LARGEST_VALUE = 2.0**62


class Model(mesa.Model):  # type: ignore[misc]
    """A venue in its world, advanced block by block.

    Parameters
    ----------
    scenario : Scenario
    seed : int
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        super().__init__(rng=seed)
        self.scenario = scenario
        self.seed_value = seed
        self.seconds = scenario.clock.block
        self.rounds = max(1, self.seconds // scenario.protocol.liquidation.round)
        self.block = 0
        self.units = grid(scenario.protocol)
        self.world = World(scenario.world, scenario.shocks, scenario.clock, scenario.markets, seed)
        accounts = account_count(scenario)
        self.exchange = open_exchange(
            scenario.protocol, self.units, self.world.outside, accounts, outsider_of(scenario)
        )
        self.outside = Outside(len(self.units.names), accounts)
        self.people = settle_in(self, scenario, self.units, seed)
        self.governance = open_governance(self)
        self.risk_engine = open_risk_engine(self)
        self._open()
        self.recorder = Recorder(self)

    def _open(self) -> None:
        """Bring in deposits, wallets, opening positions, and what is held outside."""
        for role, endowment in endow(self.exchange, self.people, self.scenario):
            self.outside.cash[role.accounts] = endowment.wallet
            if endowment.outside is not None:
                self.outside.size[:, role.accounts] = endowment.outside
        self.flow, self.unsold = np.zeros((2, len(self.units.names)))
        self.fund = insurance(self.exchange.book)

    @property
    def time(self) -> float:
        """Seconds since the start."""
        return float(self.block * self.seconds)

    def step(self) -> None:
        """Advance one block.

        1. World: fundamental prices, impact of last block's hedges, depth, gas, sentiment; shocks strike.
        2. Governance executes what is due: time locks, updates of stewards; new rules hold from here on.
        3. What the book has shown since the last block is sampled; the oracle updates; the mark follows.
        4. Funding: at an epoch the index advances by the premiums sampled.
        5. Trading: all agents see the same view; cancels, quotes, then takers by fee and lottery; every fill
           passes the margin rule on both sides.
        6. Liquidation rounds, each with its waterfall: insurance fund, vault, deleveraging, everybody.
        7. Hedges trade outside.
        8. Cash moves: deposits, vault exits, withdrawals behind their gate.
        9. Governance observes: the risk engine advises, people propose and vote, the guardian watches.
        10. Invariants are checked and the block is recorded.
        """
        self.block += 1
        self.world.advance(self.flow)
        self.governance.execute(self.block, self.time)
        outside = self._outside_price()
        premium = self.exchange.observe(self.seconds)
        self.exchange.update_prices(self._reading(outside), self.time)
        self.exchange.advance_funding(self.time)
        actions = self._decisions(outside.astype(float))
        fills = self._trade(actions)
        self._reward(fills)
        cascade = self._liquidate([action.offers for action in actions], outside)
        self._hedge([action.hedges for action in actions], outside)
        self._pay_gas(actions)
        for action in actions:
            self._transfer(action.transfers)
        self._observe(outside.astype(float))
        ends = self.block == self.scenario.clock.blocks
        self.exchange.check(self.block, self.seed_value, whole=ends)
        orders = sum(len(action.orders.account) for action in actions)
        self.recorder.record(orders, fills, cascade, premium)

    def _observe(self, outside: Floats) -> None:
        """Let the risk engine see the end of the block and advise, then let people act.

        The engine is given the hidden regime only if it is the one that is meant to know it.
        """
        engine, book = self.risk_engine, self.exchange.book
        if engine is not None:
            engine.feel({"oracle": book.oracle, "mark": book.mark, "outside": outside})
            if engine.due(self.time):
                self._consult(engine, self.view(outside))
        ratio = tuple((book.oracle / outside).tolist())
        vital = Vital(self.time, float(book.cash[INSURANCE]) / MICRO, ratio)
        let_plot(self)
        self.governance.observe(vital, lambda: self._facts(outside))

    def _facts(self, outside: Floats) -> PublicFacts:
        """What everybody can see of the venue now."""
        return public_facts(self.view(outside), self.governance.enactment.opening, self.fund)

    def _consult(self, engine: RiskEngine, view: View) -> None:
        """Let the engine decide, and governance hear of it."""
        hidden = self.world.regime if engine.settings.model == "hindsight" else None
        decisions = engine.watch(view, HIDDEN if hidden is None else int(hidden[self.block]))
        self.recorder.record_engine(engine, decisions)
        advice = engine.advise(decisions, view)
        if advice is not None:
            self.governance.advise(advice, self.time)

    def _outside_price(self) -> Ints:
        """Outside price, (m,) [micro-USD per lot]; one that the venue's integers cannot hold ends the run."""
        usd = self.world.outside
        value = usd * self.units.lot * MICRO
        held = np.maximum(self.exchange.book.open_interest, 1)
        if not ((value >= 1) & (value * held < LARGEST_VALUE)).all():
            place = f"block {self.block}, seed {self.seed_value}"
            raise InvariantError(f"{place}: outside_price_fits_the_venue: {usd.tolist()} USD")
        return self.units.price(usd)

    def _reading(self, outside: Ints) -> Reading:
        """What the world shows the oracle."""
        world, oracle = self.world, self.scenario.protocol.oracle
        shape = (len(oracle.weights), len(outside))
        noise = stream(self.seed_value, "oracle", "sources", self.block).standard_normal(shape)
        sources = np.maximum(np.rint(outside * np.exp(oracle.noise * noise)), 1).astype(np.int64)
        return Reading(
            reference=outside,
            sources=sources,
            live=np.ones(shape, np.bool_),
            volatility=world.volatility,
            stalled=world.shocks.stalled[self.block],
            slowdown=self._oracle_slowdown(),
            scale=world.shocks.scale[self.block],
            seconds=float(self.seconds),
        )

    def _oracle_slowdown(self) -> float:
        """Factor on the feed's inclusion delay."""
        if not self.scenario.protocol.oracle.gas_delay:
            return 1.0
        return max(1.0, float(self.world.gas[self.block]) / self.scenario.world.gas.base)

    @property
    def gas_price(self) -> float:
        """Price of blockspace [micro-USD per unit of gas]; ether is priced by its market, if it is listed."""
        names = self.units.names
        listed = "ETH" in names
        ether = self.world.outside[names.index("ETH")] if listed else self.scenario.world.gas.ether
        return float(self.world.gas[self.block] * 1e-9 * ether * MICRO)

    def view(self, outside: Floats) -> View:
        """What agents may see; `outside` in micro-USD per lot."""
        world = self.world
        return View(
            block=self.block,
            time=self.time,
            seconds=float(self.seconds),
            book=self.exchange.book,
            parameters=self.exchange.parameters,
            quotes=self.exchange.quotes(),
            tick=self.units.tick,
            funding_rate=self.exchange.accrual.rate,
            outside=outside,
            volatility=world.volatility,
            calm_volatility=world.calm_volatility,
            trend=world.trend,
            gas=float(world.gas[self.block]),
            gas_base=self.scenario.world.gas.base,
            gas_price=self.gas_price,
            withdrawn=float(world.shocks.withdrawn[self.block]),
            share_price=self.exchange.share_prices(),
            rests=self.exchange.venue.rests,
            outside_size=self.outside.size,
            outside_cash=self.outside.cash,
            markets=self.units.names,
            lot=self.units.lot,
            sentiment=world.sentiment,
            chain=None if world.fees is None else world.fees.prices,
            bid_spread=self.scenario.world.gas.blockspace.bid_spread,
            oracle_age=self.time - self.exchange.prices.feed.observed,
            outside_depth=world.depth,
        )

    def _decisions(self, outside: Floats) -> list[Actions]:
        """Every Mesa agent's actions, from one and the same view; who is absent does nothing."""
        view, absent = self.view(outside), np.array(self.scenario.agents.absent, np.int64)
        return [of_present(agent.act(view), absent) for agent in self.agents if len(agent.accounts)]

    def _trade(self, actions: list[Actions]) -> Rows:
        """Sequence and match everybody's orders; returns the fills."""
        batch = join([action.orders for action in actions])
        leaving = np.zeros(len(self.exchange.book.cash), np.bool_)
        for action in actions:
            leaving[action.leaving] = True
        tickets = stream(self.seed_value, "sequence", self.block).permutation(len(batch.account))
        return self.exchange.trade(batch, leaving, self.block, tickets)

    def _reward(self, fills: Rows) -> None:
        """Pay both sides of every fill what the venue's treasury gives for volume."""
        rate = self.scenario.protocol.fees.reward
        if rate:
            for side in ("maker", "taker"):
                np.add.at(self.outside.cash, fills[side], rate * np.abs(fills["quote"].astype(float)))

    def _liquidate(self, offers: list[Offers], outside: Ints) -> Cascade:
        """Liquidation rounds, each with fresh lottery tickets; keepers pay for their transactions."""
        draws = stream(self.seed_value, "liquidation", self.block)
        tickets = draws.integers(0, 2**31, self.rounds)
        standing = Offers(*(np.concatenate(column) for column in zip(*offers, strict=True)))
        self._tell_buyers(outside)
        tightened = self.governance.enactment.tightened()
        cascade = self.exchange.liquidate(self.time, self.rounds, tickets, standing, self.gas_price)
        self.governance.enactment.settle(tightened, cascade.liquidations)
        self._charge(self.exchange.engine.receipts())
        self._force(cascade, outside)
        return cascade

    def _tell_buyers(self, outside: Ints) -> None:
        """Let those who buy collateral know what it brings outside, behind what still waits there."""
        if isinstance(self.exchange.engine, CollateralSales):
            behind = self.world.execution_factor(-self.unsold * outside / MICRO)
            self.exchange.engine.outside[:] = outside * behind

    def _charge(self, receipts: Rows) -> None:
        """Take what keepers have spent on gas and priority out of their wallets."""
        spent = (receipts["gas"] + receipts["tip"]).astype(float)
        if self.world.fees is not None:
            self._crowd(receipts)
        np.subtract.at(self.outside.cash, receipts["keeper"], spent)
        np.add.at(self.outside.gas_paid, receipts["keeper"], spent)

    def _crowd(self, receipts: Rows) -> None:
        """Tell the world what keepers' transactions took of the block, failed ones too, and what they bid."""
        units = receipts["gas"] / max(self.gas_price, 1e-9)
        price = (receipts["gas"] + receipts["tip"]) / np.maximum(receipts["gas"], 1)
        self.world.use(units, price * self.world.gas[self.block])

    def _force(self, cascade: Cascade, outside: Ints) -> None:
        """Tell the world which trades nobody decided on; their hedges, and assets sold, will reach it."""
        sold = cascade.sales
        np.subtract.at(self.unsold, sold["market"], sold["filled"])
        forced = np.zeros(len(outside))
        np.add.at(forced, sold["market"], sold["filled"])
        np.add.at(forced, cascade.liquidations["market"], cascade.liquidations["filled"])
        if len(cascade.deleverages):
            closed = cascade.deleverages[np.isin(cascade.deleverages["counterparty"], self.people.hedgers)]
            np.add.at(forced, closed["market"], closed["size"])
        self.world.force(forced * outside / MICRO)

    def _hedge(self, batches: list[Hedges], outside: Ints) -> None:
        """Execute hedges outside, as far as depth allows and each at half the impact of all.

        The flow moves the next block's price. Those who have bought collateral sell it beside the hedges.
        """
        wanted = (self.outside.flow(batches) - self.unsold) * outside / MICRO
        share = self.world.share_filled(wanted)
        self.flow = share * wanted
        self.unsold -= share * self.unsold
        filled = [Hedges(batch.account, batch.market, batch.lots * share[batch.market]) for batch in batches]
        self.outside.execute(filled, outside * self.world.execution_factor(self.flow))

    def _pay_gas(self, actions: list[Actions]) -> None:
        """Charge everybody who sent a transaction."""
        cost = GAS_PER_TRANSACTION * self.gas_price
        for action in actions:
            units = np.full(len(action.senders), GAS_PER_TRANSACTION, float)
            self.world.use(units, np.full(len(units), np.inf))
            self.outside.cash[action.senders] -= cost
            self.outside.gas_paid[action.senders] += cost

    def _transfer(self, moves: Transfers) -> None:
        """Carry out cash moves, as far as balances, the margin rule and the gate allow."""
        for move in zip(*(column.tolist() for column in moves), strict=True):
            self._move(*move)

    def _move(self, account: int, amount: int, kind: int, target: int) -> None:
        """One cash move between the wallet, the venue, and the vault or a pool."""
        exchange = self.exchange
        if kind == DEPOSIT:
            self.outside.cash[account] -= exchange.deposit(account, amount)
        elif kind == WITHDRAW:
            self.outside.cash[account] += exchange.withdraw(account, amount, self.time)
        elif kind == BUY_SHARES:
            exchange.buy_shares(account, target, amount)
        elif kind == SELL_SHARES:
            exchange.sell_shares(account, target, amount)
        elif kind == DEPOSIT_ASSET:
            price = int(self._outside_price()[target])
            exchange.deposit_asset(account, target, amount, price)
            self.outside.cash[account] -= amount * price

    def close(self) -> None:
        """Let Mesa forget this model, so that a worker's memory stays flat over many runs."""
        self.remove_all_agents()
        mesa.Agent._ids.pop(self, None)
