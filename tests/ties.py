"""A venue of six traders in two markets whose losses, falls and positions are known by hand."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.tables import Run

START = pd.Timestamp("2024-01-01T00:00:00", tz="UTC")
RICH, POOR, BOTH, SHORT, MAKER, IDLE = range(100, 106)


def accounts() -> pd.DataFrame:
    """POOR is gone with 20 of debt, BOTH has lost 60 of 100, SHORT and MAKER have won, IDLE has slept."""
    rows = [
        # account, role, start, venue pnl, outside pnl, owed, liquidated, haircut
        (RICH, "retail", 1000.0, -200.0, 0.0, 0.0, False, 0.0),
        (POOR, "retail", 50.0, -70.0, 0.0, 20.0, True, 0.0),
        (BOTH, "retail", 100.0, -60.0, 10.0, 0.0, True, 0.0),
        (SHORT, "retail", 200.0, 150.0, 0.0, 0.0, False, 12.0),
        (MAKER, "market_makers", 500.0, 100.0, -30.0, 0.0, False, 4.0),
        (IDLE, "retail", 400.0, 0.0, 0.0, 0.0, False, 0.0),
    ]
    names = ["account", "role", "equity_start", "venue_pnl", "outside_pnl", "owed", "liquidated"]
    frame = pd.DataFrame(rows, columns=[*names, "haircut_usd"])
    frame["pnl"] = frame["venue_pnl"] + frame["outside_pnl"]
    frame["wealth_start"] = frame["equity_start"]
    frame["wealth_end"] = frame["equity_start"] + frame["pnl"]
    frame["shares_start"] = [0.0, 0.0, 0.0, 0.0, 0.0, 300.0]
    frame["maintenance_start"] = [50.0, 15.0, 40.0, 30.0, 25.0, 0.0]
    return frame


def positions() -> pd.DataFrame:
    """RICH and POOR are long A, BOTH long A and B, SHORT short A, MAKER short B."""
    rows = [
        (RICH, "A", 1000.0, 0.0),
        (POOR, "A", 300.0, 0.0),
        (BOTH, "A", 500.0, 0.0),
        (BOTH, "B", 300.0, 40.0),
        (SHORT, "A", -600.0, 0.0),
        (MAKER, "B", -500.0, 0.0),
    ]
    frame = pd.DataFrame(rows, columns=["account", "market", "notional_usd", "asset_usd"])
    return frame.astype({"market": "category"})


def failures() -> pd.DataFrame:
    """At block 3 POOR falls on A alone; BOTH on A, which cost it 40, and on B, which cost it 10."""
    rows = [
        (3, 0, POOR, "A", 3.0, 80.0, -20.0, 12.0),
        (3, 0, BOTH, "A", 2.0, 80.0, 20.0, 30.0),
        (3, 0, BOTH, "B", 10.0, 9.0, 20.0, 30.0),
    ]
    columns = ["block", "round", "account", "market", "size", "mark", "equity", "maintenance"]
    return pd.DataFrame(rows, columns=columns)


def markets(liquidated_b: float = 90.0) -> pd.DataFrame:
    """A falls from 100 to 80 and B from 10 to 9, both at block 3."""
    rows = []
    for block in range(1, 5):
        late = block >= 3
        rows += [
            (block, "A", 80.0 if late else 100.0, 400.0 if block == 3 else 0.0, 1000.0),
            (block, "B", 9.0 if late else 10.0, liquidated_b if block == 3 else 0.0, 500.0),
        ]
    names = ["block", "market", "mark", "long_liquidated_usd", "open_interest_usd"]
    frame = pd.DataFrame(rows, columns=names).assign(short_liquidated_usd=0.0, deleveraged_usd=0.0)
    frame = frame.assign(bid=1.0, ask=1.0)
    return frame.assign(time=START + pd.to_timedelta(60 * frame["block"], unit="s"))


def liquidations() -> pd.DataFrame:
    """POOR's A and three quarters, by notional, of BOTH's in A."""
    rows = [(POOR, "A", -3.0, -3.0, 80.0, 240.0), (BOTH, "A", -2.0, -2.0, 80.0, 150.0)]
    rows += [(BOTH, "B", -10.0, -5.0, 9.0, 50.0)]
    columns = ["account", "market", "size", "filled", "oracle", "notional_usd"]
    return pd.DataFrame(rows, columns=columns).assign(block=3, role="retail")


def deleverages() -> pd.DataFrame:
    """SHORT is closed twice and MAKER once, at worse than the mark, for 16 of haircut in all."""
    rows = [
        (SHORT, "retail", "A", POOR, -1.0, 90.0, 80.0, 10.0),
        (SHORT, "retail", "A", POOR, -1.0, 82.0, 80.0, 2.0),
        (MAKER, "market_makers", "B", BOTH, -4.0, 10.0, 9.0, 4.0),
    ]
    names = ["counterparty", "counterparty_role", "market", "account", "size", "price", "mark", "haircut_usd"]
    frame = pd.DataFrame(rows, columns=names).assign(block=3)
    return frame.assign(notional_usd=(frame["size"] * frame["price"]).abs())


def waterfall() -> pd.DataFrame:
    """Of POOR's debts the fund pays 30, winners 10, everybody 5, and 20 stay."""
    stages = {"insurance_fund": 30.0, "auto_deleveraging": 10.0, "socialised_loss": 5.0, "uncovered": 20.0}
    return pd.DataFrame({"stage": list(stages), "amount_usd": list(stages.values())}).assign(account=POOR)


def blocks() -> pd.DataFrame:
    """A fund of 25, a vault of 300."""
    frame = pd.DataFrame({"block": range(1, 5)}).assign(
        insurance_fund=25.0, vault_equity=300.0, pool_equity=0.0
    )
    return frame.assign(time=START + pd.to_timedelta(60 * frame["block"], unit="s"))


def run(seed: int = 1, **tables: pd.DataFrame) -> Run:
    """The run as read from a folder; tables laid over it, those that newer runs have by name."""
    more = {"accounts": accounts(), "positions": positions(), "failures": failures()}
    more |= {name: table for name, table in tables.items() if name in more}
    made = Run(
        folder=Path("hand-made"),
        manifest={"markets": ["A", "B"], "block_seconds": 60, "seed": seed},
        summary={},
        blocks=blocks(),
        markets=markets(),
        liquidations=liquidations(),
        deleverages=deleverages(),
        waterfall=waterfall(),
        parameters=pd.DataFrame(),
        agents=pd.DataFrame(),
        more=more,
    )
    return replace(made, **{name: table for name, table in tables.items() if name not in more})
