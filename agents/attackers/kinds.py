"""All attacks by their kind."""

from typing import Annotated

import mesa
from pydantic import Field

from agents.attackers.attack import Attack
from agents.attackers.backstop_squeeze import BackstopSqueeze, BackstopSqueezeSettings
from agents.attackers.feed_poisoner import FeedPoisoner, FeedPoisonerSettings
from agents.attackers.key_theft import KeyTheft, KeyTheftSettings
from agents.attackers.latency_arbitrageur import LatencyArbitrageur, LatencyArbitrageurSettings
from agents.attackers.oracle_pusher import OraclePusher, OraclePusherSettings
from agents.attackers.ratchet import Ratchet, RatchetSettings
from agents.attackers.schedule_runner import ScheduleRunner, ScheduleRunnerSettings
from agents.attackers.self_liquidating_whale import SelfLiquidatingWhale, SelfLiquidatingWhaleSettings
from agents.attackers.vault_exit import VaultExit, VaultExitSettings
from agents.attackers.vote_capture import VoteCapture, VoteCaptureSettings
from agents.attackers.wash_trader import WashTrader, WashTraderSettings
from agents.role import Stream
from protocol.book import Ints

AnyAttack = Annotated[
    BackstopSqueezeSettings
    | FeedPoisonerSettings
    | KeyTheftSettings
    | LatencyArbitrageurSettings
    | OraclePusherSettings
    | RatchetSettings
    | ScheduleRunnerSettings
    | SelfLiquidatingWhaleSettings
    | VaultExitSettings
    | VoteCaptureSettings
    | WashTraderSettings,
    Field(discriminator="kind"),
]

ATTACKS: dict[str, type[Attack]] = {
    "backstop_squeeze": BackstopSqueeze,
    "feed_poisoner": FeedPoisoner,
    "key_theft": KeyTheft,
    "latency_arbitrageur": LatencyArbitrageur,
    "oracle_pusher": OraclePusher,
    "ratchet": Ratchet,
    "schedule_runner": ScheduleRunner,
    "self_liquidating_whale": SelfLiquidatingWhale,
    "vault_exit": VaultExit,
    "vote_capture": VoteCapture,
    "wash_trader": WashTrader,
}


def attacker(model: mesa.Model, accounts: Ints, stream: Stream, settings: AnyAttack, market: int) -> Attack:
    """The Mesa agent of an attack's settings."""
    return ATTACKS[settings.kind](model, accounts, stream, settings, market)
