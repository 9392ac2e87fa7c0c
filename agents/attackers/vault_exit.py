"""Coordinated exit: a large depositor leaves the vault between a takeover and the loss that it causes.

The attacker deposits in the vault it is about to squeeze. When its short has been taken over at the mark, the
vault's books show no loss yet: the shares are sold at their full value, and the pump that follows is paid by
the depositors who stayed. Whoever may not leave at once pays most of his own gain himself.

References
----------
.. [1] Hyperliquid docs, "Protocol vaults": deposits in HLP stay for four days.
"""

from typing import Literal

import mesa

from agents.attackers.attack import AttackSettings, withdrawals
from agents.attackers.backstop_squeeze import BackstopSqueeze, SqueezeTerms
from agents.role import (
    BUY_SHARES,
    SELL_SHARES,
    Actions,
    Stream,
    Transfers,
    View,
    merge_transfers,
    transfers,
)
from agents.settings import parameter
from protocol.arithmetic import MICRO
from protocol.book import VAULT, Ints, share_row


class VaultExitSettings(AttackSettings, SqueezeTerms):
    """Settings of a coordinated exit."""

    kind: Literal["vault_exit"]
    stake: float = parameter(0.5, "1", gt=0, lt=1, description="of the budget, deposited in the vault")


class VaultExit(BackstopSqueeze):
    """A squeeze by somebody who is a depositor of its victim, and leaves in time."""

    wallets = 4

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: VaultExitSettings, market: int
    ) -> None:
        super(BackstopSqueeze, self).__init__(model, accounts, stream, settings, market)
        self.terms = settings
        self.stake = settings.stake

    def stakes(self) -> tuple[float, ...]:
        """As a squeeze, with what the deposit leaves; the fourth wallet holds the deposit."""
        squeeze = 1 - self.stake
        return (*(squeeze * share for share in super().stakes()), self.stake)

    def attack(self, view: View, since: float) -> Actions:
        """The squeeze, with a deposit at its beginning and the exit after the takeover."""
        moves = super().attack(view, since)
        return moves._replace(transfers=merge_transfers(self._shares(view), moves.transfers))

    def _shares(self, view: View) -> Transfers:
        """Shares bought while none are held and the short stands, sold once it has been taken over."""
        depositor = self.accounts[3:]
        owned = view.book.shares[share_row(VAULT), depositor]
        cash = view.book.cash[depositor]
        if view.time < self.start + self.terms.opening:
            return transfers(depositor, cash, BUY_SHARES, VAULT)
        if owned[0] and self.held(view)[1] == 0:
            return transfers(depositor, owned, SELL_SHARES, VAULT)
        return withdrawals(depositor) if cash[0] > MICRO else transfers(depositor, 0 * cash, SELL_SHARES)
