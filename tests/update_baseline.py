"""The baseline: chosen numbers of two small runs, so that a moved number is a visible diff.

Run `python tests/update_baseline.py` after a change that is meant to move them, and list the moves in the
CHANGELOG under Results.
"""

import sys
from pathlib import Path

import yaml

BASELINE = Path(__file__).with_name("baseline.yaml")
METRICS = (
    "outside_change_BTC",
    "outside_drawdown_BTC",
    "mark_drawdown_BTC",
    "book_drawdown_BTC",
    "funding_mean_BTC",
    "open_interest_end_BTC",
    "turnover_BTC",
    "liquidated_accounts",
    "liquidated_usd",
    "bad_debt_gross_usd",
    "insurance_fund_paid_usd",
    "vault_paid_usd",
    "adl_paid_usd",
    "uncovered_usd",
    "insurance_fund_end_usd",
    "vault_equity_end_usd",
    "ruined_accounts",
    "pnl_retail_usd",
    "pnl_market_makers_usd",
    "pnl_arbitrageurs_usd",
    "pnl_liquidators_usd",
)


def measured() -> dict[str, dict[str, float | None]]:
    """The chosen numbers as the code gives them now, to nine digits."""
    from small import calmed, crashed

    runs = {"calm": calmed(), "crash": crashed()}
    return {name: {key: _digits(run.summary[key]) for key in METRICS} for name, run in runs.items()}


def recorded() -> dict[str, dict[str, float | None]]:
    """The chosen numbers as they were when the baseline was last written."""
    found: dict[str, dict[str, float | None]] = (
        yaml.safe_load(BASELINE.read_text()) if BASELINE.exists() else {}
    )
    return found


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.9g}")


def main() -> None:
    """Write the baseline anew and say what moved."""
    old, new = recorded(), measured()
    for name, numbers in new.items():
        for key, value in numbers.items():
            before = old.get(name, {}).get(key)
            if before != value:
                sys.stdout.write(f"{name}.{key}: {before} -> {value}\n")
    BASELINE.write_text(yaml.safe_dump(new, sort_keys=False))


if __name__ == "__main__":
    sys.path[:0] = [str(BASELINE.parent), str(BASELINE.parent.parent)]
    main()
