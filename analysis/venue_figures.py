"""Figures of the venue: liquidations, who paid, its funds, its backlog, and profit and loss."""

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.narrative import paid_by_stage, waterfall_finding
from analysis.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WIDTH,
    Figure,
    Records,
    chart,
    colours,
    figures6,
    inline,
    lines,
    milliseconds,
    stacked,
    statement,
    time_axis,
    titled,
    tooltip,
    usd_axis,
    zoomable,
)
from analysis.tables import Run
from analysis.wording import count, duration, noun, percent, usd

FORCED = {
    "long_liquidated_usd": "longs liquidated",
    "short_liquidated_usd": "shorts liquidated",
    "deleveraged_usd": "auto-deleveraged",
}
Ints = NDArray[np.int64]

BIN_SECONDS = (60, 300, 600, 900, 1800, 3600, 4 * 3600, 86400)
BINS = 300
STAGE_COLOURS = (BLUE, GREEN, PURPLE, VERMILION, BLACK)


def bin_seconds(run: Run) -> int:
    """Width of a time bin [s]: a round number, not below a block, giving at most 300 bins."""
    least = max(run.block_seconds, run.seconds / BINS)
    return next((width for width in BIN_SECONDS if width >= least), BIN_SECONDS[-1])


def liquidations(run: Run) -> Figure:
    """Liquidated and deleveraged notional in time bins."""
    if run.value("liquidated_usd") == 0 and run.value("deleveraged_usd") == 0:
        return titled(statement("No position was liquidated or deleveraged."), "No liquidations")
    width = bin_seconds(run)
    records = _forced_volume(run, width)
    bars = (
        chart(records)
        .mark_rect()
        .encode(
            x=time_axis(run),
            x2="end",
            y=alt.Y("base:Q", axis=usd_axis(f"USD per {duration(width)}")),
            y2="top:Q",
            color=colours(FORCED.values(), (ORANGE, SKY, PURPLE)),
            tooltip=tooltip(("line:N", "what", None), ("value:Q", "USD", "$,.0f")),
        )
        .properties(name="bars", width=WIDTH, height=240)
    )
    return titled(zoomable(bars, "bars"), _liquidation_finding(run))


def _forced_volume(run: Run, width: int) -> Records:
    sums = run.markets.groupby(bins(run, run.markets["time"], width))[list(FORCED)].sum()
    return piled(sums.rename(columns=FORCED), width)


def bins(run: Run, times: pd.Series, width: int) -> Ints:
    """In which bin of `width` seconds the blocks that end at some times begin, (n,)."""
    return milliseconds(times - pd.Timedelta(seconds=run.block_seconds)) // (1000 * width)


def piled(sums: pd.DataFrame, width: int) -> Records:
    """Records of bars above each other.

    Parameters
    ----------
    sums : DataFrame
        A row for each bin, as `bins` gives them, and a column for each line from the bottom up.
    width : int
        Of a bin [s].
    """
    tops = sums.cumsum(axis=1)
    records: Records = []
    for line in sums.columns:
        for start, value, top in zip(sums.index, sums[line], tops[line], strict=True):
            if value > 0:
                time = int(start) * 1000 * width
                record = {"time": time, "end": time + 1000 * width, "line": line, "value": figures6(value)}
                records.append(record | {"base": figures6(top - value), "top": figures6(top)})
    return records


def _liquidation_finding(run: Run) -> str:
    longs = float(run.markets["long_liquidated_usd"].sum())
    total = run.value("liquidated_usd")
    side = "longs" if longs >= total / 2 else "shorts"
    share = max(longs, total - longs) / total if total > 0 else 0.0
    whole = f"{usd(total)} liquidated, {percent(share)} of it {side}"
    deleveraged = run.value("deleveraged_usd")
    return f"{whole}; {usd(deleveraged)} auto-deleveraged" if deleveraged > 0 else whole


