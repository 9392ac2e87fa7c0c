"""The page of a comparison, in Markdown that a governance forum shows as it is, with its table and figure."""

from pathlib import Path

from analysis.comparisons.comparison import Comparison
from analysis.comparisons.figure import comparison_figure
from analysis.comparisons.findings import answer, title
from analysis.comparisons.method import failures_section, limits_section, method_section, reproduction_section
from analysis.comparisons.sections import changes_section, gates_section, results_section, simulated_section
from analysis.figures import write_images

NAME = "comparison"


def write_comparison(comparison: Comparison, folder: str | Path) -> Path:
    """Write `comparison.md`, `comparison.csv` and the figure as PNG and SVG.

    Parameters
    ----------
    comparison : Comparison
    folder : str or Path
        Made if it does not exist; files of the same name are replaced. Equal comparisons give equal bytes.

    Returns
    -------
    Path
        Of the Markdown.
    """
    folder = Path(folder)
    write_images({NAME: comparison_figure(comparison)}, folder)
    comparison.frame.to_csv(folder / f"{NAME}.csv", index=False, lineterminator="\n")
    page = folder / f"{NAME}.md"
    page.write_text(comparison_markdown(comparison), encoding="utf-8")
    return page


def comparison_markdown(comparison: Comparison) -> str:
    """The page as text."""
    sections = [
        [f"# {title(comparison)}", "", *answer(comparison)],
        simulated_section(comparison),
        changes_section(comparison),
        gates_section(comparison),
        results_section(comparison),
        ["## Figure", "", f"![Differences from {comparison.baseline} with intervals]({NAME}.png)"],
        failures_section(comparison),
        method_section(comparison),
        limits_section(comparison),
        reproduction_section(comparison),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"
