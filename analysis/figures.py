"""All figures of a run, and their images."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import altair as alt
import vl_convert

from analysis import market_figures, venue_figures
from analysis.cascade_figures import CASCADE_FIGURES
from analysis.cascades import traceable
from analysis.engine_figures import ENGINE_FIGURES
from analysis.fairness_figures import FAIRNESS_FIGURES
from analysis.governance_figures import GOVERNANCE_FIGURES
from analysis.style import Figure
from analysis.tables import Run

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])

FIGURES: dict[str, Callable[[Run], Figure]] = {
    "prices": market_figures.prices,
    "liquidations": venue_figures.liquidations,
    "waterfall": venue_figures.waterfall,
    "funds": venue_figures.funds,
    "liquidatable": venue_figures.liquidatable,
    "open_interest": market_figures.open_interest,
    "basis": market_figures.basis,
    "depth": market_figures.depth,
    "funding": market_figures.funding,
    "profit_and_loss": venue_figures.profit_and_loss,
}
OTHERS: dict[str, tuple[Callable[[Run], Figure], str]] = {
    **CASCADE_FIGURES,
    **FAIRNESS_FIGURES,
    **{name: (figure, "decisions") for name, figure in ENGINE_FIGURES.items()},
    **GOVERNANCE_FIGURES,
}
ALL_FIGURES = FIGURES | {name: figure for name, (figure, _) in OTHERS.items()}
THEMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "moves": ("How prices moved", ("prices",)),
    "losses": ("Liquidations and who paid", ("liquidations", "waterfall", "funds", "liquidatable")),
    "cascade": ("Who pushed whom", tuple(CASCADE_FIGURES)),
    "market": ("The market around it", ("open_interest", "basis", "depth", "funding")),
    "profit": ("Who won and who lost", ("profit_and_loss", *FAIRNESS_FIGURES)),
    "engine": ("What the risk engine decided", tuple(ENGINE_FIGURES)),
    "governance": ("How the rules changed", tuple(GOVERNANCE_FIGURES)),
}


def draw(run: Run) -> dict[str, Figure]:
    """Every figure of a run by its name, in the order in which they are read.

    Those of cascades, fairness, a risk engine and governance come last, where there is something to draw.
    """
    drawn = {name: figure(run) for name, figure in FIGURES.items()}
    return drawn | {
        name: figure(run)
        for name, (figure, table) in OTHERS.items()
        if len(run.more.get(table, ())) and (table != "failures" or traceable(run))
    }


def write_images(figures: Mapping[str, Figure], folder: Path, scale: float = 2.0) -> list[Path]:
    """Write each figure as SVG and PNG, and return the paths.

    Parameters
    ----------
    figures : mapping of str to Figure
        As drawn by `draw`.
    folder : Path
        Made if it does not exist; files of the same name are replaced.
    scale : float
        Pixels of the PNG per pixel of the layout.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in figures.items():
        svg = still(figure.to_json())
        png = vl_convert.svg_to_png(svg, scale=scale)
        written += [folder / f"{name}.svg", folder / f"{name}.png"]
        written[-2].write_text(svg, encoding="utf-8")
        written[-1].write_bytes(png)
    return written


def still(spec: str) -> str:
    """A figure, given as Vega-Lite in JSON, as an SVG image; the same bytes each time."""
    return _renumbered(vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE))


def _renumbered(svg: str) -> str:
    """An image whose clip paths count from nought; vl-convert counts them through the whole process."""
    numbers: dict[str, int] = {}

    def renumber(match: re.Match[str]) -> str:
        return f"{match[1]}{numbers.setdefault(match[2], len(numbers))}"

    return re.sub(r'((?:id="|url\(#)clip)(\d+)', renumber, svg)
