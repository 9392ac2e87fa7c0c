"""What a run remembers: tables that agree with each other, with the book, and with the rules."""

import numpy as np
import pandas as pd
import pytest
from small import calm, crash, crashed, opened

from protocol.arithmetic import MICRO
from protocol.book import FEES, INSURANCE
from protocol.scan import liquidatable
from sim.bundled import names
from sim.frames import Tables
from sim.run import Result

CASES = {
    "the crash": (),
    "no backstop": ("protocol.backstop.rule=none",),
    "no fund": ("protocol.insurance_fund=0",),
    "everybody pays": (
        "protocol.last_resort=socialise",
        "protocol.adl.rule=none",
        "protocol.insurance_fund=0",
    ),
    "median mark": ("protocol.mark=median",),
    "ten seconds": ("clock.block=10s",),
    **{preset: (f"protocol.preset={preset}",) for preset in names("preset") if preset != "dydx_v4"},
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def result(request: pytest.FixtureRequest) -> Result:
    return crashed(*request.param)


def by_market(frame: pd.DataFrame, column: str, like: pd.DataFrame) -> pd.Series:
    """Sum of a column by block and market, zero where nothing happened."""
    index = pd.MultiIndex.from_frame(like[["block", "market"]])
    return frame.groupby(["block", "market"])[column].sum().reindex(index, fill_value=0.0)


def test_the_crash_reaches_every_layer_of_the_waterfall() -> None:
    assert set(crashed().tables["waterfall"]["stage"]) >= {
        "insurance_fund",
        "backstop_vault",
        "auto_deleveraging",
    }
    assert "socialised_loss" in set(crashed(*CASES["everybody pays"]).tables["waterfall"]["stage"])


def test_tables_have_a_row_for_each_block_and_market(result: Result) -> None:
    blocks, markets = result.tables["blocks"], result.tables["markets"]
    clock = result.scenario.clock

    np.testing.assert_array_equal(blocks["block"], np.arange(1, clock.blocks + 1))
    np.testing.assert_array_equal(markets["block"], np.repeat(blocks["block"], 2))
    assert markets["market"].unique().tolist() == ["BTC", "ETH"]
    start = pd.Timestamp(clock.start)
    for table in ("blocks", "markets", "liquidations", "deleverages", "waterfall"):
        frame = result.tables[table]
        assert (frame["time"] == start + pd.to_timedelta(frame["block"] * clock.block, unit="s")).all()


def test_only_accounts_below_maintenance_are_liquidated(result: Result) -> None:
    rows = result.tables["liquidations"]
    freed = result.scenario.protocol.liquidation.kind == "transfers"
    buffer = result.scenario.protocol.liquidation.buffer if freed else 0.0
    notional = rows["maintenance_before"] / 0.03

    assert len(rows) > 10
    assert (rows["equity_before"] < rows["maintenance_before"] + buffer * notional).all()


def test_a_liquidation_closes_no_more_than_it_asked_and_says_so(result: Result) -> None:
    rows = result.tables["liquidations"]
    done = rows["filled"] / rows["size"]

    assert done.between(0, 1).all()
    assert (done[rows["outcome"] == "filled"] == 1).all()
    assert (done[rows["outcome"] == "unfilled"] == 0).all()
    assert (done[rows["outcome"] == "vault"] < 1).all()
    assert ((done > 0) & (done < 1))[rows["outcome"] == "partial"].all()
    np.testing.assert_allclose(
        rows["notional_usd"], (rows["filled"] * rows["price"]).abs().fillna(0), rtol=1e-9
    )


def test_a_liquidation_fills_within_its_limit(result: Result) -> None:
    rows = result.tables["liquidations"].query("filled != 0")
    tick = rows["market"].map({"BTC": 1.0, "ETH": 0.1})
    better = np.sign(rows["filled"]) * (rows["limit_price"] - rows["price"])

    assert (better >= -tick).all()


def test_liquidated_volume_is_the_same_in_both_tables(result: Result) -> None:
    markets, rows = result.tables["markets"], result.tables["liquidations"]
    for column, side in (("long_liquidated_usd", -1), ("short_liquidated_usd", 1)):
        one_side = rows[np.sign(rows["filled"]) == side]

        np.testing.assert_allclose(markets[column], by_market(one_side, "notional_usd", markets), atol=1e-6)


def test_deleveraged_volume_is_the_same_in_both_tables(result: Result) -> None:
    markets, rows = result.tables["markets"], result.tables["deleverages"]

    np.testing.assert_allclose(
        markets["deleveraged_usd"], by_market(rows, "notional_usd", markets), atol=1e-6
    )


def test_what_counterparties_lose_is_what_the_waterfall_says(result: Result) -> None:
    rows, paid = result.tables["deleverages"], result.tables["waterfall"]
    haircuts = rows.groupby(["block", "round", "account", "market"])["haircut_usd"].sum()
    borne = paid[paid["stage"] == "auto_deleveraging"]["amount_usd"].sum()

    assert haircuts[haircuts > 0].sum() >= borne - 1e-3
    if result.scenario.protocol.adl.price == "bankruptcy":
        assert haircuts[haircuts > 0].sum() == pytest.approx(borne, abs=1e-3)


def test_deleveraging_closes_opposite_positions_at_a_loss_to_the_counterparty(result: Result) -> None:
    rows = result.tables["deleverages"]
    loss = rows["size"] * (rows["mark"] - rows["price"])

    np.testing.assert_allclose(rows["haircut_usd"], loss, atol=1e-3)
    assert not rows["counterparty_role"].isin(["venue", "insurance_fund"]).any()
    assert (rows["account"] != rows["counterparty"]).all()


def test_the_fund_holds_what_liquidations_brought_and_paid(result: Result) -> None:
    blocks, rows, paid = (result.tables[name] for name in ("blocks", "liquidations", "waterfall"))
    dust = 1e-6 * 548 * (paid["stage"] == "socialised_loss").sum()
    in_fills = -rows["insurance_delta"].clip(upper=0).sum()
    afterwards = paid.loc[paid["stage"] == "insurance_fund", "amount_usd"].sum() - in_fills
    end = result.scenario.protocol.insurance_fund + rows["insurance_delta"].sum() - afterwards

    assert afterwards > -1e-6
    assert blocks["insurance_fund"].iloc[-1] == pytest.approx(end, abs=1e-3 + dust)


def test_open_interest_has_one_value_in_units_and_in_money(result: Result) -> None:
    markets = result.tables["markets"]

    np.testing.assert_allclose(markets["open_interest_usd"], markets["open_interest"] * markets["mark"])


def test_a_book_never_stands_crossed_and_an_empty_side_has_no_price(result: Result) -> None:
    markets = result.tables["markets"]

    assert not (markets["bid"] >= markets["ask"]).any()
    assert (markets["venue_depth_usd"] >= 0).all()
    assert not (markets[["bid", "ask"]] <= 0).any().any()


def test_the_trade_of_all_roles_sums_to_zero(result: Result) -> None:
    assert abs(result.tables["agents"]["venue_pnl"].sum()) < 1e-2


def test_profit_is_equity_less_deposits(result: Result) -> None:
    rows = result.tables["agents"]

    np.testing.assert_allclose(
        rows["venue_pnl"], rows["equity_end"] - rows["equity_start"] - rows["net_deposits"], atol=1e-2
    )
    np.testing.assert_allclose(
        rows["pnl"], rows["venue_pnl"] + rows["outside_pnl"] - rows["gas_paid"], atol=1e-2
    )


def test_equity_of_traders_is_the_same_in_both_tables(result: Result) -> None:
    roles, last = result.tables["agents"].set_index("role"), result.tables["blocks"].iloc[-1]
    traders = roles["equity_end"].drop(["venue", "insurance_fund"]).sum()
    parts = last[["trader_equity", "vault_equity", "pool_equity"]].sum()

    assert parts == pytest.approx(traders, abs=1.0)
    assert last["insurance_fund"] == pytest.approx(roles.loc["insurance_fund", "equity_end"], abs=1e-6)


def test_only_the_liquidated_are_ruined_and_only_accounts_are_counted(result: Result) -> None:
    roles = result.tables["agents"]

    assert (roles["ruined_accounts"] <= roles["liquidated_accounts"]).all()
    assert (roles["liquidated_accounts"] <= roles["accounts"]).all()
    assert roles["accounts"].tolist()[1:] == [1, 500, 8, 6, 10, 20]
    assert " ".join(roles["role"]) == (
        "venue insurance_fund retail market_makers arbitrageurs liquidators depositors"
    )


def test_the_venues_own_purses_are_no_accounts() -> None:
    roles = crashed().tables["agents"].set_index("role")

    assert roles.loc["venue", "accounts"] == 0


def test_a_block_tells_the_state_it_ended_in() -> None:
    with opened(crash(), blocks=74) as model:
        row, book = Tables(model.recorder).blocks().iloc[73], model.exchange.book
        below = liquidatable(book, model.exchange.parameters)
        gated = model.time < model.exchange.gates.cross

    assert row["insurance_fund"] == book.cash[INSURANCE] / MICRO
    assert row["fees_collected"] == book.cash[FEES] / MICRO
    assert row["liquidatable"] == len(below)
    assert row["withdrawals_gated"] == gated
    assert row["gas"] == model.world.gas[74]


def test_a_market_row_tells_prices_in_dollars() -> None:
    with opened(calm(), blocks=3) as model:
        row = Tables(model.recorder).markets().iloc[4]
        bid = model.exchange.quotes().bid[0] / 100

    assert row["fundamental"] == model.world.fundamental[3, 0]
    assert row["outside"] == model.world.outside[0]
    assert row["oracle"] == pytest.approx(model.exchange.book.oracle[0] / 100)
    assert row["bid"] == pytest.approx(bid)
    assert row["depth_usd"] == model.world.depth[0]
    assert (row["initial_margin"], row["maintenance_margin"]) == (0.02, 0.012)


def test_open_interest_is_the_long_side() -> None:
    with opened(calm(), blocks=3) as model:
        held = np.maximum(model.exchange.book.size, 0).sum(axis=1) * model.units.lot
        rows = Tables(model.recorder).markets().query("block == 3")

    np.testing.assert_allclose(rows["open_interest"], held)


def test_profit_outside_is_before_gas_and_counts_what_was_sent_to_the_venue() -> None:
    with opened(crash(), blocks=74) as model:
        recorder, rows = model.recorder, Tables(model.recorder).agents().set_index("role")
        change = recorder.outside_worth() - recorder.start_outside
        sent = model.exchange.deposited - recorder.start_deposits
        makers, liquidators = model.people.makers, model.people.liquidators
        for role in (makers, liquidators):
            gained = (change + sent)[role.accounts].sum() / MICRO
            found = rows.loc[role.name]

            assert found["outside_pnl"] - found["gas_paid"] == pytest.approx(gained)
        assert rows.loc["liquidators", "gas_paid"] > 100


TRADERS = ("retail", "market_makers", "arbitrageurs", "liquidators", "depositors")


def test_accounts_add_up_to_their_roles(result: Result) -> None:
    rows, roles = result.tables["accounts"], result.tables["agents"].set_index("role")
    sums = rows.groupby("role").sum(numeric_only=True)
    same = [
        "equity_start",
        "equity_end",
        "net_deposits",
        "venue_pnl",
        "outside_pnl",
        "gas_paid",
        "owed",
        "pnl",
    ]

    assert rows["account"].is_unique
    np.testing.assert_allclose(sums.loc[list(TRADERS), same], roles.loc[list(TRADERS), same], atol=1e-2)
    assert sums["liquidated"].to_dict() == roles.loc[sums.index, "liquidated_accounts"].to_dict()
    np.testing.assert_allclose(rows["pnl"], rows["wealth_end"] - rows["wealth_start"], atol=1e-3)


def test_accounts_bear_the_haircuts_that_deleveraging_recorded(result: Result) -> None:
    rows, fills = result.tables["accounts"].set_index("account"), result.tables["deleverages"]
    of_traders = fills[fills["counterparty"].isin(rows.index)]
    cut = of_traders.groupby("counterparty")["haircut_usd"].sum().reindex(rows.index, fill_value=0.0)

    np.testing.assert_allclose(rows["haircut_usd"], cut, atol=1e-3)
    assert rows["deleveraged_usd"].sum() == pytest.approx(of_traders["notional_usd"].sum())


def test_what_is_socialised_is_charged_to_accounts_or_unknown(result: Result) -> None:
    paid, rows = result.tables["waterfall"], result.tables["accounts"]
    shared = paid.loc[paid["stage"] == "socialised_loss", "amount_usd"]
    if result.scenario.protocol.last_resort == "index":
        assert rows["socialised_usd"].isna().all()
    else:
        assert rows["socialised_usd"].sum() == pytest.approx(shared.sum(), abs=1e-6 * 548 * (1 + len(shared)))


def test_positions_of_the_beginning_balance_and_need_the_margin_that_accounts_tell(result: Result) -> None:
    held, rows = result.tables["positions"], result.tables["accounts"].set_index("account")
    first = result.tables["markets"].query("block == 1").set_index("market")["maintenance_margin"]
    needed = held["notional_usd"].abs() * held["market"].astype(str).map(first)

    assert abs(held["size"].sum()) < 1e-6 * held["size"].abs().sum()
    if result.scenario.protocol.preset == "dydx_v4":
        of_traders = needed.groupby(held["account"]).sum().reindex(rows.index, fill_value=0.0)
        np.testing.assert_allclose(rows["maintenance_start"], of_traders, rtol=1e-3)
