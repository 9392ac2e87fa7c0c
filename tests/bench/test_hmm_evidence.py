"""The tables of docs/regimes.md on simulated worlds; `make bench` prints them."""

import numpy as np
import pytest
from hidden_evidence import KINDS, RATIOS, THRESHOLDS, chosen, detection, deviations, knowledge

LAWS = (np.inf, 5.0)


def test_what_models_know(capsys: pytest.CaptureFixture[str]) -> None:
    columns = "Brier: fitted, true, base rate, holed: fitted, true; index: fitted, true"
    lines = ["", f"degrees  ratio | {columns}"]
    for degrees in LAWS:
        away = np.abs(deviations(degrees, 30))
        shares = ", ".join(f"{np.mean(away < bar):.3f}" for bar in (2, 3))
        lines.append(f"{degrees:7}  parameters within two and three standard errors: {shares}")
        for ratio in RATIOS:
            cells = ", ".join(f"{each:.3f}" for each in knowledge(ratio, degrees, 10))
            lines.append(f"{degrees:7}  {ratio:5} | {cells}")
    with capsys.disabled():
        print("\n".join(lines))


def test_how_soon_switches_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        "",
        f"degrees  ratio | alarms in 1,000 calm steps, median delay, missed; thresholds {THRESHOLDS}",
    ]
    for degrees in LAWS:
        for ratio in RATIOS:
            found = zip(*detection(ratio, degrees), strict=True)
            cells = " | ".join(f"{alarms:.1f}, {delay:.0f}, {missed:.2f}" for alarms, delay, missed in found)
            lines.append(f"{degrees:7}  {ratio:5} | {cells}")
    with capsys.disabled():
        print("\n".join(lines))


def test_how_often_two_states_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["", f"ratio | share of 20 worlds in which two states are chosen, emissions {KINDS}"]
    for ratio in (1.0, *RATIOS):
        cells = ", ".join(f"{chosen(ratio, kind, 20):.2f}" for kind in KINDS)
        lines.append(f"{ratio:5} | {cells}")
    with capsys.disabled():
        print("\n".join(lines))
