"""Faulty scenario files end with 0 or 2 and a message; `make mutations` tries many more."""

from collections import Counter
from pathlib import Path

import pytest
from mutations import fate, mutant
from small import calm

from sim.problems import ScenarioError

FILES = 60


@pytest.mark.slow
def test_no_mutated_file_ends_with_a_traceback(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for number in range(FILES):
        outcome = fate(mutant(number), tmp_path)
        seen[outcome] += 1

        assert "\n" not in outcome, f"file {number} of tests/mutations.py: {outcome}"
    assert seen["refused"] > 10
    assert seen["runs"] > 10


def test_a_kind_that_is_named_as_a_key_of_its_own_does_not_lead_astray() -> None:
    with pytest.raises(ScenarioError, match=r"world\.prices\.activity\.0\.half_life: must be given"):
        calm("world.prices={kind: regimes, activity: [{sigma: 1}]}")
