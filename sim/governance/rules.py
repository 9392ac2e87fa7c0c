"""From the settings of governance to the rules of its routes, in the protocol's units."""

from collections.abc import Mapping

import numpy as np

from agents.guardian import GuardianSettings
from protocol.arithmetic import MICRO, PPM
from protocol.governance.governed import GOVERNED
from protocol.governance.governor import GovernorRules
from protocol.governance.guardian import GuardianRules
from protocol.governance.limits import Bound, Range
from protocol.governance.process import Order
from protocol.governance.steward import StewardRules
from sim.governance.settings import (
    BoundSettings,
    GovernanceSettings,
    GovernorSettings,
    StewardSettings,
)


def tokens(amount: float) -> int:
    """Micro-tokens."""
    return round(amount * MICRO)


def governor_rules(settings: GovernorSettings) -> GovernorRules:
    """How a vote is held."""
    return GovernorRules(
        threshold=tokens(settings.threshold),
        deposit=tokens(settings.deposit),
        rechecked=settings.rechecked,
        delay=settings.delay,
        period=settings.period,
        extension=settings.extension,
        weighing=settings.weighing,
        quorum=tokens(settings.quorum),
        quorum_share=round(settings.quorum_share * PPM),
        counts_abstentions=settings.counts_abstentions,
        counts_against=settings.counts_against,
        majority=round(settings.majority * PPM),
        differential=tokens(settings.differential),
        veto=round(settings.veto * PPM),
        timelock=settings.timelock,
        grace=settings.grace,
        emergency_share=round(settings.emergency_share * PPM),
        emergency_wait=settings.emergency_wait,
    )


def steward_rules(settings: StewardSettings) -> StewardRules:
    """What keys may do."""
    return StewardRules(
        keys=settings.keys,
        approvals=settings.approvals,
        signing=settings.signing,
        review=settings.review,
        grace=settings.grace,
        expiry=settings.expiry or np.inf,
        ordered=settings.ordered,
        spacing=settings.spacing,
        spacings={GOVERNED[name].field: float(time) for name, time in settings.spacings.items()},
        bounds=_bounds(settings.bounds),
        only_bounded=settings.only_bounded,
        truncates=settings.truncates,
        joint=settings.joint,
        window=settings.window,
        drift=_bounds(settings.drift),
    )


def _bounds(bounds: Mapping[str, BoundSettings]) -> dict[str, Bound]:
    return {GOVERNED[name].field: _bound(each, GOVERNED[name].scale) for name, each in bounds.items()}


def _bound(settings: BoundSettings, scale: int) -> Bound:
    relative = settings.relative > 0
    unit, up = (PPM, settings.relative) if relative else (scale, settings.absolute)
    down = up if settings.down is None else settings.down
    return Bound(round(up * unit), round(down * unit), relative)


def guardian_rules(settings: GuardianSettings) -> GuardianRules:
    """What the guardian may do."""
    return GuardianRules(settings.vetoes, settings.pauses, settings.longest, settings.until or np.inf)


def order(settings: GovernanceSettings) -> Order:
    """What holds on every route."""
    limits = {
        GOVERNED[name].field: Range(
            round(limit.least * GOVERNED[name].scale), round(limit.most * GOVERNED[name].scale)
        )
        for name, limit in settings.limits.items()
    }
    return Order(limits, settings.stale == "refused", settings.conflicts == "refused")
