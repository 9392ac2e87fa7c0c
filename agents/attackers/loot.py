"""What a hostile proposal is to bring: other people's money, new tokens, or rules that an exploit needs."""

from typing import Literal, NamedTuple

from pydantic import model_validator

from agents.attackers.chamber import Chamber
from agents.settings import Settings, parameter
from protocol.arithmetic import MICRO
from protocol.book import Floats, Ints
from protocol.governance.governed import setting
from protocol.governance.payload import Mint, Payload, Payment, Setting, current
from protocol.governance.tokens import LARGEST_SUPPLY

PURSES = ("insurance_fund", "fees", "vault")
LOOSENED = ("initial_margin", "maintenance_margin", "open_interest_cap")


class LootSettings(Settings):
    """What an attacker wants governance to do."""

    payload: Literal["drain", "mint", "loosen"] = parameter(
        "drain", "", description="empty a purse; make tokens for itself; set parameters of the market"
    )
    purse: Literal["insurance_fund", "fees", "vault"] = parameter(
        "insurance_fund", "", description="that is drained"
    )
    share: float = parameter(1.0, "1", gt=0, le=1, description="of the purse, taken by one proposal")
    most: float = parameter(1e12, "USD", gt=0, description="taken by one proposal at most")
    minted: float = parameter(0.0, "tokens", ge=0, le=1e12, description="made by one proposal")
    initial_margin: float = parameter(0.0, "1", ge=0, le=1, description="to be set; 0: left as it is")
    maintenance_margin: float = parameter(0.0, "1", ge=0, le=1, description="to be set; 0: left as it is")
    open_interest_cap: float = parameter(0.0, "USD", ge=0, description="to be set; 0: left as it is")

    @model_validator(mode="after")
    def _aimed(self) -> "LootSettings":
        """A payload that does something."""
        if self.payload == "mint" and not self.minted:
            raise ValueError("payload mint needs minted > 0, got 0")
        if self.payload == "loosen" and not any(getattr(self, name) for name in LOOSENED):
            raise ValueError(f"payload loosen needs one of {', '.join(LOOSENED)} above 0, got none")
        return self


class Place(NamedTuple):
    """To whom loot goes: account on the venue, holder of tokens, market that is attacked."""

    account: int
    holder: int
    market: int


def loot(settings: LootSettings, chamber: Chamber, place: Place) -> Payload:
    """What a proposal made now does."""
    if settings.payload == "drain":
        return Payload(payments=(Payment(purse(settings, chamber), place.account, taken(settings, chamber)),))
    if settings.payload == "mint":
        room = LARGEST_SUPPLY - (chamber.tokens.supply if chamber.tokens else 0)
        return Payload(mints=(Mint(place.holder, min(round(settings.minted * MICRO), room)),))
    return Payload(settings=wanted(settings, chamber, place.market))


def purse(settings: LootSettings, chamber: Chamber) -> int:
    """Account that is drained."""
    return chamber.purses[PURSES.index(settings.purse)]


def taken(settings: LootSettings, chamber: Chamber) -> int:
    """Money that a drain asks for [micro-USD]."""
    money = max(0, int(chamber.money[purse(settings, chamber)]))
    return min(int(settings.share * money), round(settings.most * MICRO))


def wanted(settings: LootSettings, chamber: Chamber, market: int) -> tuple[Setting, ...]:
    """Parameters of a market as they are to be, those left out that are so already."""
    values = {name: getattr(settings, name) for name in LOOSENED}
    asked = [setting(name, market, value) for name, value in values.items() if value]
    return tuple(each for each in asked if current(chamber.parameters, each) != each.value)


def harm(settings: LootSettings, chamber: Chamber) -> float:
    """What one token loses by it: its share of what is taken, or of what new tokens thin out [USD]."""
    if chamber.tokens is None or chamber.market is None:
        return 0.0
    supply = chamber.tokens.supply / MICRO
    if settings.payload == "drain":
        return taken(settings, chamber) / MICRO / supply
    if settings.payload == "mint":
        return chamber.market.price * settings.minted / (supply + settings.minted)
    return 0.0


def reservations(stakes: Ints, power: Ints, loss: float, reputation: Floats) -> Floats:
    """Least price for which holders of power would sell a vote, (k,) [USD per token].

    Parameters
    ----------
    stakes, power : (k,) int64
        Own tokens, and votes that each may cast [micro-tokens]; votes above 0.
    loss : float
        Of one token, if the proposal passes [USD].
    reputation : (k,) float64
        What a vote for it costs a name [USD per token].
    """
    return loss * stakes / power + reputation
