"""Retail traders: many small accounts, some large, levered and mostly inattentive.

An account decides when it wakes, at random times. Flat, it may open a position whose side follows the
trend, fights it or ignores it, by the account's style, and leans with the mood of the market, in which more
or fewer open one; holding, it may close. Between decisions three things happen, to those who prepared for
them: a stop-loss closes the position when a set part of the equity at opening is lost, a profit target when
a set part is gained, and a top-up brings cash from the wallet when equity comes near maintenance.
A ruined account may come back once with what is left in its wallet.

Some may have brought the asset of the market they trade instead of cash. Their collateral then falls with it,
and with a long in it: wrong-way risk.
"""

from statistics import NormalDist
from typing import Annotated

import mesa
import numpy as np
from pydantic import Field

from agents.retail_traits import LeverageSettings, draw_traits
from agents.role import (
    DEPOSIT,
    WITHDRAW,
    Actions,
    Endowment,
    Hedges,
    Role,
    Stream,
    Transfers,
    View,
    hedge_toward,
    merge_transfers,
    transfers,
)
from agents.settings import Settings, parameter
from protocol.arithmetic import PPM
from protocol.book import Floats, Ints, Mask
from protocol.orders import Orders, join, orders
from protocol.parameters import RiskParameters
from protocol.radii import sensitivities
from protocol.touches import Touches
from protocol.watch import Watch

DAY = 86_400.0
EVERYBODY = slice(None)


class RetailSettings(Settings):
    """Settings of retail traders; rates are for one account."""

    accounts: int = parameter(20_000, "1", ge=1, le=10_000_000)
    leverage: LeverageSettings = LeverageSettings()
    equity_sigma: float = parameter(
        2.2,
        "1",
        "account values on Hyperliquid, 10 Oct 2025: p10/p50/p90 of 44/958/44k USD, log sd 2.7; largest cut",
        ge=0,
        le=4,
        description="standard deviation of log equity",
    )
    largest: float = parameter(0.02, "1", gt=0, le=1, description="largest account, of all retail equity")
    holding: float = parameter(0.8, "1", ge=0, le=1, description="accounts with a position at the start")
    long_share: float = parameter(0.56, "1", gt=0, lt=1, description="of retail notional")
    attention: float = parameter(4.0, "1/day", ge=0, description="decisions")
    entry: float = parameter(0.9, "1", ge=0, le=1, description="a flat account opens when it decides")
    exit: float = parameter(0.2, "1", ge=0, le=1, description="a holder closes when it decides")
    momentum: float = parameter(0.4, "1", ge=0, le=1, description="accounts that follow the trend")
    contrarian: float = parameter(0.3, "1", ge=0, le=1, description="accounts that trade against it")
    hedgers: float = parameter(
        0.0, "1", ge=0, le=1, description="accounts that own the coin and are short against it"
    )
    carriers: float = parameter(
        0.0, "1", ge=0, le=1, description="accounts that collect funding and hold the opposite outside"
    )
    carry_threshold: float = parameter(
        2.0, "bp", ge=0, description="funding of 8 hours for which a carrier opens a position"
    )
    conviction: float = parameter(0.6, "1", ge=0, description="weight of one unit of trend against taste")
    herding: float = parameter(0.6, "1", ge=0, description="weight of one unit of sentiment against taste")
    enthusiasm: float = parameter(1.0, "1", ge=0, description="entries ~ exp(enthusiasm × sentiment)")
    panic: float = parameter(
        0.0,
        "1",
        ge=0,
        description="holders who close, for each unit of trend against them beyond `panic_threshold`",
    )
    panic_threshold: float = parameter(2.0, "1", ge=0, description="trend against a position that frightens")
    alarm: float = parameter(
        0.0, "1", ge=0, description="growth of attention per unit of volatility above calm"
    )
    slippage: float = parameter(0.01, "1", gt=0, lt=1, description="worst price of an order, from the mid")
    caution: float = parameter(0.2, "1", ge=0, description="entries ~ (volatility over calm)^-caution")
    stops: float = parameter(0.3, "1", ge=0, le=1, description="accounts with a stop-loss")
    stop_loss: float = parameter(
        0.5, "1", gt=0, lt=1, description="equity lost since opening that triggers it"
    )
    targets: float = parameter(0.6, "1", ge=0, le=1, description="accounts with a profit target")
    take_profit: float = parameter(0.4, "1", gt=0, description="equity gained since opening that triggers it")
    wallet: float = parameter(0.5, "1", ge=0, description="cash outside, of equity at the start")
    watchful: float = parameter(0.4, "1", ge=0, le=1, description="accounts that top up")
    top_up_trigger: float = parameter(
        1.6, "1", ge=1, description="equity over maintenance that calls for cash"
    )
    top_up_target: float = parameter(3.0, "1", gt=1, description="equity over maintenance after a top-up")
    top_up_rate: float = parameter(4.0, "1/hour", ge=0, description="looks at the margin when it is near")
    asset_collateral: float = parameter(
        0.0,
        "1",
        ge=0,
        le=1,
        description="accounts whose collateral is the asset they trade, where the venue takes it",
    )
    market_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {"BTC": 0.6, "ETH": 0.4}, json_schema_extra={"unit": "1", "source": "assumed"}
    )


