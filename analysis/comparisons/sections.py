"""The parts of a comparison's page that hold its numbers, each a list of lines of Markdown."""

from collections.abc import Iterator

import pandas as pd

from analysis.comparisons.comparison import Comparison
from analysis.comparisons.contrasts import label_text
from analysis.comparisons.findings import runs_of
from analysis.comparisons.gates import PASS
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.markdown import code, table
from analysis.comparisons.policy_changes import policy_changes
from analysis.comparisons.rows import NO_DIFFERENCE
from analysis.comparisons.words import Row, chance, change, estimate, horizon, number, rejected, spread_of
from analysis.narrative import READINGS
from analysis.wording import count, joined, percent, quantity

SETTINGS = 40


def simulated_section(comparison: Comparison) -> list[str]:
    """What was run, how long, how often and with which code."""
    manifest = comparison.manifest
    world = manifest["scenario"]["world"]
    reading = READINGS[world["reading"]].partition(".")[0]
    axes = {
        axis for each in comparison.contrasts for combination in each.combinations for axis, _ in combination
    }
    where = comparison.choices.get("where") or {}
    fixed = [f"{axis} at {label_text(label)}" for axis, label in where.items()]
    others = sorted(axes - set(where))
    lines = [
        f"- Sweep: {manifest['name']}. {manifest['description']}".rstrip(". ") + ".",
        f"- Scenario: {manifest['scenario']['name']}. {manifest['scenario']['description']}".rstrip(". ")
        + ".",
        f"- Horizon: every run is {horizon(manifest['seconds'])} of {joined(manifest['markets'])}.",
        f"- Seeds: {_seeds(comparison)}",
        f"- Reading: {reading}; share of the market {percent(float(world['share']))}.",
        *([f"- Kept fixed: {joined(fixed)}."] if fixed else []),
        *([f"- Averaged over all combinations of {joined(others)}."] if others else []),
        *(f"- {line}" for line in _origins(comparison)),
        *(f"- {note}" for note in comparison.notes),
    ]
    return ["## What was simulated", "", *lines]


def _seeds(comparison: Comparison) -> str:
    seeds, points = len(comparison.contrasts[0].seeds), len(comparison.contrasts[0].combinations)
    times = f" in {points} combinations of the other axes" if points > 1 else ""
    return f"{seeds}, the same worlds for every policy{times}."


def _origins(comparison: Comparison) -> Iterator[str]:
    """Where the results lie and which code made them, one line for each sweep."""
    arms = [comparison.contrasts[0].baseline, comparison.contrasts[0].alternative]
    for results in {arm.results.place: arm.results for arm in arms}.values():
        told = results.manifest
        revision = f", revision {told['git_revision'][:12]}" if told["git_revision"] else ""
        yield (
            f"Results: {code(results.place)}, Seawall {told['seawall'] or 'of unknown version'}{revision}, "
            f"code {told['code']['revision'][:12]}."
        )
    if len({arm.results.manifest["code"]["revision"] for arm in arms}) > 1:
        yield "The two sweeps were run with different code, which may itself make a difference."


def changes_section(comparison: Comparison) -> list[str]:
    """Settings before and after."""
    frame = policy_changes(comparison.contrasts)
    names = [comparison.baseline, *comparison.foremost]
    rows = [
        [code(str(row["setting"])), *(str(row[name]) for name in names)] for row in frame.to_dict("records")
    ]
    head = ["Setting", f"{comparison.baseline} (before)", *comparison.foremost]
    lines = table(head, rows[:SETTINGS]) if rows else ["The policies have the same settings."]
    more = [f"\nAnd {count(len(rows) - SETTINGS, 'more setting')}."] if len(rows) > SETTINGS else []
    return ["## What changes", "", *lines, *more]


def gates_section(comparison: Comparison) -> list[str]:
    """Which rules each policy passes; nothing where there are none."""
    if comparison.gates.empty:
        return []
    outcomes = comparison.gates.groupby("alternative", sort=False)["outcome"]
    names = [str(name) for name, found in outcomes if set(found) == {PASS}]
    shown_gates = comparison.gates[comparison.gates["alternative"].isin(comparison.foremost)]
    span = horizon(comparison.manifest["seconds"])
    rows = [_gate(row, span) for row in shown_gates.to_dict("records")]
    level = percent(comparison.drawing.level)
    note = (
        f"{_passed(names)} A gate is passed when the whole {level} interval keeps it, failed when none of it "
        "does, and otherwise not shown either way."
    )
    head = ["Gate", "Policy", "Outcome", "Estimate", "Runs"]
    return ["## Gates", "", *table(head, rows, left=3), "", note]


