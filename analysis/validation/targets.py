"""What real markets did: one number for each statistic, with its source."""

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
        Length of the sample [s]; 0 where replicas have the length of the run.
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
        Target(name, float(real), family, group["source"], _seconds(group.get("span", 0)))
        for family, groups in families.items()
        for group in groups
        for name, real in group["values"].items()
    ]


def _seconds(span: object) -> int:
    seconds = parse_duration(span)
    if not isinstance(seconds, int):
        raise ValueError(f"a span must be a duration, got {span!r}")
    return seconds
