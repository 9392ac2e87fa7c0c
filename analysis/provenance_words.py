"""What a run stands on: which parameters are measured, fitted, chosen by the scenario, or assumed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.wording import count, joined

MEASURED, FITTED, CHOSEN, ASSUMED = "measured", "fitted", "chosen", "assumed"
KINDS = {
    MEASURED: "read or measured at a named source",
    FITTED: "fitted to data",
    CHOSEN: "chosen by the scenario",
    ASSUMED: "assumed",
}


def kind_of(source: str) -> str:
    """What kind of knowledge a parameter's source is: one of `KINDS`."""
    first = source.partition(" ")[0].rstrip(":")
    known = {"assumed": ASSUMED, "scenario": CHOSEN, "fitted": FITTED}
    return known.get(first, MEASURED)


def kinds_of(parameters: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many parameters of a manifest are of each kind, in the order of `KINDS`."""
    found = Counter(kind_of(str(row["source"])) for row in parameters)
    return {kind: found[kind] for kind in KINDS}


def provenance_sentence(parameters: Sequence[Mapping[str, Any]]) -> str:
    """How many parameters there are, and what they rest on."""
    told = [
        f"{count(number)} {'is' if number == 1 else 'are'} {KINDS[kind]}"
        for kind, number in kinds_of(parameters).items()
        if number
    ]
    return f"Of {count(len(parameters), 'parameter')}, {joined(told)}."
