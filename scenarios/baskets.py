"""Traders who hold all markets at once with one equity: who carries a loss from one market into another.

A class for `agents.own`, as the sweep `cross_margin` uses it. At the start each account goes long by
`leverage` times its equity, in equal parts in the markets that it may hold; where positions stand alone,
accounts take the markets in turn, so that notional and equity of all together are the same. Then they hold.
"""

import numpy as np

from agents.custom import Trader
from agents.role import View
from protocol.orders import Orders, orders


class Baskets(Trader):
    """Goes long in every market within `entry` seconds, to `leverage` over equity, and then does nothing."""

    def act(self, view: View) -> Orders:
        """Buy what is still lacking, at any price, while it may."""
        allowed = view.holdable(self.accounts)
        if view.time > float(self.settings["entry"]):
            allowed = np.zeros_like(allowed)
        parts = allowed / np.maximum(allowed.sum(axis=0), 1)
        wanted = float(self.settings["leverage"]) * view.risk[0, self.accounts] * parts / view.mid[:, None]
        lacking = np.trunc(wanted).astype(np.int64) - view.book.size[:, self.accounts]
        market, index = np.nonzero(lacking > 0)
        return orders(self.accounts[index], market, lacking[market, index], 0)
