"""What an attacker may do with governance: everything that anybody may do, and no more."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.token_market import TokenMarket
from protocol.book import Floats, Ints
from protocol.governance.process import Process
from protocol.governance.tokens import Tokens
from protocol.parameters import RiskParameters


@dataclass(frozen=True, eq=False)
class Chamber:
    """Governance at the end of a block, as it stands open to all.

    Attributes
    ----------
    time, seconds : float
        Now, and the length of a block [s].
    process : Process
        Proposals; submit, vote, sign and commit through it.
    parameters : RiskParameters
        In force.
    route : str
        That proposals take in this scenario.
    tokens : Tokens, optional
        Who votes with how much; None where nobody votes.
    market : TokenMarket, optional
        Where they are bought and lent.
    cash : (n,) float64
        Of every account outside the venue [micro-USD]; a plotter pays from his own.
    money : (n,) int64
        Cash of every account on the venue [micro-USD]; to be read, not written.
    purses : tuple of int
        Accounts that hold other people's money: the insurance fund, fees, the vault.
    holder : int
        Number of the plotter among the holders of tokens; he begins with none.
    lender : int
        Holder who stands for the market: of the tokens that nobody votes with, which it sells and lends.
    execute : callable
        Puts into force at once what is due, for who needs it within the same moment.
    """

    time: float
    seconds: float
    process: Process
    parameters: RiskParameters
    route: str
    tokens: Tokens | None
    market: TokenMarket | None
    cash: Floats
    money: Ints
    purses: tuple[int, ...]
    holder: int
    lender: int
    execute: Callable[[], None]