class Retail(Role):
    """All retail accounts as one Mesa agent."""

    name = "retail"

    def __init__(
        self,
        model: mesa.Model,
        accounts: Ints,
        stream: Stream,
        settings: RetailSettings,
        markets: tuple[str, ...],
    ):
        super().__init__(model, accounts, stream)
        self.settings = settings
        self.traits = draw_traits(settings, stream, self.name, len(accounts), markets)
        self.carriers = accounts[self.traits.carries]
        self.opening_equity = np.zeros(len(accounts))
        self.start_cash = np.zeros(len(accounts))
        slots = int(accounts[0]), int(accounts[-1]) + 1
        self.exits, self.margins = Watch(*slots, len(markets)), Watch(*slots, len(markets))
        self.near = np.zeros(len(accounts), np.bool_)
        self.trades, self.uneven = Touches(), self.carriers

    def allowed_leverage(self, initial: Ints, index: Ints | slice = EVERYBODY) -> Floats:
        """Leverage of accounts within the venue's limit, with a tenth to spare."""
        return np.minimum(self.traits.leverage[index], 0.9 * PPM / initial[self.traits.home[index]])

    def endow(self, open_interest: float, price: Ints, parameters: RiskParameters) -> Endowment:
        """Deposits and positions that make the long side `open_interest` [micro-USD] large."""
        sides = np.where(self.stream(self.name, "sides").random(len(self.accounts)) < 0.5, 1, -1)
        sides[self._hedged] = -1
        weight, holds = self.traits.weight, self.traits.starts_with_position
        notional = weight * self.allowed_leverage(parameters.initial) * holds
        longs = np.sum(notional * (sides > 0))
        shorts = np.sum(notional * (sides < 0))
        share = self.settings.long_share
        tilt = np.where(sides > 0, 1.0, (1 - share) / share * longs / shorts if shorts else 1.0)
        scale = open_interest / longs if longs else open_interest / len(self.accounts)
        lots = np.rint(sides * notional * tilt * scale / price[self.traits.home]).astype(np.int64)
        size = np.zeros((len(price), len(self.accounts)), np.int64)
        size[self.traits.home, np.arange(len(self.accounts))] = lots
        cash = np.rint(weight * tilt * scale).astype(np.int64)
        wallet = self.settings.wallet * cash.astype(float)
        counted = price * parameters.weight_initial / PPM
        assets = self._assets_for(cash, counted)
        cash -= np.rint(counted @ assets).astype(np.int64)
        self.start_cash = cash + (price * parameters.weight_maintenance / PPM) @ assets
        self.opening_equity = self.start_cash.copy()
        return Endowment(
            cash, wallet, size, assets, self._own_initial(parameters.initial), -size * self._hedged
        )

    @property
    def _hedged(self) -> Mask:
        """Accounts whose position on the venue has its opposite outside."""
        return self.traits.hedges | self.traits.carries

    def _own_initial(self, initial: Ints) -> Ints:
        """Initial margin that accounts ask to be held to [ppm], with a tenth to spare; 0 for the market's."""
        rate = np.minimum(0.9 * PPM / self.allowed_leverage(initial), PPM).astype(np.int64)
        return np.where(self.traits.binds_itself, np.maximum(rate, initial[self.traits.home]), 0)

    def _assets_for(self, cash: Ints, counted: Floats) -> Ints:
        """Units of each market's asset, (m, k) [lots], that count for as much as `cash` to initial margin.

        Whoever brings an asset brings enough for the position that they want. A lot counts for `counted`,
        (m,) [micro-USD]; where that is 0 the venue does not take the asset, and cash stays cash.
        """
        worth = counted[self.traits.home]
        index = np.flatnonzero(self.traits.brings_asset & (worth > 0))
        assets = np.zeros((len(counted), len(cash)), np.int64)
        assets[self.traits.home[index], index] = (cash[index] / worth[index]).astype(np.int64)
        return assets

    def act(self, view: View) -> Actions:
        """Stops, targets and top-ups of those who are near, then the decisions of those who woke."""
        triggered = self._triggered(view)
        woken = np.setdiff1d(self.awake(view, self._attention(view)), triggered, assume_unique=True)
        luck = self.draw("decide", view.block).random(len(woken))
        held = view.book.size[self.traits.home[woken], self.accounts[woken]]
        opening = woken[(held == 0) & (luck < self._entry(view, woken))]
        closing = woken[(held != 0) & (luck < self._exit(view, woken, np.sign(held)))]
        flat = woken[held == 0]
        return Actions(
            orders=join(
                [self._close(view, triggered), self._close(view, closing), self._open(view, opening)]
            ),
            transfers=merge_transfers(
                self._top_up(view), self._return(view, flat), self._cash_out(view, flat)
            ),
            hedges=self._hedge(view),
        )

    def _attention(self, view: View) -> float:
        """Decisions of one account [1/s]; turmoil wakes people."""
        turmoil = max(float((view.volatility / view.calm_volatility).max()) - 1, 0.0)
        return self.settings.attention / DAY * (1 + self.settings.alarm * turmoil)

    def _entry(self, view: View, index: Ints) -> Floats:
        """Probability that a flat account opens, for each of `index`."""
        chosen, home = self.settings, self.traits.home[index]
        fear = np.minimum(1, view.calm_volatility / view.volatility) ** chosen.caution
        mood = np.exp(chosen.enthusiasm * view.sentiment)
        pays = np.abs(view.funding_rate[home]) > chosen.carry_threshold * 1e-4
        return np.where(self.traits.carries[index], pays, chosen.entry * mood * fear[home])

    def _exit(self, view: View, index: Ints, side: Ints) -> Floats:
        """Probability that a holder closes, for each of `index`, who stand on the given sides."""
        chosen, home = self.settings, self.traits.home[index]
        against = np.maximum(-side * view.trend[home] - chosen.panic_threshold, 0)
        pays = side * view.funding_rate[home] > 0
        leaves = chosen.exit + chosen.panic * against * ~self.traits.hedges[index]
        return np.where(self.traits.carries[index], pays, leaves)

    def _hedge(self, view: View) -> Hedges:
        """What carriers trade outside, to hold the opposite of their positions there.

        Only who has traded, or did not get all its hedge, may need one.
        """
        touched, account = self.trades.since(view.book), self.carriers
        if touched is not None and len(account):
            index = touched - self.accounts[0]
            mine = index[(index >= 0) & (index < len(self.accounts))]
            account = np.union1d(self.uneven, self.accounts[mine[self.traits.carries[mine]]])
        held = view.book.size[:, account].astype(float)
        hedges = hedge_toward(view, account, -held, 1.0, np.zeros((1, 1)))
        self.uneven = np.unique(hedges.account)
        return hedges

    def _triggered(self, view: View) -> Ints:
        """Holders whose stop-loss or profit target is hit."""
        chosen = self.settings
        account = self.exits.due(view.book, view.parameters)
        index = account - self.accounts[0]
        equity, _, maintenance = view.risk_of(account)
        low, high = np.array([[1 - chosen.stop_loss], [1 + chosen.take_profit]]) * self.opening_equity[index]
        stops, aims = self.traits.has_stop[index], self.traits.has_target[index]
        hit = (stops & (equity < low) | aims & (equity > high)) & (maintenance > 0)
        spare = np.minimum(np.where(stops, equity - low, np.inf), np.where(aims, high - equity, np.inf))
        self.exits.place(account, spare, sensitivities(view.book, view.parameters, account, 0.0))
        self.exits.forget(account[hit])
        return index[hit]

    def _close(self, view: View, index: Ints) -> Orders:
        """Orders that close the whole position, within the slippage limit."""
        account, market = self.accounts[index], self.traits.home[index]
        size = -view.book.size[market, account]
        limit = view.mid[market] * (1 + np.sign(size) * self.settings.slippage)
        return orders(account, market, size, limit.astype(np.int64), reduce_only=True)

    def _open(self, view: View, index: Ints) -> Orders:
        """Orders that open a position at the account's leverage, on the side its style suggests."""
        account, market = self.accounts[index], self.traits.home[index]
        worth, initial, _ = view.risk_of(account)
        equity = np.maximum(worth - initial, 0)
        taste = self.draw("taste", view.block).standard_normal(len(index))
        lean = NormalDist().inv_cdf(self.settings.long_share)
        pull = self.traits.style[index] * self.settings.conviction * view.trend[market]
        herd = self.settings.herding * view.sentiment
        side = np.where(pull + taste + lean + herd > 0, 1, -1)
        side[self.traits.hedges[index]] = -1
        carries = self.traits.carries[index]
        side[carries] = np.where(view.funding_rate[market[carries]] > 0, -1, 1)
        leverage = self.allowed_leverage(view.parameters.initial, index)
        size = side * (leverage * equity / view.mid[market]).astype(np.int64)
        self._reopen(index, equity)
        limit = view.mid[market] * (1 + side * self.settings.slippage)
        return orders(account, market, size, limit.astype(np.int64))

    def _reopen(self, index: Ints, equity: Floats) -> None:
        """Measure the gains and losses of accounts from this equity on [micro-USD]."""
        self.opening_equity[index] = equity
        self.exits.forget(self.accounts[index])

    def _top_up(self, view: View) -> Transfers:
        """Cash from the wallets of watchful holders whose equity has come near maintenance."""
        self._follow_margins(view)
        looking = self.awake(view, self.settings.top_up_rate / 3600, "look", among=self.near)
        equity, _, maintenance = view.risk_of(self.accounts[looking])
        return self._deposit(view, looking, self.settings.top_up_target * maintenance - equity)

    def _follow_margins(self, view: View) -> None:
        """Keep note of the watchful holders whose equity is near maintenance."""
        trigger = self.settings.top_up_trigger
        account = self.margins.due(view.book, view.parameters)
        index = account - self.accounts[0]
        equity, _, maintenance = view.risk_of(account)
        watches = self.traits.watches[index]
        self.near[index] = watches & (maintenance > 0) & (equity < trigger * maintenance)
        spare = np.where(watches, np.abs(equity - trigger * maintenance), np.inf)
        self.margins.place(account, spare, sensitivities(view.book, view.parameters, account, trigger))

    def _return(self, view: View, index: Ints) -> Transfers:
        """Fresh cash of flat accounts that have lost nearly all."""
        equity = view.risk_of(self.accounts[index])[0]
        ruined = index[equity < 0.1 * self.start_cash[index]]
        return self._deposit(view, ruined, 0.5 * self.start_cash[ruined])

    def _deposit(self, view: View, index: Ints, wanted: Floats) -> Transfers:
        """Deposits of what is wanted, as far as the wallets reach."""
        account = self.accounts[index]
        amount = np.maximum(np.minimum(wanted, view.outside_cash[account]), 0).astype(np.int64)
        self._reopen(index, self.opening_equity[index] + amount)
        return transfers(account, amount, DEPOSIT)

    def _cash_out(self, view: View, index: Ints) -> Transfers:
        """Withdrawals of flat accounts that have more than doubled their money."""
        account = self.accounts[index]
        surplus = view.risk_of(account)[0] - 2 * self.start_cash[index]
        return transfers(account, (surplus / 2).astype(np.int64), WITHDRAW)
