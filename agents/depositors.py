"""Depositors in the vault and in pools, who may run, and the vault that they fund.

Depositors look at their purse from time to time, more often when it loses. One who has lost more than it can
bear redeems and withdraws; the calm ones stay. The vault quotes as dYdX's MegaVault does, wide and skewed
against its inventory, and sells what it has taken over in slices.

References
----------
.. [1] dYdX v4-chain, x/vault/types/params.go and x/vault/keeper/orders.go.
"""

from typing import NamedTuple

import mesa
import numpy as np

from agents.role import (
    BUY_SHARES,
    DEPOSIT,
    SELL_SHARES,
    WITHDRAW,
    Actions,
    Endowment,
    Role,
    Stream,
    Transfers,
    View,
    merge_transfers,
    transfers,
)
from agents.settings import Settings, parameter
from protocol.arithmetic import MICRO
from protocol.book import VAULT, Floats, Ints, share_rows
from protocol.orders import POST_ONLY, Orders, join, orders

FARTHEST = 10.0


class DepositorSettings(Settings):
    """Settings of vault depositors; rates are for one account."""

    accounts: int = parameter(200, "1", ge=0, le=1_000_000)
    size_sigma: float = parameter(1.5, "1", ge=0, le=4, description="standard deviation of log deposit")
    attention: float = parameter(1.0, "1/day", ge=0, description="looks at the vault in calm times")
    alarm: float = parameter(50.0, "1", ge=0, description="growth of attention per unit of loss")
    tolerance: float = parameter(0.05, "1", gt=0, lt=1, description="median loss that makes one leave")
    tolerance_sigma: float = parameter(0.8, "1", ge=0, description="standard deviation of log tolerance")
    inflow: float = parameter(
        0.1, "1/day", ge=0, description="idle depositors coming back to a winning vault"
    )


class Depositors(Role):
    """All depositors as one Mesa agent."""

    name = "depositors"

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: DepositorSettings
    ) -> None:
        super().__init__(model, accounts, stream)
        self.settings = settings
        traits = stream(self.name, "traits").standard_normal((2, len(accounts)))
        self.weight = np.exp(settings.size_sigma * traits[0])
        self.tolerance = settings.tolerance * np.exp(settings.tolerance_sigma * traits[1])
        self.purse = np.full(len(accounts), VAULT)

    def endow(self, deposits: dict[int, float], price: Ints) -> Endowment:
        """Cash for the vault and the pools, which the model moves into them at the start.

        Depositors take the purses in turn and keep to theirs.

        Parameters
        ----------
        deposits : dict of int to float
            What each purse, by its account, receives in all [micro-USD].
        """
        cash = np.zeros(len(self.accounts), np.int64)
        for turn, (purse, amount) in enumerate(deposits.items()):
            mine = np.arange(len(cash)) % len(deposits) == turn
            self.purse[mine] = purse
            total = max(self.weight[mine].sum(), 1e-9)
            cash[mine] = (amount * self.weight[mine] / total).astype(np.int64)
        return Endowment(cash, np.zeros(len(cash)), np.zeros((len(price), len(cash)), np.int64))

    def act(self, view: View) -> Actions:
        """Redemptions of those who looked and had lost too much; what was redeemed leaves the venue."""
        row = share_rows(self.purse)
        price = view.share_price[row]
        loss = np.maximum(1 - price, 0.0)
        looking = self._looking(view, loss)
        held = view.book.shares[row, self.accounts]
        leaving = looking[self.tolerance[looking] < loss[looking]]
        redeem = transfers(self.accounts[leaving], held[leaving], SELL_SHARES, self.purse[leaving])
        idle = np.flatnonzero((held == 0) & (view.book.cash[self.accounts] > 0))
        home = transfers(self.accounts[idle], view.book.cash[self.accounts[idle]], WITHDRAW)
        return Actions(transfers=merge_transfers(redeem, home, self._come_back(view, price)))

    def _looking(self, view: View, loss: Floats) -> Ints:
        """Depositors who look at their purse now; the more it has lost, the more often they do."""
        worst = float(loss.max(initial=0.0))
        rate = self.settings.attention * (1 + self.settings.alarm * worst) / 86_400
        awake = self.awake(view, rate)
        if not len(awake):
            return awake
        kept = (1 + self.settings.alarm * loss[awake]) / (1 + self.settings.alarm * worst)
        luck = self.draw("look", view.block).random(len(awake))
        return awake[luck < kept]

    def _come_back(self, view: View, price: Floats) -> Transfers:
        """Deposits from outside, of those who had left, while their purse stands above what they paid."""
        looking = self.awake(view, self.settings.inflow / 86_400, "return")
        account = self.accounts[looking]
        cash = (view.outside_cash[account] * (price[looking] > 1.0)).astype(np.int64)
        arriving = transfers(account, cash, DEPOSIT)
        return merge_transfers(arriving, transfers(account, cash, BUY_SHARES, self.purse[looking]))


