"""What a comparison found, in sentences made from the numbers."""

from collections.abc import Iterator, Sequence

from analysis.comparisons.comparison import Comparison
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.rows import NO_DIFFERENCE
from analysis.comparisons.words import (
    Row,
    chance,
    change,
    horizon,
    interval,
    number,
    rejected,
    signed,
    spread_of,
)
from analysis.wording import count, joined, percent, quantity

LISTED, PARAGRAPHS = 3, 3
VERDICTS = ("worse", "better", "higher", "lower")


def title(comparison: Comparison) -> str:
    """What is compared with what."""
    names = comparison.alternatives
    who = joined(names) if len(names) <= 3 else f"{len(names)} alternatives"
    axis = f" ({comparison.by})" if comparison.by and len(names) > 3 else ""
    return f"{who} against {comparison.baseline}{axis}"


def answer(comparison: Comparison) -> list[str]:
    """The findings in plain words: a paragraph for each policy, or a point each where there are many."""
    frame, drawing = comparison.frame, comparison.drawing
    tables = [frame[frame["alternative"] == name].to_dict("records") for name in comparison.foremost]
    if len(tables) > PARAGRAPHS:
        return [f"- {_tally(rows)} {_short_lead(rows[0], drawing)}" for rows in tables if rows]
    return "\n\n".join(" ".join(_findings(rows, drawing)) for rows in tables if rows).split("\n")


def verdict(comparison: Comparison) -> str:
    """How many policies are shown better or worse than the baseline in what is measured first: a sentence."""
    frame = comparison.frame
    first = frame.iloc[0]
    rows = frame[(frame["metric"] == first["metric"]) & (frame["statistic"] == first["statistic"])]
    counted = {name: int((rows["verdict"] == name).sum()) for name in VERDICTS}
    told = [
        f"{number} {'is' if number == 1 else 'are'} shown {name}"
        for name, number in counted.items()
        if number
    ]
    silent = len(rows) - sum(counted.values())
    whole = f"Of {count(len(rows), 'alternative')} to {comparison.baseline}"
    about = f"in {measured(first.to_dict())}, over {runs_of(first.to_dict())}"
    if not told:
        return f"{whole}, none is shown to differ {about}."
    rest = f"; no difference is shown for {'the other' if silent == 1 else f'the other {silent}'}"
    return f"{whole}, {joined(told)} {about}{rest if silent else ''}."


def measured(row: Row) -> str:
    """Name of what a row compares, within a sentence: bad debt, gross (VaR 95 %)."""
    label = str(row["label"])
    return f"{label[0].lower()}{label[1:]} ({row['statistic_label']})"


def runs_of(row: Row) -> str:
    """Over how many runs of which length a number of a row is taken: 64 runs of 48 h."""
    several = f"{count(number(row, 'combinations'))} × " if number(row, "combinations") > 1 else ""
    return f"{several}{count(number(row, 'seeds'), 'run')} of {horizon(number(row, 'horizon_seconds'))}"


def _findings(rows: Sequence[Row], drawing: Drawing) -> Iterator[str]:
    """How many differences are shown, the first measure whatever came of it, and what else is shown."""
    yield _tally(rows)
    yield _lead(rows[0], drawing)
    for verdict in VERDICTS:
        found = _one_per_metric(
            [row for row in rows[1:] if row["verdict"] == verdict], str(rows[0]["metric"])
        )
        if found:
            more = f"; and {count(len(found) - LISTED, 'more metric')}" if len(found) > LISTED else ""
            listed = "; ".join(_brief(row, drawing) for row in found[:LISTED])
            yield f"{verdict.capitalize()}: {listed}{more}."


def _tally(rows: Sequence[Row]) -> str:
    counts = {
        verdict: sum(row["verdict"] == verdict for row in rows) for verdict in (*VERDICTS, NO_DIFFERENCE)
    }
    silent = counts.pop(NO_DIFFERENCE)
    parts = [f"{verdict} in {number}" for verdict, number in counts.items() if number]
    named, total = f"**{rows[0]['alternative']}**", count(len(rows), "comparison")
    if not parts:
        return f"{named} against {rows[0]['baseline']}: no difference is shown in any of {total}."
    rest = f"; in {silent} no difference is shown" if silent else ""
    return f"{named} against {rows[0]['baseline']}: of {total}, {joined(parts)}{rest}."


def _one_per_metric(rows: Sequence[Row], first: str) -> list[Row]:
    """The first row of each metric, that of the leading metric before all others."""
    found: dict[object, Row] = {}
    for row in sorted(rows, key=lambda row: row["metric"] != first):
        found.setdefault(row["metric"], row)
    return list(found.values())


def _lead(row: Row, drawing: Drawing) -> str:
    unit, name = str(row["unit"]), measured(row)
    before, after = (quantity(number(row, f"{side}_estimate"), unit) for side in ("baseline", "alternative"))
    about = f"{name[0].upper()}{name[1:]} is {after} against {before}, over {runs_of(row)} on the same seeds"
    if not row["tested"]:
        return f"{about}, and the same in every run."
    size = f"{signed(number(row, 'difference'), unit)} or {change(row)}"
    span = f"{percent(drawing.level)} interval {interval(row, unit, rejected(row, drawing))}"
    return f"{about}: {size}, {span}; {_judgement(row, drawing)}."


def _short_lead(row: Row, drawing: Drawing) -> str:
    gap = spread_of(row, str(row["unit"]), drawing)
    return (
        f"{row['label']} ({row['statistic_label']}), over {runs_of(row)}: {gap}, {_judgement(row, drawing)}."
    )


def _judgement(row: Row, drawing: Drawing) -> str:
    if not row["tested"]:
        return "the same in every run"
    if row["verdict"] != NO_DIFFERENCE:
        return f"{row['verdict']} (corrected p {chance(number(row, 'p_holm'))})"
    if rejected(row, drawing):
        alone = chance(number(row, "p"))
        return f"on its own a difference (p {alone}), but not one shown among all comparisons made"
    return "no difference shown"


def _brief(row: Row, drawing: Drawing) -> str:
    return f"{measured(row)} {spread_of(row, str(row['unit']), drawing)}"
