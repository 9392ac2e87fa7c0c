"""What happened, in sentences made from the numbers."""

import pandas as pd

from analysis.tables import Run
from analysis.wording import count, duration, joined, percent, price, usd

STAGES = {
    "insurance_fund": "insurance fund",
    "backstop_vault": "backstop vault",
    "liquidity_pool": "liquidity pool",
    "auto_deleveraging": "auto-deleveraging",
    "socialised_loss": "socialised loss",
    "uncovered": "uncovered",
}
PAYERS = {
    "insurance_fund": "the insurance fund",
    "backstop_vault": "the backstop vault",
    "liquidity_pool": "liquidity providers",
    "auto_deleveraging": "auto-deleveraged counterparties",
    "socialised_loss": "all accounts as socialised loss",
}
OWN = ("insurance_fund", "backstop_vault")
QUIET = 0.02
READINGS = {
    "small": (
        "The venue is a part of the market. The outside price path is given and already holds what the whole "
        "market did; the venue moves it further only in proportion to its share. What the run adds is what "
        "happens on this venue: its own mark, its liquidations and who pays for them."
    ),
    "representative": (
        "The venue stands for the whole leveraged market. The fundamental price is news only, the population "
        "holds the market's open interest, and outside depth is the market's. Liquidations here are the "
        "market's own, and so is the fall they cause."
    ),
}


def move(values: pd.Series) -> float:
    """The largest fall from an earlier high (negative) or rise from an earlier low [1]."""
    known = values.dropna()
    if known.empty:
        return 0.0
    fall = float((known / known.cummax() - 1).min())
    rise = float((known / known.cummin() - 1).max())
    return fall if -fall >= rise / (1 + rise) else rise


def price_finding(run: Run, name: str) -> str:
    """One sentence on how far a market's price moved outside and on the venue."""
    rows = run.market(name)
    outside, venue = move(rows["outside"]), move(rows["mid"])
    largest = max(abs(outside), abs(venue))
    if largest < QUIET:
        return f"{name} stayed calm, never more than {percent(largest)} off a high or low"
    if (outside < 0) != (venue < 0):
        return f"{name} moved {percent(outside, 1)} outside and {percent(venue, 1)} on the venue"
    verb = "fell" if outside < 0 else "rose"
    return f"{name} {verb} {percent(abs(outside), 1)} outside and {percent(abs(venue), 1)} on the venue"


def paid_by_stage(run: Run) -> pd.DataFrame:
    """Who bore the bad debt: `stage`, `payer`, `amount_usd` and `share`, in the order of the waterfall."""
    amounts = run.waterfall.groupby("stage")["amount_usd"].sum()
    frame = pd.DataFrame({"stage": list(STAGES), "payer": list(STAGES.values())})
    frame["amount_usd"] = frame["stage"].map(amounts).fillna(0.0)
    total = frame["amount_usd"].sum()
    frame["share"] = frame["amount_usd"] / total if total > 0 else 0.0
    return frame


def waterfall_finding(run: Run) -> str:
    """One sentence on who paid for bankrupt positions."""
    total = run.value("bad_debt_gross_usd")
    if total <= 0:
        return "Nothing had to be paid: no account left a shortfall"
    frame = paid_by_stage(run)
    first = frame.iloc[int(frame["amount_usd"].argmax())]
    payer = PAYERS.get(first["stage"], "nobody so far")
    return f"Of {usd(total)} bad debt, {percent(first['share'])} fell on {payer}"


