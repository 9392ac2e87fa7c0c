"""The report of a sweep: one HTML page of the same make as a run's, from the parts of its comparison."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import markdown_it

from analysis.comparisons.comparison import Comparison
from analysis.comparisons.figure import comparison_figure
from analysis.comparisons.findings import answer, title, verdict
from analysis.comparisons.method import failures_section, limits_section, method_section, reproduction_section
from analysis.comparisons.page import NAME
from analysis.comparisons.sections import changes_section, gates_section, results_section, simulated_section
from analysis.comparisons.words import horizon
from analysis.figures import write_images
from analysis.page import described, plate, write_page
from analysis.style import Figure
from analysis.wording import MINUS, count

TEMPLATE = "sweep.html.j2"
JOINER = "\N{WORD JOINER}"  # keeps a minus at its number where lines break
BEFORE = (simulated_section, changes_section)
AFTER = (
    gates_section,
    results_section,
    failures_section,
    limits_section,
    method_section,
    reproduction_section,
)
MARKDOWN = (
    markdown_it.MarkdownIt("commonmark", {"html": False})
    .enable("table")
    .disable(["autolink", "image", "link"])
)


def write_sweep_report(
    comparison: Comparison, folder: str | Path, others: Mapping[str, tuple[Figure, str]] | None = None
) -> Path:
    """Write `report.html`, `figures/` and `comparison.csv`.

    Parameters
    ----------
    comparison : Comparison
    folder : str or Path
        Made if it does not exist; files of the same name are replaced. Equal comparisons give equal bytes.
    others : mapping of str to (Figure, str), optional
        Figures that come before the comparison's, such as a frontier, by their names, each with a sentence
        on what it shows.

    Returns
    -------
    Path
        Of the page.
    """
    folder = Path(folder)
    drawn = dict(others or {}) | {NAME: (comparison_figure(comparison), described(comparison_figure))}
    write_images({name: figure for name, (figure, _) in drawn.items()}, folder / "figures")
    comparison.frame.to_csv(folder / f"{NAME}.csv", index=False, lineterminator="\n")
    return write_page(TEMPLATE, _contents(comparison, drawn), folder / "report.html")


def _contents(comparison: Comparison, drawn: Mapping[str, tuple[Figure, str]]) -> dict[str, Any]:
    manifest = comparison.manifest
    return {
        "name": manifest["name"],
        "description": manifest["description"],
        "version": manifest["seawall"],
        "title": title(comparison),
        "verdict": verdict(comparison),
        "foremost": _foremost(comparison),
        "answer": html("\n".join(answer(comparison))),
        "facts": _facts(comparison),
        "before": [_section(make(comparison)) for make in BEFORE],
        "after": [_section(lines) for make in AFTER if (lines := make(comparison))],
        "plates": [plate(name, figure, about) for name, (figure, about) in drawn.items()],
    }


def _foremost(comparison: Comparison) -> str:
    """That only some policies are told of; nothing where all are."""
    shown, every = len(comparison.foremost), len(comparison.alternatives)
    return f"The {shown} of {every} that differ most:" if shown < every else ""


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
    manifest = comparison.manifest
    return [
        ("scenario", str(manifest["scenario"]["name"])),
        ("policies", count(len(comparison.alternatives) + 1)),
        ("seeds", count(len(comparison.contrasts[0].seeds))),
        ("runs of", horizon(manifest["seconds"])),
        ("markets", ", ".join(manifest["markets"])),
        ("reading", str(manifest["reading"])),
        ("runs", count(int(comparison.failures["runs"].sum()))),
        ("done", count(int(comparison.failures["done"].sum()))),
    ]


def _section(lines: list[str]) -> dict[str, str]:
    """A part of the Markdown page as HTML, under its own heading."""
    heading = lines[0].removeprefix("## ")
    anchor = re.sub(r"[^a-z]+", "-", heading.lower())
    return {"anchor": f"on-{anchor}", "title": heading, "html": html("\n".join(lines[1:]))}


def html(markdown: str) -> str:
    """Markdown as HTML in which nothing is a tag, a link or an image that the text has brought along."""
    text = str(MARKDOWN.render(markdown)).replace(MINUS, MINUS + JOINER)
    text = re.sub(r"<code>[^<\n]*</code>", lambda found: re.sub(r"([._])", r"\1<wbr>", found[0]), text)
    return text.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
