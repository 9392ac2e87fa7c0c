"""Every metric with its definition, unit and source: tables for the terminal, and the page of the reference.

What a run's summary holds is defined where it is computed, and read from there; all others stand in
`measures.yaml`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import yaml
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from analysis.comparisons.markdown import code, table
from sim.metric_registry import Section
from sim.metrics import METRICS

FILE = Path(__file__).with_name("measures.yaml")
ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}
TOP = """# Metrics

`seawall metrics` prints this page, and `seawall metrics debt` the entries that speak of debt. The page is
made by `seawall metrics --markdown > docs/metrics.md` from the definitions that the code holds; the tests
keep both equal.

The horizon of a metric is the run. The unit 1 is a share or ratio, mostly printed as per cent; `x` is
leverage; `metric` is the unit of the metric that a statistic is taken of. An arrow says which way is worse
for the venue and its users, where one is. Where no source is named, the definition is our own.

The keys of the first sections are those of `summary.json`, of a sweep's `results.parquet` and of
`--metric`. `{market}`, `{role}` and `{attacker}` stand for names, as in `liquidated_usd_BTC`. A metric that
has no meaning in a run is null."""


class Entry(NamedTuple):
    """One line of the reference.

    Attributes
    ----------
    label : str
        As tables print it, or a name in Python.
    key : str
        In the summary of a run; empty for what is not in it.
    unit, definition, source : str
    computed_by : str
        Dotted name of what computes it; empty for what is in the summary.
    """

    label: str
    key: str
    unit: str
    definition: str
    source: str = ""
    computed_by: str = ""


def reference() -> dict[str, list[Entry]]:
    """Entries by section: those of a run's summary in the order of its table, and then all others."""
    text = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    found: dict[str, list[Entry]] = {section: [] for section in get_args(Section)}
    for key, metric in METRICS.items():
        unit, source = metric.unit + ARROWS[metric.worse], text["sources"].get(key, "")
        found[metric.section].append(Entry(metric.label, key, unit, metric.definition, source))
    return found | {section: [_measure(each) for each in some] for section, some in text["measures"].items()}


def _measure(fields: dict[str, Any]) -> Entry:
    return Entry(key="", **fields)


def reference_tables(word: str = "") -> list[Table]:
    """The reference for the terminal: the entries that hold a word, in any case; a table for each section."""
    kept = {
        section: [entry for entry in entries if word.lower() in " ".join(entry).lower()]
        for section, entries in reference().items()
    }
    return [_table(section, entries) for section, entries in kept.items() if entries]


def _table(section: str, entries: list[Entry]) -> Table:
    shown = Table(title=section.replace("`", ""), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("metric", "unit", "definition"):
        shown.add_column(name, overflow="fold")
    for entry in entries:
        told = f"{entry.label}. {entry.definition}" if entry.key else entry.definition
        source = f" [{entry.source}]" if entry.source else ""
        shown.add_row(Text(entry.key or entry.label), Text(entry.unit), Text(told + source))
    return shown


def reference_markdown() -> str:
    """The page `docs/metrics.md`."""
    return "\n".join([TOP, *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    for section, entries in reference().items():
        sourced = any(entry.source for entry in entries)
        head = ["metric", "key" if entries[0].key else "computed by", "unit", "definition"]
        rows = [
            [entry.label, code(entry.key or entry.computed_by), entry.unit, entry.definition]
            + [entry.source] * sourced
            for entry in entries
        ]
        yield f"\n## {section}\n"
        yield from table(head + ["source"] * sourced, rows, left=len(head) + sourced)
