"""What governance may change, under the names and in the units of scenario files."""

from typing import NamedTuple

from protocol.arithmetic import MICRO, PPM
from protocol.governance.payload import ALL, Setting


class Governed(NamedTuple):
    """A parameter: its field in `RiskParameters`, units of that in one of scenario files, and its scope."""

    field: str
    scale: int
    each_market: bool = True


GOVERNED = {
    "initial_margin": Governed("initial", PPM),
    "maintenance_margin": Governed("maintenance", PPM),
    "open_interest_cap": Governed("open_interest_cap", MICRO),
    "initial_weight": Governed("weight_initial", PPM),
    "maintenance_weight": Governed("weight_maintenance", PPM),
    "gain_weight": Governed("gain_weight", PPM),
    "cap_ratio": Governed("cap_ratio", PPM),
    "cap_time": Governed("cap_time", 1),
    "cap_growth": Governed("cap_growth", PPM),
    "minimum_margin": Governed("margin_floor", MICRO),
    "position_margin": Governed("position_margin", MICRO),
    "impact_notional": Governed("impact_notional", MICRO),
    "taker_fee": Governed("taker_fee", PPM, each_market=False),
    "maker_fee": Governed("maker_fee", PPM, each_market=False),
    "liquidation_fee": Governed("liquidation_fee", PPM, each_market=False),
    "liquidation_share": Governed("liquidation_share", PPM, each_market=False),
    "liquidation_maximum": Governed("liquidation_maximum", MICRO, each_market=False),
    "insurance_loss": Governed("insurance_loss", MICRO, each_market=False),
    "backstop_trigger": Governed("backstop_trigger", PPM, each_market=False),
}
NAMES = {governed.field: name for name, governed in GOVERNED.items()}


def setting(name: str, market: int, value: float) -> Setting:
    """A setting by its name and in the unit of scenario files; `market` is left out where there is one."""
    governed = GOVERNED[name]
    return Setting(
        governed.field, market if governed.each_market else ALL, round(float(value) * governed.scale)
    )


def scale(field: str) -> int:
    """Units of a field of `RiskParameters` in one of scenario files."""
    return GOVERNED[NAMES[field]].scale
