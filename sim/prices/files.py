"""Which candle file belongs to which market."""

from collections.abc import Sequence
from pathlib import Path

from sim.prices.settings import Bootstrap, Replay
from sim.problems import Problem, ScenarioError

PLACE = ("world", "prices", "path")


def candle_paths(
    settings: Replay | Bootstrap, markets: Sequence[str], place: tuple[str, ...] = PLACE
) -> dict[str, Path]:
    """Candle file of each market; `place` is where the scenario has the path.

    A mapping names them all. In one path, `{market}` stands for the market in lower or upper case;
    without it, the name of one market in the file's name is replaced by the others'.
    """
    if isinstance(settings.path, dict):
        missing = [market for market in markets if market not in settings.path]
        if missing:
            raise _path_error(f"a path is needed for {', '.join(missing)}", place)
        return {market: Path(settings.path[market]) for market in markets}
    if "{market}" in settings.path or len(markets) == 1:
        return {market: _filled(settings.path, market) for market in markets}
    path = Path(settings.path)
    named = [market for market in markets if market.casefold() in path.name.casefold()]
    if len(named) != 1:
        rule = f"the file's name must hold {{market}} or one of {', '.join(markets)}"
        raise _path_error(f"{rule}, got {path.name!r}", place)
    return {market: path.with_name(_renamed(path.name, named[0], market)) for market in markets}


def _path_error(rule: str, place: tuple[str, ...]) -> ScenarioError:
    return ScenarioError([Problem("", ".".join(place), rule, about=(place,))])


def _filled(template: str, market: str) -> Path:
    """`template` with the market's name, in the case in which such a file exists."""
    choices = [Path(template.replace("{market}", name)) for name in (market, market.lower(), market.upper())]
    return next((path for path in choices if path.is_file()), choices[0])


def _renamed(name: str, old: str, new: str) -> str:
    start = name.casefold().index(old.casefold())
    found = name[start : start + len(old)]
    cased = new.lower() if found.islower() else new.upper() if found.isupper() else new
    return name[:start] + cased + name[start + len(old) :]
