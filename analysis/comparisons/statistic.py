"""Statistics of a metric over runs, and the text that names them: `es95(bad_debt_gross_usd)`."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from analysis.wording import NBSP, quantity
from sim.problems import suggestion

Kind = Literal["mean", "quantile", "shortfall", "probability"]
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NAME = re.compile(r"(?P<name>mean|median|var|es|q)(?P<share>\d+(?:\.\d+)?)?")
_CALL = re.compile(r"(?P<name>[a-z]+[\d.]*)\s*\((?P<inside>[^()]*)\)")
_EVENT = re.compile(rf"(?P<metric>[^<>=\s]*)\s*(?P<side>[<>])\s*(?P<threshold>{NUMBER})")
FEWEST, FEWEST_IN_TAIL = 32, 3
RULE = "a statistic is written as mean, median, var95, es95, q90 or p(> 0)"
CALL_RULE = "a statistic of a metric is written as es95(bad_debt_gross_usd) or p(uncovered_usd > 0)"


@dataclass(frozen=True)
class Statistic:
    """What is computed from one metric of many runs.

    Attributes
    ----------
    text : str
        As the user wrote it.
    kind : {"mean", "quantile", "shortfall", "probability"}
    share : float
        Share of the runs below a quantile, or outside the tail of a shortfall; 0 for others.
    tail : {"upper", "lower", ""}
        Which tail a VaR or a shortfall looks at; empty where it follows from the metric, or for others.
    side : {">", "<", ""}
        Of a probability.
    threshold : float
        Of a probability, in the metric's unit.
    """

    text: str
    kind: Kind
    share: float = 0.0
    tail: Literal["upper", "lower", ""] = ""
    side: Literal[">", "<", ""] = ""
    threshold: float = 0.0

    def towards(self, worse: str) -> "Statistic":
        """The statistic of a metric of which "higher", "lower" or neither ("") is worse."""
        if self.kind not in ("quantile", "shortfall") or self.tail:
            return self
        return replace(self, tail="lower" if worse == "lower" else "upper")

    @property
    def fewest_seeds(self) -> int:
        """Number of seeds below which an interval does not deserve its name: 32, and three in the tail.

        Notes
        -----
        Found by experiment on heavy-tailed losses: with fewer than three runs in the tail of a shortfall its
        95 % interval holds the true value in about half of the cases.
        """
        tail = 0.5 - abs(self.share - 0.5) if self.kind in ("quantile", "shortfall") else 0.5
        return max(FEWEST, math.ceil(round(FEWEST_IN_TAIL / tail, 6)))

    def label(self, unit: str) -> str:
        """Name for tables: VaR 95 %, ES 95 %, share of runs above $0."""
        percentage = f"{self.share * 100:g}{NBSP}%"
        match self.kind:
            case "mean":
                return "mean"
            case "quantile" if self.text == "median":
                return "median"
            case "quantile":
                return f"VaR {percentage}" if self.text.startswith("var") else f"{percentage} quantile"
            case "shortfall":
                return f"ES {percentage}"
        return f"share of runs {'above' if self.side == '>' else 'below'} {quantity(self.threshold, unit)}"

    def unit(self, unit: str) -> str:
        """Unit of its values, of a metric in `unit`."""
        return "1" if self.kind == "probability" else unit


@dataclass(frozen=True)
class Measure:
    """A statistic of a metric, as in `es95(bad_debt_gross_usd)`."""

    statistic: Statistic
    metric: str

    @property
    def text(self) -> str:
        """The measure as it is written in gates."""
        statistic = self.statistic
        if statistic.kind == "probability":
            return f"p({self.metric} {statistic.side} {statistic.threshold:g})"
        return f"{statistic.text}({self.metric})"


def parse_statistic(text: str) -> Statistic:
    """Statistic of a text such as `mean`, `var99` or `p(> 0)`.

    Raises
    ------
    ValueError
        Naming the text and the rule.
    """
    event = re.fullmatch(r"p\s*\((.*)\)", text.strip())
    if event:
        found = _EVENT.fullmatch(event[1].strip())
        if found and not found["metric"]:
            return _probability(found)
    plain = _NAME.fullmatch(text.strip())
    if plain is None:
        raise ValueError(f"{RULE}, got {text!r}")
    return _named(plain, text)


def _named(found: re.Match[str], text: str) -> Statistic:
    name, written = found["name"], found["share"]
    if (name in ("mean", "median")) != (written is None):
        raise ValueError(f"{RULE}, got {text!r}")
    if name == "mean":
        return Statistic("mean", "mean")
    if name == "median":
        return Statistic("median", "quantile", 0.5, "upper")
    share, lowest = float(written) / 100, 0.0 if name == "q" else 0.5
    if not lowest < share < 1:
        raise ValueError(f"{lowest * 100:g} < percentage < 100 must hold, got {text!r}")
    canonical = f"{name}{share * 100:g}"
    return Statistic(
        canonical, "shortfall" if name == "es" else "quantile", share, "upper" if name == "q" else ""
    )


def _probability(found: re.Match[str]) -> Statistic:
    threshold = float(found["threshold"])
    side: Literal[">", "<"] = ">" if found["side"] == ">" else "<"
    return Statistic(f"p({side} {threshold:g})", "probability", side=side, threshold=threshold)


def parse_measure(text: str, metrics: Mapping[str, Mapping[str, Any]]) -> Measure:
    """Measure of a text such as `es95(bad_debt_gross_usd)` or `p(uncovered_usd > 0)`.

    Parameters
    ----------
    text : str
    metrics : mapping
        Known metrics; `worse` of each says which tail a VaR or a shortfall looks at.

    Raises
    ------
    ValueError
        Naming the text, the rule, and metrics of a similar name.
    """
    call = _CALL.fullmatch(text.strip())
    if call is None:
        raise ValueError(f"{CALL_RULE}, got {text!r}")
    if call["name"] == "p":
        event = _EVENT.fullmatch(call["inside"].strip())
        if event is None or not event["metric"]:
            raise ValueError(f"{CALL_RULE}, got {text!r}")
        statistic, metric = _probability(event), event["metric"]
    else:
        statistic, metric = parse_statistic(call["name"]), call["inside"].strip()
    if metric not in metrics:
        raise ValueError(f"no such metric {metric!r} in {text!r}{suggestion(metric, metrics)}")
    return Measure(statistic.towards(str(metrics[metric]["worse"])), metric)
