"""A set of accounts that is asked of many accounts at a time."""

import numpy as np

from protocol.book import Ints


class AccountSet:
    """Accounts, found by their number."""

    def __init__(self) -> None:
        self.mask = np.zeros(0, np.bool_)
        self.parts: list[Ints] = []

    def __contains__(self, account: int) -> bool:
        return account < len(self.mask) and bool(self.mask[account])

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def add(self, accounts: Ints) -> None:
        """Take accounts, (k,) ascending, into the set."""
        new = self.others(accounts)
        if len(new):
            self.mask[new] = True
            self.parts.append(new)

    def clear(self) -> None:
        """Take all accounts out."""
        for part in self.parts:
            self.mask[part] = False
        self.parts.clear()

    def others(self, accounts: Ints) -> Ints:
        """Those of some accounts, (k,) ascending, that are not in the set, in their order."""
        if len(accounts) and accounts[-1] >= len(self.mask):
            self.mask = np.append(self.mask, np.zeros(int(accounts[-1]) + 1, np.bool_))
        return accounts[~self.mask[accounts]]
