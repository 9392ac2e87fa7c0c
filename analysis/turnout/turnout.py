"""Many electorates of a venue, and where the real one falls among them."""

from collections.abc import Callable

import pandas as pd

from analysis.turnout.history import History
from analysis.turnout.measures import history_statistics
from analysis.turnout.venues import Venue
from analysis.validation.score import scores
from analysis.validation.validation import Validation


def turnout(
    venue: Venue, electorates: int = 100, report: Callable[[int, int], None] | None = None
) -> Validation:
    """Let electorates vote on a venue's proposals, and score what was measured of the real one.

    Parameters
    ----------
    venue : Venue
    electorates : int
        Independent ones, with seeds from 1; at least 20 for scores.
    report : callable, optional
        Called with how many are finished, and how many there will be.

    Returns
    -------
    Validation
        A row of scores for each fact, with `fitted`, `input` or `predicted` as its family.
    """
    rows = []
    for seed in range(1, electorates + 1):
        rows.append({"seed": seed, "error": ""} | history_statistics(History(venue, seed).run()))
        if report:
            report(seed, electorates)
    replicas = pd.DataFrame(rows)
    return Validation(scores(replicas, venue.targets()), replicas)
