"""A small made-up run folder, self-consistent and the same every time, for tests of what reads one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.cascade_figures import CASCADE_FIGURES
from analysis.figures import FIGURES, THEMES
from sim.metrics import summarise

DRAWN = [name for _, names in THEMES.values() for name in names if name in FIGURES or name in CASCADE_FIGURES]
START = pd.Timestamp("2020-03-12T00:00:00", tz="UTC")
STAGES = ("insurance_fund", "backstop_vault", "auto_deleveraging", "uncovered")
LIQUIDATION_COLUMNS = {
    "block": int, "time": "datetime64[ns, UTC]", "round": int, "market": str, "account": int, "role": str,
    "size": float, "filled": float, "keeper": int, "price": float, "oracle": float, "mark": float,
    "bankruptcy_price": float, "limit_price": float, "notional_usd": float, "equity_before": float,
    "maintenance_before": float, "fee_usd": float, "insurance_delta": float, "pool_loss_usd": float,
    "outcome": str,
}  # fmt: skip
DELEVERAGE_COLUMNS = {
    "block": int, "time": "datetime64[ns, UTC]", "round": int, "market": str, "account": int,
    "counterparty": int, "counterparty_role": str, "size": float, "price": float, "mark": float,
    "notional_usd": float, "haircut_usd": float,
}  # fmt: skip
WATERFALL_COLUMNS = {
    "block": int, "time": "datetime64[ns, UTC]", "account": int, "role": str, "stage": str,
    "amount_usd": float,
}  # fmt: skip
PARAMETER_COLUMNS = {
    "block": int, "time": "datetime64[ns, UTC]", "market": str, "parameter": str, "old": float,
    "new": float, "route": str, "reason": str,
}  # fmt: skip


def _frame(rows: list[dict], columns: dict) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _wobble(steps: int, phase: float) -> np.ndarray:
    t = np.arange(steps)
    return np.sin(0.9 * t + phase) + 0.5 * np.sin(2.3 * t + 2 * phase) + 0.3 * np.sin(0.07 * t)


def _market(name: str, index: int, blocks: int, fall: float) -> pd.DataFrame:
    """One market whose price falls by `fall` around 60 % of the run, further on the venue than outside."""
    t = np.arange(blocks)
    level = 8000.0 / 3**index
    slide = fall / (1 + np.exp(-(t - 0.6 * blocks) / (0.02 * blocks)))
    overshoot = 0.15 * fall * np.exp(-(((t - 0.62 * blocks) / (0.02 * blocks)) ** 2))
    fundamental = level * (1 - 0.9 * slide) * (1 + 0.001 * _wobble(blocks, 1.0 + index))
    outside = level * (1 - slide) * (1 + 0.001 * _wobble(blocks, 2.0 + index))
    mark = outside * (1 - overshoot) * (1 + 0.0004 * _wobble(blocks, 3.0 + index))
    stress = np.abs(np.gradient(slide)) / max(np.abs(np.gradient(slide)).max(), 1e-12)
    liquidated = np.where(stress > 0.1, 400_000.0 * stress, 0.0) * (fall > 0)
    interest = np.round((1500 * 3**index) * (1 - 0.35 * slide / max(fall, 1e-9)), 3)
    bid = np.where(stress > 0.97, np.nan, mark * 0.9995)
    return pd.DataFrame(
        {
            "block": t, "time": START + pd.to_timedelta((t + 1) * 60, unit="s"), "market": name,
            "fundamental": fundamental, "outside": outside,
            "oracle": np.concatenate((outside[:1], outside[:-1])), "mark": mark, "bid": bid,
            "ask": mark * 1.0005, "open_interest": interest, "open_interest_usd": interest * mark,
            "volume_usd": interest * mark * 2.5 / 1440 * (1 + 20 * stress),
            "long_liquidated_usd": liquidated, "short_liquidated_usd": 0.05 * liquidated,
            "deleveraged_usd": np.where(stress > 0.8, 0.2 * liquidated, 0.0),
            "outside_flow_usd": -liquidated, "depth_usd": 2e7 * (1 - 0.8 * stress) / (index + 1),
            "venue_depth_usd": 1.5e6 * (1 - 0.95 * stress), "premium": -1e-3 * stress,
            "funding_rate": 1e-4 - 5e-4 * stress,
            "initial_margin": 0.05, "maintenance_margin": 0.03, "forced_impact": -0.02 * slide,
        }
    )  # fmt: skip


def _liquidations(markets: pd.DataFrame) -> pd.DataFrame:
    rows = []
    columns = markets.columns
    for values in markets.itertuples(index=False):
        m = dict(zip(columns, values, strict=True))
        for side, usd in ((-1, m["long_liquidated_usd"]), (1, m["short_liquidated_usd"])):
            if usd <= 0:
                continue
            account = 100 + (m["block"] * 7 + side) % 60
            filled = side * usd / m["mark"]
            rows.append(
                {
                    "block": m["block"], "time": m["time"], "round": 0, "market": m["market"],
                    "account": account, "role": "retail", "size": filled * 1.1, "filled": filled,
                    "keeper": -1, "price": m["mark"], "oracle": m["oracle"], "mark": m["mark"],
                    "bankruptcy_price": m["mark"] * (1 - 0.01 * side), "limit_price": m["mark"],
                    "notional_usd": usd, "equity_before": 0.02 * usd, "maintenance_before": 0.03 * usd,
                    "fee_usd": 0.001 * usd, "insurance_delta": 0.001 * usd, "pool_loss_usd": 0.0,
                    "outcome": "partial",
                }
            )  # fmt: skip
    return _frame(rows, LIQUIDATION_COLUMNS)


def _deleverages(markets: pd.DataFrame) -> pd.DataFrame:
    hit = markets[markets["deleveraged_usd"] > 0]
    rows = [
        {
            "block": block, "time": time, "round": 1, "market": market, "account": 100 + block % 60,
            "counterparty": 200 + block % 40, "counterparty_role": "market_makers", "size": -usd / mark,
            "price": mark * 1.02, "mark": mark, "notional_usd": usd, "haircut_usd": 0.02 * usd,
        }
        for block, time, market, usd, mark in zip(
            hit["block"], hit["time"], hit["market"], hit["deleveraged_usd"], hit["mark"], strict=True
        )
    ]  # fmt: skip
    return _frame(rows, DELEVERAGE_COLUMNS)


def _waterfall(liquidations: pd.DataFrame) -> pd.DataFrame:
    large = liquidations[liquidations["notional_usd"] > 100_000]
    rows = [
        {
            "block": block, "time": time, "account": account, "role": "retail",
            "stage": STAGES[min(i * len(STAGES) // len(large), 3)], "amount_usd": 0.03 * usd,
        }
        for i, (block, time, account, usd) in enumerate(
            zip(large["block"], large["time"], large["account"], large["notional_usd"], strict=True)
        )
    ]  # fmt: skip
    return _frame(rows, WATERFALL_COLUMNS)


def _blocks(markets: pd.DataFrame, waterfall: pd.DataFrame, blocks: int) -> pd.DataFrame:
    t = np.arange(blocks)
    liquidated = markets.groupby("block")["long_liquidated_usd"].sum().to_numpy()
    paid = waterfall.pivot_table(index="block", columns="stage", values="amount_usd", aggfunc="sum")
    paid = paid.reindex(index=t, columns=list(STAGES)).fillna(0.0).cumsum()
    stress = liquidated / max(liquidated.max(), 1.0)
    return pd.DataFrame(
        {
            "block": t, "time": START + pd.to_timedelta((t + 1) * 60, unit="s"), "gas": 20 + 300 * stress,
            "insurance_fund": 5e5 - paid["insurance_fund"].to_numpy(),
            "vault_equity": 5e6 - paid["backstop_vault"].to_numpy(),
            "pool_equity": 0.0, "fees_collected": 10.0 * t,
            "trader_equity": 4e7 - 1e7 * np.cumsum(stress) / max(stress.sum(), 1.0),
            "negative_equity": 2e4 * stress,
            "outside_deficit": 3e4 * stress, "liquidatable": np.floor(30 * stress).astype(int),
            "rounds": np.where(stress > 0, 5, 0), "truncated": stress > 0.95,
            "withdrawals_gated": stress > 0.9, "orders": 900, "fills": 300,
        }
    )  # fmt: skip


def _agents(blocks: pd.DataFrame) -> pd.DataFrame:
    vault = float(blocks["vault_equity"].iloc[-1] - blocks["vault_equity"].iloc[0])
    venue = {"retail": -6.2e6, "market_makers": 1.1e6, "arbitrageurs": 5.0e6, "depositors": vault}
    outside = {"retail": 0.0, "market_makers": -4.0e5, "arbitrageurs": -4.1e6, "depositors": 0.0}
    frame = pd.DataFrame({"role": list(venue), "accounts": [900, 5, 20, 10]})
    frame["equity_start"] = [3.0e7, 6.0e6, 4.0e6, 5.0e6]
    frame["equity_end"] = frame["equity_start"] + list(venue.values())
    frame["net_deposits"] = 0.0
    frame["venue_pnl"] = list(venue.values())
    frame["outside_pnl"] = list(outside.values())
    frame["gas_paid"] = [0.0, 1e3, 2e4, 0.0]
    frame["owed"] = 0.0
    frame["liquidated_accounts"] = [61, 0, 0, 0]
    frame["ruined_accounts"] = [40, 0, 0, 0]
    frame["pnl"] = frame["venue_pnl"] + frame["outside_pnl"] - frame["gas_paid"]
    frame["attacks"] = False
    return frame


def _manifest(names: tuple[str, ...], blocks: int) -> dict:
    return {
        "seawall": "0.1.0", "name": "made-up-crash", "description": "A made-up fall & <rise>.", "seed": 7,
        "start": START.isoformat(), "block_seconds": 60, "blocks": blocks, "markets": list(names),
        "accounts": 935, "git_revision": "0123abcd", "packages": {"numpy": "2.4.6", "pandas": "3.1.1"},
        "scenario": {
            "name": "made-up-crash",
            "clock": {"start": START.isoformat(), "duration": f"{blocks}m", "block": "60s"},
            "world": {
                "reading": "small",
                "share": 0.15,
                "impact": {"permanent": 0.3, "half_life": "10m"},
            },
            "shocks": [
                {"at": "4h", "kind": "gas_spike", "factor": 8.0, "duration": "2h"},
                {"at": "5h", "kind": "liquidity_withdrawal", "share": 0.7, "duration": "90m"},
            ],
        },
        "parameters": [
            {"path": "protocol.fees.taker", "value": 0.0005, "unit": "1", "source": "dYdX docs, fees",
             "origin": "preset:dydx_v4"},
            {"path": "world.share", "value": 0.15, "unit": "1", "source": "scenario", "origin": "x.yaml:9"},
            {"path": "agents.retail.accounts", "value": 900, "unit": "1", "source": "assumed",
             "origin": "--set"},
        ],
        "reading": "small", "transcript_hash": "9f2c" * 16,
    }  # fmt: skip


def _failures(liquidations: pd.DataFrame) -> pd.DataFrame:
    """Each account as it stood when it was first liquidated."""
    first = liquidations.drop_duplicates("account")
    kept = ["block", "time", "round", "account", "role", "market"]
    return first[kept].assign(
        size=-first["size"],
        mark=first["mark"],
        oracle=first["oracle"],
        equity=first["equity_before"],
        maintenance=first["maintenance_before"],
    )


def write_run_folder(
    folder: Path, names: tuple[str, ...] = ("BTC", "ETH"), blocks: int = 600, fall: float = 0.5
) -> Path:
    """Write a run of `blocks` minutes in which every market falls by the share `fall`; 0 is a calm run."""
    folder.mkdir(parents=True)
    markets = pd.concat([_market(name, i, blocks, fall) for i, name in enumerate(names)])
    markets = markets.sort_values(["block", "market"], ignore_index=True)
    tables = {
        "markets": markets,
        "liquidations": _liquidations(markets),
        "failures": _failures(_liquidations(markets)),
        "deleverages": _deleverages(markets),
    }
    tables["waterfall"] = _waterfall(tables["liquidations"])
    tables["blocks"] = _blocks(markets, tables["waterfall"], blocks)
    tables["agents"] = _agents(tables["blocks"])
    tables["parameters"] = _frame([], PARAMETER_COLUMNS)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    (folder / "manifest.json").write_text(json.dumps(_manifest(names, blocks), indent=2))
    (folder / "summary.json").write_text(json.dumps(summarise(tables, names, 60), indent=2))
    return folder
