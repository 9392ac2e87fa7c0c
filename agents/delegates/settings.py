"""Settings of the electorate: what it holds, how much it attends, what it wants. Defaults are Compound's."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from agents.settings import Settings, parameter

Interest = Literal["traders", "vault_depositors", "token_holders", "risk_council"]
INTERESTS: tuple[Interest, ...] = Interest.__args__  # type: ignore[attr-defined]  # a Literal has its values

MESSIAS = "Messias et al. 2025"
FITTED = f"fitted to {MESSIAS}, 307 proposals of Compound; docs/governance-people.md"
SHARES: dict[str, float] = {
    "traders": 0.25,
    "vault_depositors": 0.25,
    "token_holders": 0.4,
    "risk_council": 0.1,
}


class HoldingSettings(Settings):
    """Who has how many tokens, and who votes with them."""

    supply: float = parameter(
        1e7, "tokens", "compound-governance, script/CompoundGovernorConstants.sol", gt=0, le=1e12
    )
    holders: int = parameter(
        20_000, "1", ge=2, le=200_000, description="who are simulated; dust below them is left out"
    )
    spread: float = parameter(
        3.0,
        "1",
        "on-chain votes of Uniswap to July 2022: of the log of weights above 10 UNI, 2.9",
        ge=0,
        le=6,
        description="standard deviation of the log of balances",
    )
    largest: float = parameter(
        0.015,
        "1",
        FITTED,
        gt=0,
        le=1,
        description="balance that nobody exceeds, of supply",
    )
    delegated: float = parameter(
        0.24,
        "1",
        f"{MESSIAS}: 672,000 votes on a mean proposal over a mean turnout of 28.0 %",
        ge=0,
        le=1,
        description="share of supply that votes through anybody",
    )
    delegates: int = parameter(50, "1", FITTED, ge=1, description="holders whom others follow")
    concentration: float = parameter(
        0.2,
        "1",
        FITTED,
        ge=0,
        le=5,
        description="exponent of rank in the chance that a holder follows a delegate",
    )
    independents: int = parameter(
        4_000,
        "1",
        f"{MESSIAS}: 4,538 addresses voted on Compound",
        ge=0,
        description="small holders who vote for themselves",
    )

    @model_validator(mode="after")
    def _room(self) -> "HoldingSettings":
        """Enough holders for every part, and enough of them to hold the supply."""
        if self.largest * self.holders < 1:
            raise ValueError(
                f"largest * holders >= 1 must hold, got largest={self.largest}, holders={self.holders}"
            )
        if self.delegates + 2 * self.independents > self.holders:
            raise ValueError(
                "delegates + 2 * independents <= holders must hold, got "
                f"delegates={self.delegates}, independents={self.independents}, holders={self.holders}"
            )
        return self


class AttentionSettings(Settings):
    """Who votes on a proposal, and when."""

    level: float = parameter(
        0.145,
        "1",
        FITTED,
        ge=0,
        lt=1,
        description="chance to vote of a delegate with a hundredth of all power, on a median proposal",
    )
    slope: float = parameter(
        0.42, "1", FITTED, ge=-2, le=5, description="exponent of power in the odds of voting"
    )
    habit: float = parameter(
        1.0, "1", ge=0, le=5, description="standard deviation, between people, of the log odds of voting"
    )
    salience: float = parameter(
        0.8, "1", FITTED, ge=0, le=5, description="the same between proposals, shared by all"
    )
    called: float = parameter(
        0.1,
        "1",
        FITTED,
        ge=0,
        le=1,
        description="chance that an absent delegate follows a call while the quorum is missing",
    )
    call: float = parameter(
        0.6, "1", ge=0, le=1, description="part of the voting period after which calls go out"
    )
    midpoint: float = parameter(
        0.465,
        "1",
        f"{MESSIAS}: votes on Compound come 1.43 days after the start of 3",
        gt=0,
        lt=1,
        description="mean moment of a vote, as a part of the voting period",
    )
    regularity: float = parameter(
        2.0, "1", gt=0, le=100, description="sum of the two parameters of its beta law; 2 near 0.5 is even"
    )


class OpinionSettings(Settings):
    """What voters think of a proposal."""

    appeal: float = parameter(
        4.0, "1", FITTED, ge=-20, le=20, description="mean log odds that a voter favours a routine proposal"
    )
    appeal_spread: float = parameter(
        1.0, "1", FITTED, ge=0, le=20, description="its standard deviation between proposals"
    )
    ideology: float = parameter(
        1.5,
        "1",
        ge=0,
        le=20,
        description="log odds that one deviation of caution adds",
    )
    stakes: float = parameter(
        10.0, "1", ge=0, le=1e4, description="log odds for one unit of log change against an interest"
    )
    abstention: float = parameter(0.02, "1", ge=0, le=1, description="share of votes that abstain")
    vigilance: float = parameter(
        0.9, "1", ge=0, le=1, description="chance that a voter sees what a payload does to the treasury"
    )


class InitiativeSettings(Settings):
    """What people propose themselves."""

    rate: float = parameter(0.0, "1/day", ge=0, le=1e3, description="proposals of all together; 0: none")
    power: float = parameter(
        0.0025,
        "1",
        "compound-governance, script/CompoundGovernorConstants.sol: 25,000 of 10 million",
        ge=0,
        le=1,
        description="of supply, from which a delegate may propose",
    )
    step: float = parameter(0.1, "1", gt=0, le=1, description="log change that one proposal asks for")


class PeopleSettings(Settings):
    """The holders of a governance token."""

    holdings: HoldingSettings = HoldingSettings()
    attention: AttentionSettings = AttentionSettings()
    opinion: OpinionSettings = OpinionSettings()
    initiative: InitiativeSettings = InitiativeSettings()
    interests: dict[Interest, Annotated[float, Field(ge=0)]] = parameter(
        SHARES, "1", description="shares of people by what they live from; one left out is not there"
    )

    @model_validator(mode="after")
    def _whole(self) -> "PeopleSettings":
        """The shares of interests make a whole."""
        total = sum(self.interests.values())
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of interests must add up to 1, got {total:g}")
        return self
