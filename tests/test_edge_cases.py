"""The edge cases of the venues' rules, and where each is tested.

What the module of a rule already tests is only named; the files `test_edge_*` test the rest on whole venues
of every preset. `FORMULAS` are the numeric checks of the rules' formulas.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIQUIDATION, PRICES, RULES, STOPS = (
    f"tests/test_edge_{name}.py::test_" for name in ("liquidation", "prices", "rules", "stops")
)
CASES: dict[str, list[str]] = {
    "equity below zero by a gap through the bankruptcy price": [
        f"{LIQUIDATION}a_gap_through_the_bankruptcy_price_is_borne_in_the_venues_order",
        "tests/test_deleveraging.py::test_deleveraging_at_the_bankruptcy_price_leaves_nothing",
    ],
    "fund exactly equal, and one unit short": [
        f"{LIQUIDATION}a_fund_that_just_reaches_spares_the_other_side_and_one_micro_less_does_not",
        f"{LIQUIDATION}drifts_fund_keeps_its_last_micro",
        f"{LIQUIDATION}hyperliquids_liquidator_takes_over_what_its_part_bears_and_not_for_a_micro_less",
        "tests/test_slices.py::test_a_fund_one_micro_short_pays_nothing_and_the_order_ends",
        "tests/test_waterfall.py::test_a_fund_that_reaches_exactly_leaves_nothing_to_the_last_resort",
    ],
    "no fill, and a fill of one unit": [
        f"{LIQUIDATION}one_lot_filled_puts_deleveraging_off_by_a_block_at_dydx",
        f"{LIQUIDATION}bids_do_not_put_deleveraging_off_at_hyperliquid",
        "tests/test_exchange.py::test_any_fill_spares_the_other_side_in_that_round",
    ],
    "last holder of a side": [
        f"{LIQUIDATION}the_last_user_of_a_market_bears_all_of_drifts_loss",
        f"{RULES}the_last_long_of_gmx_pays_no_funding_and_a_short_makes_it_pay",
        f"{RULES}the_last_long_of_synthetix_pays_the_pool",
        "tests/test_exchange.py::test_the_last_holders_of_both_sides_close_the_market",
        "tests/test_deleveraging.py::test_without_an_opposite_side_nobody_is_called",
    ],
    "funding without open interest": [
        f"{RULES}nobody_owes_funding_for_the_time_without_open_interest",
        "tests/test_skew_funding.py::test_time_with_an_empty_side_is_never_paid",
    ],
    "rounding of funding over thousands of small accounts": [
        f"{RULES}thousands_of_accounts_of_one_lot_leave_dust_and_never_mint",
        "tests/test_book.py::test_a_thousand_accounts_of_one_lot_leave_bounded_dust",
    ],
    "no maintenance and a negative balance": [
        f"{RULES}a_debt_without_a_position_is_stuck_until_money_comes",
        "tests/test_scan.py::test_debt_without_a_position_or_an_asset_cannot_be_liquidated",
        "tests/test_margin.py::test_a_debt_without_a_position_only_shrinks_by_money_from_outside",
        "tests/test_waterfall.py::test_by_the_index_a_loss_without_holders_stays",
    ],
    "a position smaller than the step": [
        f"{LIQUIDATION}a_position_of_one_lot_is_closed_whole",
        f"{LIQUIDATION}a_window_smaller_than_a_lot_closes_one_and_not_everything",
        "tests/test_slices.py::test_a_lot_above_every_limit_is_still_closed_one_at_a_time",
        "tests/test_slices.py::test_the_buying_limit_survives_prices_below_one_tick",
    ],
    "a price of zero or less": [
        f"{PRICES}a_feed_without_a_positive_price_changes_nothing",
        "tests/test_guards.py::test_without_a_guard_everything_but_a_price_of_nothing_passes",
        "tests/test_mark.py::test_a_mark_is_never_less_than_one",
    ],
    "an old price during liquidation": [
        f"{PRICES}liquidation_goes_on_at_an_old_price_where_the_venue_lets_it",
        f"{PRICES}an_order_of_synthetix_never_settles_at_a_price_from_before_its_commitment",
        "tests/test_exchange.py::test_accounts_at_a_price_that_liquidation_may_not_use_wait",
    ],
    "oracle down and withdrawals": [
        f"{PRICES}an_oracle_that_is_down_stops_withdrawals_against_a_position",
        f"{PRICES}an_oracle_that_is_down_stops_borrowing_against_an_asset",
        f"{PRICES}an_oracle_that_is_down_stops_those_who_enter_and_leave_a_pool",
    ],
    "two positions, one a hedge, deleveraging removes one": [
        f"{LIQUIDATION}deleveraging_that_takes_one_leg_leaves_the_other_naked",
        f"{LIQUIDATION}a_hedger_whom_one_leg_would_bankrupt_is_skipped_or_forced",
        "tests/test_deleveraging.py::test_forcing_strips_a_counterparty_of_its_hedge",
    ],
    "fifty liquidations a block": [
        f"{LIQUIDATION}a_block_of_the_venue_liquidates_no_more_than_fifty",
        "tests/test_exchange.py::test_a_round_tries_no_more_accounts_than_its_limit",
    ],
    "the vault is liquidated itself": [
        f"{LIQUIDATION}a_failing_vault_is_sold_into_the_book_like_anybody",
        f"{LIQUIDATION}a_vault_in_debt_is_deleveraged_and_its_shares_are_worth_nothing",
        "tests/test_backstop.py::test_the_vault_cannot_rescue_itself",
    ],
    "governance raises a margin in a crash": [
        f"{RULES}raising_initial_margin_freezes_and_raising_maintenance_liquidates_at_once",
        "tests/test_margin.py::test_open_interest_raises_initial_margin_and_never_changes_maintenance",
    ],
    "the cap of open interest is reached": [
        f"{RULES}at_the_cap_of_open_interest_nobody_opens_and_anybody_closes",
        "tests/test_orderbook.py::test_at_the_open_interest_cap_only_reducing_trades_pass",
    ],
    "one party on both sides": [
        f"{RULES}who_holds_both_sides_of_a_pumped_market_takes_out_all_that_others_brought",
        f"{RULES}gains_that_do_not_count_keep_the_money_of_the_others_in",
        "tests/test_guards.py::test_the_band_of_drift_stops_the_borrowing_of_mango",
    ],
    "fees of a liquidation": [
        f"{LIQUIDATION}each_venue_charges_a_liquidation_to_whom_its_rule_says",
        "tests/test_slices.py::test_makers_pay_their_fee_but_liquidations_earn_no_rebate",
        "tests/test_slices.py::test_the_fund_keeps_no_more_than_the_liquidation_fee",
    ],
    "an isolated pool below zero": [
        f"{STOPS}a_debt_in_an_isolated_pool_gates_that_pool_and_no_other",
        f"{STOPS}a_debt_in_the_cross_pool_gates_everybody_but_the_isolated",
        "tests/test_collateral.py::test_an_isolated_market_pays_from_what_its_own_holders_brought",
        "tests/test_waterfall.py::test_a_market_with_a_fund_of_its_own_asks_no_other",
    ],
    "collateral in an asset that depegs": [
        f"{LIQUIDATION}an_asset_that_depegs_takes_its_owner_below_maintenance",
        f"{LIQUIDATION}nobody_bears_a_loss_while_the_owner_has_an_asset_that_covers_it",
        "tests/test_margin.py::test_collateral_in_the_asset_that_a_position_is_long_loses_twice",
    ],
    "halt or go on": [
        f"{STOPS}a_venue_that_halts_stops_everything_and_one_that_goes_on_does_not",
        f"{STOPS}only_a_venue_whose_last_resort_is_to_halt_does_so_over_a_debt",
    ],
    "under liquidation, money neither comes nor goes": [
        f"{STOPS}a_flagged_account_takes_nothing_out_when_the_price_returns",
        f"{STOPS}a_flagged_account_brings_no_money_that_the_pool_would_seize",
    ],
}
FORMULAS: dict[str, list[str]] = {
    "bankruptcy price, rounded": [
        "tests/test_slices.py::test_the_bankruptcy_price_takes_exactly_the_slices_share_of_equity"
    ],
    "limit and bankruptcy price meet at six tenths": [
        "tests/test_slices.py::test_bankruptcy_and_limit_meet_where_equity_is_six_tenths_of_maintenance"
    ],
    "margin is continuous at a tier": [
        "tests/test_margin.py::test_tiered_margins_are_continuous_and_never_fall_with_notional"
    ],
    "skew pricing of split orders and round trips": [
        "tests/test_skew_pool.py::test_orders_in_sequence_cost_what_one_of_their_sum_costs",
        "tests/test_skew_pool.py::test_a_round_trip_costs_the_fees_and_nothing_else",
    ],
    "dust of funding": [
        "tests/test_book.py::test_funding_dust_is_never_minted_and_less_than_one_for_each_settlement"
    ],
    "a transfer restores maintenance and buffer": [
        "tests/test_shortage.py::test_the_transfer_restores_maintenance_and_buffer"
    ],
    "a round trip against the impact pool never gains": [
        "tests/test_impact_pool.py::test_a_round_trip_at_one_price_costs_at_least_the_fees"
    ],
    "dust of a shared loss": [
        "tests/test_social_loss.py::test_the_charges_are_the_deficit_and_a_dust_of_units"
    ],
    "initial margin never falls with open interest": [
        "tests/test_margin.py::test_the_initial_rate_never_falls_with_open_interest_and_stays_in_bounds"
    ],
}


@pytest.mark.parametrize("case", sorted(CASES | FORMULAS))
def test_every_edge_case_has_its_tests(case: str) -> None:
    for place_of in (CASES | FORMULAS)[case]:
        file, name = place_of.split("::")

        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), place_of