def waterfall(run: Run) -> Figure:
    """Who paid for bankrupt positions; what a vault loses later on positions taken over is not in it."""
    finding = waterfall_finding(run)
    frame = paid_by_stage(run)
    if frame["amount_usd"].sum() <= 0:
        return titled(statement("Every account that was closed could pay what it owed."), finding)
    records = [
        {"payer": payer, "value": figures6(amount), "text": f"{usd(amount)}  ({percent(share)})"}
        for payer, amount, share in zip(frame["payer"], frame["amount_usd"], frame["share"], strict=True)
    ]
    order = list(frame["payer"])
    start = alt.Chart(inline(records)).encode(
        y=alt.Y(
            "payer:N",
            sort=order,
            axis=alt.Axis(title=None, labelFontSize=12, labelLimit=220, ticks=False, labelPadding=6),
        )
    )
    reach = float(frame["amount_usd"].max()) * 1.25
    bars = start.mark_bar(height=20).encode(
        x=alt.X("value:Q", scale=alt.Scale(domain=[0, reach]), axis=usd_axis("bad debt borne [USD]")),
        color=alt.Color("payer:N", scale=alt.Scale(domain=order, range=list(STAGE_COLOURS)), legend=None),
        tooltip=[alt.Tooltip("payer:N"), alt.Tooltip("value:Q", title="USD", format="$,.0f")],
    )
    labels = start.mark_text(align="left", dx=5, fontSize=12, color="#222").encode(x="value:Q", text="text:N")
    return titled(alt.layer(bars, labels).properties(width=WIDTH, height=170), finding)


def funds(run: Run) -> Figure:
    """Insurance fund, vault and the bad debt so far."""
    debt = run.waterfall.groupby("block")["amount_usd"].sum()
    so_far = run.blocks["block"].map(debt).fillna(0.0).cumsum()
    frame = run.blocks.assign(bad_debt=so_far)
    names = {
        "insurance_fund": "insurance fund",
        "bad_debt": "bad debt so far",
        "vault_equity": "vault equity",
    }
    pages = {"fund and bad debt [USD]": ["insurance_fund", "bad_debt"], "vault [USD]": ["vault_equity"]}
    if not run.blocks["vault_equity"].any():
        del pages["vault [USD]"]
    lowest = list(pages)[-1]
    color = colours(names.values(), (BLUE, VERMILION, GREEN))
    panels = [
        chart(lines(frame, {column: names[column] for column in page}))
        .mark_line(interpolate="step-after", strokeWidth=1.8)
        .encode(
            x=time_axis(run, named=title == lowest),
            y=alt.Y("value:Q", axis=usd_axis(title), scale=alt.Scale(zero=title != "vault [USD]")),
            color=color,
            tooltip=tooltip(("line:N", "what", None), ("value:Q", "USD", "$,.0f")),
        )
        .properties(width=WIDTH, height=150)
        for title, page in pages.items()
    ]
    return titled(stacked(panels, color="shared"), _fund_finding(run))


def _fund_finding(run: Run) -> str:
    start, end = run.value("insurance_fund_start_usd"), run.value("insurance_fund_end_usd")
    low = run.value("insurance_fund_low_usd")
    if low <= 0.001 * start and start > 0:
        return f"The insurance fund of {usd(start)} ran dry"
    fund = _course("The insurance fund", start, end)
    opened, closed = (run.value(f"vault_equity_{time}_usd") for time in ("start", "end"))
    return f"{fund}; {_course('the vault', opened, closed)}" if opened or closed else fund


def _course(what: str, start: float, end: float) -> str:
    if usd(end) == usd(start):
        return f"{what} held at {usd(start)}"
    return f"{what} {'grew' if end > start else 'shrank'} from {usd(start)} to {usd(end)}"


def liquidatable(run: Run) -> Figure:
    """Accounts still below maintenance at block ends, with truncated blocks and gated withdrawals."""
    most = run.value("liquidatable_max")
    if most == 0 and not run.blocks["withdrawals_gated"].any():
        return titled(statement("Every block ended with all accounts above maintenance."), "No backlog")
    area = (
        chart(lines(run.blocks, {"liquidatable": "accounts below maintenance"}))
        .mark_area(interpolate="step-after", color=BLUE, opacity=0.55, line={"color": BLUE})
        .encode(
            x=time_axis(run),
            y=alt.Y("value:Q", axis=alt.Axis(title="accounts", tickCount=5, tickMinStep=1, format=",d")),
            tooltip=tooltip(("value:Q", "accounts", ",d")),
        )
        .properties(name="backlog")
    )
    layers = [area]
    if run.blocks["withdrawals_gated"].any():
        layers.insert(0, _spans(run, "withdrawals_gated", "withdrawals gated", GREY, 0.35))
    if run.blocks["truncated"].any():
        layers.append(_spans(run, "truncated", "block truncated", VERMILION, 0.9, strip=True))
    figure = alt.layer(*layers).properties(width=WIDTH, height=200)
    return titled(zoomable(figure, "backlog"), _backlog_finding(run), _backlog_detail(run))


