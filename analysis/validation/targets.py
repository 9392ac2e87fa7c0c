"""What real markets did: one number for each statistic, with its source."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from agents.settings import parse_duration

MARKETS = frozenset({"btc", "eth"})
FILE = Path(__file__).with_name("targets.yaml")


@dataclass(frozen=True)
class Target:
    """A statistic of a real market.

    Attributes
    ----------
    name : str
        As the statistic is called where it is computed.
    real : float
        Its value.
    family : {"returns", "markets"}
        Whether it is about prices over years, or about the venue in a run.
    source : str
    span : int
        Length of the sample [s].
    """

    name: str
    real: float
    family: str
    source: str
    span: int

    @property
    def markets(self) -> frozenset[str]:
        """Markets that the statistic is about, in lower case."""
        return frozenset(self.name.split("_")) & MARKETS


def targets(file: Path = FILE) -> list[Target]:
    """All targets in the order of the file."""
    families = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [
        Target(name, float(real), family, group["source"], _seconds(group["span"]))
        for family, groups in families.items()
        for group in groups
        for name, real in group["values"].items()
    ]


def fitting(known: Iterable[Target], seconds: int) -> list[Target]:
    """The targets for runs of `seconds`: of a statistic of the markets, the sample nearest to that length.

    Those of returns are all kept, since a path is drawn as long as each of their samples.
    """
    chosen: dict[tuple[str, str], Target] = {}
    for target in known:
        key = target.family, target.name
        held = chosen.setdefault(key, target)
        if target.family == "markets" and _distance(target, seconds) < _distance(held, seconds):
            chosen[key] = target
    return list(chosen.values())


def _distance(target: Target, seconds: int) -> float:
    return abs(math.log(target.span / seconds))


def _seconds(span: object) -> int:
    seconds = parse_duration(span)
    if not isinstance(seconds, int):
        raise ValueError(f"a span must be a duration, got {span!r}")
    return seconds
