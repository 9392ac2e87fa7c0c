"""What funding rules are shown in the tests: one market at 100 USD per lot unless told otherwise."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from protocol.arithmetic import MICRO
from protocol.book import FUNDING_SCALE, Floats, Ints
from protocol.carry.funding_rules import Funding, Observation, Steps, open_funding

PRICE = 100 * MICRO
TYPES = {"oracle": np.int64, "long_interest": np.int64, "short_interest": np.int64, "fee_pool": np.int64}


def floats(*values: float) -> Floats:
    """A float64 column."""
    return np.array(values, np.float64)


def integers(*values: float) -> Ints:
    """An int64 column."""
    return np.array(values, np.int64)


def usd(amount: float) -> int:
    """Micro-USD of an amount in USD, or of a price in USD per lot."""
    return round(amount * MICRO)


def observation(**changes: Any) -> Observation:
    """A venue at the index with 100 lots on each side, without depth and without a pool."""
    shown: dict[str, Any] = {
        "oracle": PRICE,
        "mid": changes.get("oracle", PRICE),
        "impact_bid": 0,
        "impact_ask": 0,
        "long_interest": 100,
        "short_interest": 100,
        "oracle_ok": True,
        "usage_long": 0,
        "usage_short": 0,
        "fee_pool": 0,
    }
    columns = {
        name: np.atleast_1d(np.array(value, TYPES.get(name, np.bool_ if name == "oracle_ok" else np.float64)))
        for name, value in (shown | changes).items()
    }
    return Observation(**columns)


def opened(time: float = 0.0, **state: Any) -> Funding:
    """Funding of one market that opened at `time`, with what it remembers."""
    columns = {name: integers(value) if name == "dust" else floats(value) for name, value in state.items()}
    return open_funding(1, time)._replace(**columns)


def rate_to_step(rate: float, seconds: float, price: float = PRICE) -> float:
    """Step of a rate [1/s] that is paid for some time on one lot."""
    return rate * seconds * price * FUNDING_SCALE


def pair(steps: Steps | None) -> list[int]:
    """Both steps of the first market."""
    assert steps is not None
    return [int(steps.long[0]), int(steps.short[0])]


def venue_rows(name: str) -> Any:
    """A table of funding worked by hand."""
    text = (Path(__file__).parent / "reference" / "funding.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)[name]["rows"]