def _spans(run: Run, column: str, name: str, colour: str, opacity: float, strip: bool = False) -> alt.Chart:
    flags = run.blocks[column].to_numpy(dtype=bool)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    ends = milliseconds(run.blocks["time"])
    block = 1000 * run.block_seconds
    records = [
        {"time": int(ends[first] - block), "end": int(ends[last - 1]), "line": name}
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]
    encoding = {"y": alt.value(0), "y2": alt.value(7)} if strip else {}
    drawn: alt.Chart = (
        chart(records)
        .mark_rect(opacity=opacity, color=colour)
        .encode(x=time_axis(run), x2="end", tooltip=tooltip(("line:N", "what", None)), **encoding)
    )
    return drawn


def _backlog_finding(run: Run) -> str:
    most = run.value("liquidatable_max")
    if most == 0:
        return "No account waited for liquidation, but withdrawals were gated"
    waited = duration(run.value("backlog_longest_seconds"))
    return f"Up to {count(most, 'account')} waited for liquidation, for at most {waited} without a break"


def _backlog_detail(run: Run) -> str:
    parts = []
    if run.blocks["truncated"].any():
        parts.append("red marks above: blocks that reached their liquidation limit")
    if run.blocks["withdrawals_gated"].any():
        parts.append("grey: withdrawals gated")
    return "; ".join(parts)


def profit_and_loss(run: Run) -> Figure:
    """Profit and loss by role, on the venue and outside, with the total."""
    agents = run.agents.assign(costs=-run.agents["gas_paid"], name=run.agents["role"].map(noun))
    order = list(agents.sort_values("pnl")["name"])
    axis = alt.Axis(title=None, labelFontSize=12, ticks=False, domain=False, labelPadding=8)
    y = alt.Y("role:N", sort=order, axis=axis)
    figure = alt.layer(_profit_bars(agents, y), *_profit_totals(agents, y))
    sized = figure.properties(width=WIDTH, height=34 * len(agents) + 10)
    return titled(sized, _profit_finding(agents), "Black mark and right column: total after gas")


def _profit_bars(agents: pd.DataFrame, y: alt.Y) -> alt.Chart:
    parts = {"venue_pnl": "on the venue", "outside_pnl": "outside", "costs": "gas"}
    records = [
        {"role": role, "line": name, "value": figures6(value)}
        for column, name in parts.items()
        for role, value in zip(agents["name"], agents[column], strict=True)
        if value != 0
    ]
    drawn: alt.Chart = (
        alt.Chart(inline(records))
        .mark_bar(height=16)
        .encode(
            x=alt.X("value:Q", stack="zero", axis=usd_axis("profit and loss [USD]")),
            y=y,
            color=colours(parts.values(), (BLUE, ORANGE, GREY)),
            tooltip=["role:N", alt.Tooltip("line:N", title="where"), alt.Tooltip("value:Q", format="$,.0f")],
        )
    )
    return drawn


def _profit_totals(agents: pd.DataFrame, y: alt.Y) -> tuple[alt.Chart, alt.Chart]:
    totals = [
        {"role": role, "value": figures6(pnl), "text": usd(pnl)}
        for role, pnl in zip(agents["name"], agents["pnl"], strict=True)
    ]
    start = alt.Chart(inline(totals))
    marks = start.mark_tick(color=BLACK, thickness=2.5, height=24).encode(
        x="value:Q", y=y, tooltip=["role:N", alt.Tooltip("text:N", title="total")]
    )
    texts = start.mark_text(align="left", dx=8, fontSize=12, color="#222").encode(
        x=alt.value("width"), y=y, text="text:N"
    )
    return marks, texts


def _profit_finding(agents: pd.DataFrame) -> str:
    best, worst = agents.iloc[int(agents["pnl"].argmax())], agents.iloc[int(agents["pnl"].argmin())]
    lost, won = float(worst["pnl"]), float(best["pnl"])
    losing = (
        f"{noun(worst['role'])} lost {usd(-lost)}" if lost < 0 else f"{noun(worst['role'])} made {usd(lost)}"
    )
    winning = (
        f"{noun(best['role'])} made {usd(won)}" if won >= 0 else f"{noun(best['role'])} lost {usd(-won)}"
    )
    return f"{losing[0].upper()}{losing[1:]}; {winning}"
