"""What a reader of one run must not conclude from it."""

from collections.abc import Iterator

from analysis.provenance_words import ASSUMED, kinds_of
from analysis.style import POINTS
from analysis.tables import Run
from analysis.wording import count, duration


def caveats(run: Run) -> list[str]:
    """Sentences on how far a run can be trusted, made from its settings and its tables."""
    return list(_caveats(run))


def _caveats(run: Run) -> Iterator[str]:
    manifest = run.manifest
    yield (
        "This is a simulation: it shows what follows from its assumptions, not what will happen on any venue."
    )
    yield (
        f"It is one run with one seed, {manifest['seed']}. Another seed gives other numbers; a sweep over "
        "seeds tells how far they lie apart, and only a comparison over the same seeds tells whether a rule "
        "made a difference."
    )
    if assumed := kinds_of(manifest["parameters"])[ASSUMED]:
        yield (
            f"{count(assumed)} of {count(len(manifest['parameters']), 'parameter')} "
            f"{'is' if assumed == 1 else 'are'} assumed: no measurement stands behind them."
        )
    if shocks := manifest["scenario"].get("shocks"):
        verb = "is" if len(shocks) == 1 else "are"
        yield (
            f"{count(len(shocks), 'shock')} {verb} scripted: that, when and how hard they strike is the "
            "scenario's choice, not a finding."
        )
    if truncated := int(run.blocks["truncated"].sum()):
        yield f"In {count(truncated, 'block')} liquidation stopped at its limit and left work for the next."
    yield (
        f"Time goes in blocks of {duration(run.block_seconds)}: what happens within one has an order but no "
        "times of its own."
    )
    yield (
        f"Figures draw about {POINTS} points a line, each stretch's lowest and highest value among them; the "
        "tables hold every block."
    )