class Quoting(NamedTuple):
    """How the vault quotes: spread of a layer [1], layers, order size over equity [1], skew factor [1]."""

    spread: float
    layers: int
    order_share: float
    skew: float


class Vault(Role):
    """The backstop vault as a trader: its quotes, and the unwinding of what it took over."""

    name = "vault"

    def __init__(
        self,
        model: mesa.Model,
        accounts: Ints,
        stream: Stream,
        quoting: Quoting,
    ) -> None:
        super().__init__(model, accounts, stream)
        self.quoting = quoting

    def act(self, view: View) -> Actions:
        """Quote, and sell down what is more than the quotes would carry."""
        equity = float(view.risk_of(np.array([VAULT]))[0, 0])
        if equity <= 0:
            return Actions(leaving=self.accounts, orders=self._unwind(view, 0.0))
        return Actions(
            leaving=self.accounts, orders=join([self._quotes(view, equity), self._unwind(view, equity)])
        )

    def _quotes(self, view: View, equity: float) -> Orders:
        """MegaVault's ladder: each layer a spread further out, bent by the leverage held."""
        price = view.book.oracle.astype(float)
        if equity < 1000 * MICRO:
            return join([])
        leverage = view.book.size[:, VAULT] * price / equity
        lots = (self.quoting.order_share * equity / price).astype(np.int64)
        ladder = []
        for layer in range(self.quoting.layers):
            for side in (1, -1):
                offset = self._offset(side, side * leverage + layer * self.quoting.order_share, layer)
                limit = price * np.clip(1 + offset, 0, FARTHEST)
                ladder.append(
                    orders(
                        np.full(len(price), VAULT),
                        np.arange(len(price)),
                        side * lots,
                        np.rint(limit).astype(np.int64),
                        kind=POST_ONLY,
                        expiry=view.block,
                    )
                )
        return join(ladder)

    def _offset(self, side: int, leverage: Floats, layer: int) -> Floats:
        """Distance of a layer from the oracle price, (m,) [1]; `leverage` > 0 where the side adds to it."""
        adding = np.maximum(leverage, 0)
        shift = np.where(
            leverage > 0, (self.quoting.skew * adding + 1) ** 2 - 1, self.quoting.skew * leverage
        )
        return -side * self.quoting.spread * (layer + 1) * np.maximum(1 + shift, 0.05)

    def _unwind(self, view: View, equity: float) -> Orders:
        """Reduce-only slices of positions worth more than a tenth of equity, at up to 1 % from the mark."""
        held, price = view.book.size[:, VAULT], view.book.mark
        excess = np.maximum(np.abs(held) - 0.1 * max(equity, 0.0) / price, 0)
        share = 1 - 0.9 ** (view.seconds / 60)
        size = -np.sign(held) * np.ceil(share * excess).astype(np.int64)
        limit = (price * (1 + 0.01 * np.sign(size))).astype(np.int64)
        return orders(np.full(len(held), VAULT), np.arange(len(held)), size, limit, reduce_only=True)
