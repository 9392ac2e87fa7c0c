"""Self-liquidating whale: lets the backstop take a position at the mark that no book would have taken.

It buys far more than the market's depth, which lifts the price that its gain is reckoned at; takes out all
margin that the venue does not hold back; and waits for the price to give way. The vault then takes the
position over at the mark, and bears the way down. What it lives on is a low margin on large positions, whose
gain at the mark may be withdrawn though it could not be had in the book.

References
----------
.. [1] Hyperliquid, 12 March 2025: a long of about 160,000 ETH; the vault lost about 4 M USD, the trader
   gained about 1.8 M. Since then withdrawals leave a fifth of the notional, and large positions lever less.
"""

from typing import Literal

import mesa
import numpy as np

from agents.attackers.attack import Attack, AttackSettings, slice_share, withdrawals
from agents.role import NO_TRANSFERS, Actions, Stream, View
from agents.settings import Duration, parameter
from protocol.arithmetic import PPM
from protocol.book import Ints
from protocol.orders import NONE, Orders, orders


class SelfLiquidatingWhaleSettings(AttackSettings):
    """Settings of a whale that lets itself be liquidated."""

    kind: Literal["self_liquidating_whale"]
    leverage: float = parameter(20.0, "1", gt=0, le=200, description="notional bought, over the budget")
    build: Duration = parameter(1200, "s", gt=0, description="time over which it buys")
    slippage: float = parameter(0.02, "1", gt=0, lt=1, description="most that an order pays over the mid")
    patience: Duration = parameter(3600, "s", gt=0, description="after which it closes what is left")
    unload: Duration = parameter(1800, "s", gt=0, description="time in which most of that is closed")


class SelfLiquidatingWhale(Attack):
    """One account with a position far too large for the book."""

    def __init__(
        self,
        model: mesa.Model,
        accounts: Ints,
        stream: Stream,
        settings: SelfLiquidatingWhaleSettings,
        market: int,
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.settings = settings

    def attack(self, view: View, since: float) -> Actions:
        """Buy, withdraw, and in the end close what nobody took over."""
        chosen = self.settings
        if since < chosen.build:
            return Actions(orders=self._purchases(view))
        if since < chosen.build + chosen.patience:
            return Actions(transfers=withdrawals(self.accounts))
        share = slice_share(view.seconds, chosen.unload)
        left = bool(self.held(view)[0])
        return Actions(
            orders=self.exit(view, self.accounts, share, chosen.slippage) if left else NONE,
            transfers=NO_TRANSFERS if left else withdrawals(self.accounts),
        )

    def _purchases(self, view: View) -> Orders:
        """The block's part of the position, as far as the venue's initial margin allows."""
        chosen, market = self.settings, self.market
        equity, initial, _ = view.risk_of(self.accounts[:1])[:, 0]
        room = max(float(equity - initial), 0) * PPM / float(view.parameters.initial[market])
        wanted = chosen.leverage * self.budget * view.seconds / chosen.build
        lots = min(self.lots_worth(view, wanted), int(0.9 * room / view.mid[market]))
        limit = int(view.mid[market] * (1 + chosen.slippage))
        return orders(self.accounts, market, np.array([lots]), limit)
