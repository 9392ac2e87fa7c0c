"""The world's section of a scenario: prices, gas, depth, impact, sentiment, and scheduled shocks."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from agents.settings import Duration, Settings, entries, parameter
from sim.prices.settings import Positive, PriceSettings, joined_with

DEPTH = {"BTC": 20e6, "ETH": 10e6}
CALM_VOLATILITY = {"BTC": 0.6, "ETH": 0.8}


class BlockspaceSettings(Settings):
    """The fee market of `gas.kind: eip1559`: what others will pay, and how the base fee follows.

    Others demand `(W / price)^elasticity` of the target. W is the base of gas times the exponential of a
    slow reversion, of bursts and of the market's turbulence.
    """

    half_life: Duration = parameter(
        43_200,
        "s",
        "ETH gas, daily means 2019-22 about their month: autocorrelation 0.43 after a day",
        gt=0,
        description="of a slow deviation of what others will pay",
    )
    sigma: float = parameter(
        0.36,
        "1",
        "the same: standard deviation 0.29 of the log of daily means, which that of the process gives",
        ge=0,
        le=5,
        description="standard deviation of the log of the slow deviation",
    )
    volatility_exponent: float = parameter(
        1.2,
        "1",
        "ETH on four days of stress 2021, 5 min: log gas on log volatility, 1.18 pooled, 1.05 to 1.58 by day",
        ge=0,
        le=5,
        description="what others will pay ~ (volatility over calm)^exponent, where that is above 1",
    )
    lag: Duration = parameter(
        1800, "s", "ETH on six such days, 10 min: best of 15, 30 and 60 min", ge=0, description="half-life"
    )
    bursts: float = parameter(4.0, "1/day", ge=0, le=10_000, description="sudden rushes for blockspace")
    burst_size: float = parameter(0.5, "1", ge=0, le=5, description="mean rise of the log by a rush")
    burst_half_life: Duration = parameter(
        1800, "s", "ETH gas on 22 Feb 2020, 10 min: autocorrelation 0.2 after an hour", gt=0
    )
    elasticity: float = parameter(0.5, "1", gt=0, le=10, description="of others' demand to the price")
    chain_block: Duration = parameter(12, "s", "Ethereum since the Merge", gt=0)
    target: float = parameter(15e6, "gas", "EIP-1559 at the London fork: half of 30M", gt=0)
    limit: float = parameter(2.0, "1", "EIP-1559", gt=1, description="largest block, of the target")
    change: float = parameter(
        0.125, "1", "EIP-1559", gt=0, le=1, description="largest change of the base fee by a chain block"
    )
    bid_spread: float = parameter(
        0.26,
        "1",
        "ETH, seven days of stress 2020-21: median of log(p90/p30) of prices paid in 10 min, over 1.81",
        gt=0,
        le=5,
        description="standard deviation of the log of the price that gets into a chain block",
    )
    feedback: float = parameter(
        1.0, "1", ge=0, description="gas used for each unit that the venue's people use; 0: nobody feels it"
    )


class GasSettings(Settings):
    """Price of blockspace: log-normal around its base, or a base fee that follows demand."""

    kind: Literal["lognormal", "eip1559"] = parameter("lognormal", "")
    base: float = parameter(20.0, "gwei", gt=0)
    ether: float = parameter(
        2000.0, "USD", gt=0, description="price of the gas token where the venue does not list ETH"
    )
    reversion: Duration = parameter(1800, "s", gt=0, description="lognormal: half-life of a deviation")
    sigma: float = parameter(0.35, "1", ge=0, le=5, description="lognormal: standard deviation of log gas")
    blockspace: BlockspaceSettings = BlockspaceSettings()


class DepthSettings(Settings):
    """Outside liquidity: it thins out when prices move, and comes back."""

    within_1pct: Annotated[dict[str, Positive], joined_with(DEPTH)] = parameter(
        DEPTH, "USD", description="resting within 1 % of the mid, by market"
    )
    volatility_exponent: float = parameter(1.0, "1", ge=0, le=5, description="depth ~ volatility^-exponent")
    calm_volatility: Annotated[dict[str, Positive], joined_with(CALM_VOLATILITY)] = parameter(
        CALM_VOLATILITY,
        "1 per sqrt(year)",
        "BTC and ETH spot 1 h by year 2017-2022: 0.66 to 0.97 and 0.79 to 1.24; BTC perp 2024-26: 0.5",
        description="at which depth is ordinary, by market",
    )
    floor: float = parameter(0.05, "1", gt=0, le=1, description="share of normal depth that always stays")
    recovery: Duration = parameter(1800, "s", gt=0, description="half-life of a lack of depth")


class ImpactSettings(Settings):
    """What net outside flow does to the outside price."""

    law: Literal["linear", "square_root"] = parameter(
        "linear", "", description="of the transient impact; both laws agree on a flow of the depth within 1 %"
    )
    permanent: float = parameter(0.3, "1", ge=0, le=1, description="share of an impact that stays")
    half_life: Duration = parameter(
        600, "s", "90 % of an impact measured gone after about 12 minutes; rounded", gt=0
    )
    coefficient: float = parameter(
        1.0, "1", ge=0, le=1000, description="log impact of a flow, over 100 times the depth within 1 %"
    )
    participation: float = parameter(
        1.0, "1/min", gt=0, description="largest net flow outside, of the depth within 1 %; the rest waits"
    )
    liquidations: bool = parameter(
        True, "1", description="forced trades move prices; false, the counterfactual: an outsider takes them"
    )


class SentimentSettings(Settings):
    """The mood of the market in [-1, 1]: a process that follows returns, a file, or a feed of one's own.

    The process is tanh(x), where x takes up each return times `gain` and forgets by halves. Fitted to the
    Fear & Greed index of 2018-22, taken to [-1, 1], the gain is 3.0, the half-life 10.5 days and the noise
    0.14; all of it is off unless a scenario asks for it.
    """

    gain: float = parameter(
        0.0, "1", ge=-1000, le=1000, description="rise of x by a log return of 1, the mean over markets"
    )
    half_life: Duration = parameter(
        907_200, "s", "Fear & Greed index on daily BTC returns 2018-22: 10.5 days", gt=0
    )
    noise: float = parameter(0.0, "1 per sqrt(day)", ge=0, le=100, description="shocks of its own to x")
    path: str = parameter("", "", description="CSV or Parquet with columns time and value, in its place")
    provider: str = parameter("", "", description="module:Class of a feed of one's own, in its place")

    @property
    def wanted(self) -> bool:
        """Whether anything but a scripted jump can move it."""
        return bool(self.gain or self.noise or self.path or self.provider)


class WorldSettings(Settings):
    """What the venue does not control."""

    reading: Literal["small", "representative"] = parameter(
        "small", "", description="the venue is a part of the market, or stands for all of it"
    )
    share: float = parameter(0.1, "1", gt=0, le=1, description="the venue's part of open interest")
    open_interest: float = parameter(
        1.0e9, "USD", gt=0, le=1e12, description="of the whole market, long side, at the start"
    )
    prices: Annotated[PriceSettings, Field(discriminator="kind")]
    gas: GasSettings = GasSettings()
    depth: DepthSettings = DepthSettings()
    impact: ImpactSettings = ImpactSettings()
    sentiment: SentimentSettings = SentimentSettings()


Markets = Annotated[tuple[str, ...], BeforeValidator(entries)]


class Shock(Settings):
    """Something that strikes at a set time after the start."""

    at: Duration = parameter(..., "s", ge=0)


class PriceJump(Shock):
    """The fundamental price jumps."""

    kind: Literal["price_jump"]
    size: float = parameter(..., "1", gt=-1, le=10, description="relative: -0.1 is a fall of 10 %")
    markets: Markets = parameter((), "", description="empty: all")
    half_life: Duration = parameter(0, "s", ge=0, description="of the return; 0: the jump stays")


class GasSpike(Shock):
    """Gas is a multiple of what it would be."""

    kind: Literal["gas_spike"]
    factor: float = parameter(..., "1", gt=0, le=1000)
    duration: Duration = parameter(..., "s", gt=0)


class LiquidityWithdrawal(Shock):
    """A share of outside depth goes away."""

    kind: Literal["liquidity_withdrawal"]
    share: float = parameter(..., "1", gt=0, le=1)
    duration: Duration = parameter(..., "s", gt=0)


class OracleStall(Shock):
    """The feed repeats its last price."""

    kind: Literal["oracle_stall"]
    duration: Duration = parameter(..., "s", gt=0)
    markets: Markets = parameter((), "", description="empty: all")


class OracleFault(Shock):
    """The feed reports its price times a wrong factor."""

    kind: Literal["oracle_fault"]
    factor: float = parameter(..., "1", gt=0, le=1e6, description="0.01 for two decimals lost")
    duration: Duration = parameter(..., "s", gt=0)
    markets: Markets = parameter((), "", description="empty: all")


class OutsideFlow(Shock):
    """Somebody whom the venue does not know trades outside."""

    kind: Literal["outside_flow"]
    usd: float = parameter(..., "USD", ge=-1e12, le=1e12, description="net purchases in each market")
    duration: Duration = parameter(0, "s", ge=0, description="over which it is spread; 0: at once")
    markets: Markets = parameter((), "", description="empty: all")


class SentimentJump(Shock):
    """News that change the mood and no price."""

    kind: Literal["sentiment_jump"]
    size: float = parameter(..., "1", ge=-10, le=10, description="added to the process behind the tanh")


AnyShock = Annotated[
    PriceJump | GasSpike | LiquidityWithdrawal | OracleStall | OracleFault | OutsideFlow | SentimentJump,
    Field(discriminator="kind"),
]
Shocks = Annotated[tuple[AnyShock, ...], BeforeValidator(entries)]
