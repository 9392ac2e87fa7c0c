"""What a run is said to stand on."""

import pytest

from analysis.provenance_words import kind_of, kinds_of, provenance_sentence


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("assumed", "assumed"),
        ("assumed: a block of about one second", "assumed"),
        ("scenario", "chosen"),
        ("fitted to Messias et al. 2025, 307 proposals of Compound", "fitted"),
        ("dYdX docs, fees", "measured"),
        ("EIP-1559", "measured"),
    ],
)
def test_the_first_word_of_a_source_tells_its_kind(source: str, kind: str) -> None:
    assert kind_of(source) == kind


def test_kinds_add_up_and_absent_ones_are_not_told() -> None:
    rows = [{"source": source} for source in ("assumed", "assumed", "scenario", "EIP-1559")]

    assert kinds_of(rows) == {"measured": 1, "fitted": 0, "chosen": 1, "assumed": 2}
    assert provenance_sentence(rows) == (
        "Of 4 parameters, 1 is read or measured at a named source, 1 is chosen by the scenario and 2 are "
        "assumed."
    )