def _passed(names: list[str]) -> str:
    if not names:
        return "No policy passes all gates."
    return f"{joined(names)} {'passes' if len(names) == 1 else 'pass'} all gates."


def _gate(row: Row, span: str) -> list[str]:
    unit, about_change = str(row["unit"]), str(row["gate"]).startswith("change")
    values = [number(row, column) for column in ("estimate", "low", "high")]
    told = [_gated(value, unit, about_change) for value in values]
    reason = f", {row['reason']}" if row["reason"] else ""
    return [
        code(str(row["gate"])),
        str(row["alternative"]),
        f"**{row['outcome']}**{reason}",
        f"{told[0]} ({told[1]} to {told[2]})",
        f"{row['seeds']} of {span}",
    ]


def _gated(value: float, unit: str, about_change: bool) -> str:
    text = quantity(value, unit)
    return f"+{text}" if about_change and value > 0 else text


def results_section(comparison: Comparison) -> list[str]:
    """A table for each metric in which some policy differs, and a word on the others."""
    lines = ["## Results", "", _reading(comparison)]
    same = []
    for _, rows in comparison.frame.groupby("metric", sort=False):
        if rows["tested"].any():
            lines += ["", *_metric(rows[rows["alternative"].isin(comparison.foremost)], comparison)]
        else:
            same.append(str(rows["label"].iloc[0]))
    if same:
        lines += ["", f"The same under all policies in every run: {joined(same)}."]
    if len(comparison.foremost) < len(comparison.alternatives):
        lines += [
            "",
            f"Only the {len(comparison.foremost)} policies that differ most stand here; the CSV has all.",
        ]
    return lines


def _reading(comparison: Comparison) -> str:
    level, alpha = percent(comparison.drawing.level), f"{comparison.drawing.alpha:g}"
    return (
        f"Numbers are per run; brackets hold {level} intervals. VaR 95 % is the value that the worst 5 % of "
        "the runs lie beyond, ES 95 % the mean of that worst 5 %; worst is highest for losses and lowest for "
        f"balances and profits. p is corrected for {count(comparison.family, 'comparison')}; a verdict is "
        f"given where it is below {alpha}."
    )


def _metric(rows: pd.DataFrame, comparison: Comparison) -> list[str]:
    several = len(comparison.alternatives) > 1
    policy = ["Policy"] if several else []
    ends = [comparison.baseline, "the policy" if several else comparison.alternatives[0]]
    head = ["Statistic", *policy, *ends, "Difference", "Change", "p, corrected", "Verdict"]
    records = rows.to_dict("records")
    cells = [_cells(row, comparison.drawing, several) for row in records]
    definition = comparison.manifest["metrics"][records[0]["metric"]]["definition"]
    about: dict[str, list[str]] = {}
    for row in records:
        for warning in filter(None, str(row["warning"]).split("; ")):
            about.setdefault(warning, []).append(f"{row['statistic_label']} of {row['alternative']}")
    warnings = [f"{warning}: {joined(names)}." for warning, names in about.items()]
    lines = [f"### {records[0]['label']}", "", definition, "", *table(head, cells, left=1 + several)]
    return [*lines, *(["", "Beware:", "", *(f"- {warning}" for warning in warnings)] if warnings else [])]


def _cells(row: Row, drawing: Drawing, several: bool) -> list[str]:
    unit = str(row["unit"])
    return [
        f"{row['statistic_label']}, {runs_of(row)}",
        *([str(row["alternative"])] if several else []),
        estimate(row, "baseline", unit),
        estimate(row, "alternative", unit),
        spread_of(row, unit, drawing) if row["tested"] else "none",
        change(row),
        chance(number(row, "p_holm")),
        _verdict(row, drawing),
    ]


def _verdict(row: Row, drawing: Drawing) -> str:
    if not row["tested"]:
        return "the same"
    if row["verdict"] != NO_DIFFERENCE:
        return f"**{row['verdict']}**"
    return "not shown, though on its own it would be" if rejected(row, drawing) else "not shown"