def verdict(run: Run) -> str:
    """Whether the venue held, in one sentence: what its bankrupt accounts owed, and on whom that fell.

    Its own means are its insurance fund and the backstop vault. What a vault loses later on positions that it
    has taken over is no bad debt.
    """
    total = run.value("bad_debt_gross_usd")
    if total <= 0:
        return "The venue held: no account left a debt for others to pay."
    paid = paid_by_stage(run).set_index("stage")["amount_usd"]
    own = float(paid[list(OWN)].sum())
    open_debt, owed = float(paid["uncovered"]), f"of {usd(total)} of bad debt"
    if open_debt > 0:
        return f"The venue did not hold: {owed}, {usd(open_debt)} stayed uncovered at the end."
    if total - own > 0.005 * total:
        who = joined([PAYERS[stage] for stage in PAYERS if stage not in OWN and paid[stage] > 0])
        return f"The venue's own means were not enough: {owed}, {usd(total - own)} fell on {who}."
    return f"The venue held: its own means bore the {usd(total)} of bad debt."


def headline(run: Run) -> list[str]:
    """The story of a run in a few paragraphs, without judgement: prices, liquidations, losses."""
    losses = [*_loss_sentences(run), *_adl_sentences(run), *_vault_sentences(run)]
    parts = (_price_sentences(run), _liquidation_sentences(run), losses)
    return [" ".join(sentences) for sentences in parts]


def _price_sentences(run: Run) -> list[str]:
    sentences = []
    for name in run.names:
        rows = run.market(name)
        first, last = float(rows["outside"].iloc[0]), float(rows["outside"].iloc[-1])
        ends = f"outside it started at {price(first)}, ended at {price(last)} and was lowest at"
        sentences.append(f"{price_finding(run, name)}; {ends} {price(float(rows['outside'].min()))}.")
    return sentences


def _liquidation_sentences(run: Run) -> list[str]:
    accounts = run.value("liquidated_accounts")
    if accounts == 0:
        return ["No account was liquidated."]
    total = int(run.manifest["accounts"])
    start = float(
        run.markets.loc[run.markets["block"] == run.markets["block"].min(), "open_interest_usd"].sum()
    )
    notional = run.value("liquidated_usd")
    share = f", {percent(notional / start)} of the starting open interest" if start > 0 else ""
    verb = "was" if accounts == 1 else "were"
    text = f"Of {count(total, 'account')}, {count(accounts)} {verb} liquidated for {usd(notional)}{share}."
    backlog = run.value("backlog_longest_seconds")
    if backlog == 0:
        return [text, "No account was left below maintenance at the end of a block."]
    most = count(run.value("liquidatable_max"), "account")
    return [text, f"Liquidation fell behind for up to {duration(backlog)}, with as many as {most} waiting."]


def _loss_sentences(run: Run) -> list[str]:
    total = run.value("bad_debt_gross_usd")
    if total <= 0:
        return ["No bad debt arose: every closed account could pay what it owed."]
    frame = paid_by_stage(run).set_index("stage")["amount_usd"]
    shares = [f"{payer} {usd(frame[stage])}" for stage, payer in PAYERS.items() if frame[stage] > 0]
    bankrupt = count(run.value("bankrupt_accounts"), "account")
    text = f"{bankrupt} cost others more than their margin held, {usd(total)} of bad debt in all."
    paid = joined(shares).replace(" $", " bore $", 1)
    rest = [f"{usd(float(frame['uncovered']))} stayed uncovered"] if frame["uncovered"] > 0 else []
    sentence = "; ".join([paid, *rest] if paid else rest)
    return [text, f"{sentence[0].upper()}{sentence[1:]}."]


def _adl_sentences(run: Run) -> list[str]:
    if run.deleverages.empty:
        return []
    waited = run.summary.get("time_to_adl_seconds")
    since = f", the first of them {duration(waited)} after the first liquidation" if waited else ""
    counterparties = count(run.value("deleveraged_counterparties"), "counterparty", "counterparties")
    return [
        f"{counterparties} lost {usd(run.value('deleveraged_usd'))} of positions to auto-deleveraging{since}."
    ]


def _vault_sentences(run: Run) -> list[str]:
    share = run.value("vault_loss_share")
    if abs(share) < QUIET:
        return []
    lost, verb = -run.value("pnl_depositors_usd"), "lost" if share > 0 else "gained"
    return [f"The vault's depositors {verb} {usd(abs(lost))}, {percent(abs(share))} of what they held."]
