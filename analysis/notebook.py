"""The figures of reports, for notebooks."""

from pathlib import Path

from analysis.comparisons.comparison import Comparison
from analysis.comparisons.figure import comparison_figure
from analysis.figures import draw
from analysis.style import Figure
from analysis.tables import Run, load_run


def figures(source: str | Path | Run | Comparison) -> dict[str, Figure]:
    """The figures of a report by their names, as Altair charts.

    Parameters
    ----------
    source : str, Path, Run or Comparison
        A run's folder, a run as `seawall.load` reads it, or what `seawall.compare` has found.

    Returns
    -------
    dict of str to Figure
        In the order of the report; names are those of the files in `figures/`. A chart shows itself as the
        last line of a notebook's cell; `chart.save("prices.svg")` writes it.

    Raises
    ------
    FileNotFoundError
        Names every file that a run's folder must hold and this one does not.
    """
    if isinstance(source, Comparison):
        return {"comparison": comparison_figure(source)}
    return draw(source if isinstance(source, Run) else load_run(source))
