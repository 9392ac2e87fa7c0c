"""Reports in a real browser, without a network."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from browser import NAMES, Tab, browser, chromium
from run_folder import DRAWN, START, write_run_folder
from sweep_results import sweep_results

from analysis.comparisons.comparison import compare
from analysis.comparisons.report import write_sweep_report
from analysis.report import write_report

pytestmark = pytest.mark.skipif(
    chromium() is None, reason=f"no browser is installed, looked for {', '.join(NAMES)}"
)
EVIL = "<script>alert(1)</script>"
SEEN = [*DRAWN, "timeline", "parameter_history"]
TIMED = [name for name in SEEN if name not in ("waterfall", "profit_and_loss", "parameter_history")]
TIP = "(document.querySelector('#vg-tooltip-element.visible') || {}).innerText"
TIMES = r"""Object.fromEntries([...document.querySelectorAll('figure[data-timed]')].map(figure => [
  figure.id, [...figure.querySelectorAll('.role-axis-label text')].map(text => text.textContent)
    .filter(text => /^(\d\d:\d\d|\d+ [A-Z][a-z][a-z])$/.test(text)).sort().join(' '),
]))"""
OVERFLOWING = """[...document.querySelectorAll('body *')].filter(element =>
  element.getBoundingClientRect().right > innerWidth + 1 && !element.closest('.wide, pre, svg'))
  .map(element => element.outerHTML.slice(0, 100))"""
POOR = r"""(() => {
  const light = colour => { const [r, g, b] = colour.match(/[\d.]+/g).map(Number).map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = element => { for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\)$/.test(colour)) return colour; } return 'rgb(255, 255, 255)'; };
  const worst = [];
  for (const element of document.querySelectorAll('main *:not(svg *):not(script):not(img)')) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const [one, other] = [light(getComputedStyle(element).color), light(ground(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) worst.push(`${contrast.toFixed(2)} ${element.outerHTML.slice(0, 80)}`);
  }
  return worst; })()"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose name, description, market and origin of a parameter try to be more than text."""
    folder = write_run_folder(tmp_path_factory.mktemp("browser") / "run", names=("BTC", EVIL))
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest |= {"name": EVIL, "description": "</script><img src=x onerror=alert(2)>"}
    manifest["parameters"][0]["source"] = EVIL
    file.write_text(json.dumps(manifest))
    _propose(folder)
    return write_report(folder)


def _propose(folder: Path) -> None:
    """One proposal, executed, whose title and reason would end a script."""
    hours = {"created": 1, "published": 1, "opens": 2, "closes": 4, "ended": 5}
    row = {
        "number": 0, "title": f"</script>{EVIL}", "changes": "maintenance_margin BTC 0.03 → 0.04",
        "route": "vote", "state": "executed", "reason": "</script><b>why</b>", "turnout": 0.2,
        "votes_for": 9e5, "votes_against": 1e5,
        **{name: START + pd.Timedelta(hours=hour) for name, hour in hours.items()},
    }  # fmt: skip
    pd.DataFrame([row]).to_parquet(folder / "proposals.parquet")
    columns = ["proposal", "event", "about", "reason", "time"]
    pd.DataFrame([[0, "executed", "", "", START]], columns=columns).to_parquet(folder / "governance.parquet")


@pytest.fixture(scope="module")
def sweep_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = sweep_results(gates=["es95(bad_debt_gross_usd) <= 1e6"])
    results.manifest["description"] = f"{EVIL} and [a link](https://example.org)"
    comparison = compare(results, "policy", metrics=["bad_debt_gross_usd", "liquidated_usd"], resamples=200)
    return write_sweep_report(comparison, tmp_path_factory.mktemp("browser") / "sweep")


@pytest.fixture(params=["run", "sweep"])
def any_page(request: pytest.FixtureRequest, page: Path, sweep_page: Path) -> Path:
    return page if request.param == "run" else sweep_page


def _place(tab: Tab, selector: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of an element in the window, after scrolling to it."""
    left, top, width, height = tab.run(
        f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
        " e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
        " return [b.left, b.top, b.width, b.height]; })()"
    )
    return left, top, width, height


def _pages(printed: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))


@pytest.mark.parametrize("width", [1280, 360])
def test_a_page_draws_every_figure_and_reports_no_error_and_asks_for_nothing(
    tab: Tab, any_page: Path, width: int
) -> None:
    tab.open(any_page, width)
    sizes = tab.run(
        "[...document.querySelectorAll('figure')].map(figure => figure.querySelector('.plot svg'))"
        ".map(svg => svg && [svg.clientWidth, svg.clientHeight, svg.querySelectorAll('path, text').length])"
    )
    asked = [address for address in tab.requests if not address.startswith("data:")]

    assert tab.errors == []
    assert asked == [any_page.as_uri()]
    assert len(sizes) == (len(SEEN) if any_page.parent.name == "run" else 1)
    assert all(size and size[0] > 200 and size[1] > 40 and size[2] > 1 for size in sizes)


def test_an_error_and_a_request_would_be_seen(tab: Tab, tmp_path: Path) -> None:
    page = tmp_path / "faulty.html"
    page.write_text(
        "<img src='https://example.org/x.png'><script>document.documentElement.dataset.drawn = 1;"
        "console.error('broken'); setTimeout(() => nothing(), 0)</script>"
    )
    tab.open(page)
    tab.until("new Promise(done => setTimeout(() => done(true), 100))")

    assert any("broken" in error for error in tab.errors)
    assert any("nothing is not defined" in error for error in tab.errors)
    assert "https://example.org/x.png" in tab.requests


@pytest.mark.parametrize("width", [360, 380, 1280])
def test_nothing_is_wider_than_the_window(tab: Tab, any_page: Path, width: int) -> None:
    tab.open(any_page, width)

    assert tab.run(OVERFLOWING) == []
    assert tab.run("document.documentElement.scrollWidth") == width


def test_words_stand_out_from_their_ground(tab: Tab, any_page: Path) -> None:
    tab.open(any_page)

    assert tab.run(POOR) == []
    tab.run("document.querySelector('.soft').style.color = '#999'")
    assert len(tab.run(POOR)) == 1


def test_names_from_a_scenario_stay_text(tab: Tab, page: Path) -> None:
    tab.open(page)
    scripts = tab.run("document.querySelectorAll('script:not([type])').length")

    assert scripts == 2
    assert tab.run("document.querySelector('h1').textContent") == EVIL
    assert tab.run("document.querySelector('header p').textContent").startswith("</script><img")
    assert tab.run("document.querySelectorAll('img:not(.still)').length") == 0
    assert EVIL in tab.run("document.querySelector('#prices').textContent")
    assert "</script><script>" in tab.run("document.querySelector('#timeline .plot').textContent")
    assert "executed: </script><b>why</b>" in tab.run("document.querySelector('#governance table').innerText")


def test_a_sweep_brings_no_link_and_no_script(tab: Tab, sweep_page: Path) -> None:
    tab.open(sweep_page)
    outside = (
        "[...document.querySelectorAll('a')].filter(link => link.getAttribute('href')[0] !== '#').length"
    )

    assert tab.run(outside) == 0
    assert tab.run("document.querySelectorAll('script:not([type])').length") == 2
    assert EVIL in tab.run("document.querySelector('#on-what-was-simulated').textContent")


def test_pointing_near_a_line_tells_its_value_and_time(tab: Tab, page: Path) -> None:
    tab.open(page)
    left, top, width, _ = _place(tab, "#open_interest .plot svg .mark-line path")
    y = tab.run(
        "(() => { const path = document.querySelector('#open_interest .mark-line path');"
        " const at = path.getPointAtLength(path.getTotalLength() * 0.2).matrixTransform(path.getScreenCTM());"
        " return [at.x, at.y]; })()"
    )
    tab.move(y[0], y[1] - 6)
    told = tab.until(TIP)

    assert left < y[0] < left + width
    assert top > 0
    assert re.search(r"time\s+12 Mar 2020 \d\d:\d\d UTC", told)
    assert re.search(r"market\s+(BTC|<script>)", told)
    assert re.search(r"of start\s+[\d.]+%", told)

    tab.move(5, 5)
    assert not tab.run(TIP)


def test_pointing_at_a_bar_tells_its_value(tab: Tab, page: Path) -> None:
    tab.open(page)
    left, top, width, height = _place(tab, "#waterfall .plot svg .mark-rect path")
    tab.move(left + width / 2, top + height / 2)

    assert re.search(r"payer\s+insurance fund\s+USD\s+\$170,664", tab.until(TIP))


def test_zooming_one_figure_zooms_the_others_and_a_double_click_goes_back(tab: Tab, page: Path) -> None:
    tab.open(page)
    before = tab.run(TIMES)
    left, top, width, height = _place(tab, "#prices .plot svg")
    middle = (left + width / 2, top + height / 3)
    tab.move(*middle)
    tab.move(*middle, "mouseWheel", deltaX=0, deltaY=-600, modifiers=8)
    tab.until("document.querySelector('.times output').textContent.includes(' to ')")
    after = tab.run(TIMES)
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            tab.move(*middle, kind, button="left", clickCount=count)
    tab.until("document.querySelector('.times output').textContent === 'the whole run'")

    assert sorted(before) == sorted(TIMED)
    assert all(after[name] != before[name] for name in TIMED)
    assert tab.run(TIMES) == before
    assert tab.errors == []


def test_dragging_one_figure_moves_the_others(tab: Tab, page: Path) -> None:
    tab.open(page)
    before = tab.run(TIMES)
    left, top, width, height = _place(tab, "#funding .plot svg")
    x, y = left + width / 2, top + height / 2
    tab.move(x, y)
    tab.move(x, y, "mousePressed", button="left", clickCount=1)
    for step in range(1, 6):
        tab.move(x - 30 * step, y, button="left", buttons=1)
    tab.move(x - 150, y, "mouseReleased", button="left", clickCount=1)
    tab.until("document.querySelector('.times output').textContent.includes(' to ')")
    after = tab.run(TIMES)

    assert all(after[name] != before[name] for name in TIMED)


def test_buttons_move_the_span_of_time_and_stop_at_the_ends_of_the_run(tab: Tab, page: Path) -> None:
    tab.open(page)
    told = "document.querySelector('.times output').textContent"
    press = "document.querySelector('.times button[value={}]').click()"
    before = tab.run(TIMES)
    tab.run(press.format("closer"))
    closer = tab.until(f"{told}.includes(' to ') && {told}")
    for _ in range(4):
        tab.run(press.format("later"))
    last = tab.until(f"{told} !== {json.dumps(closer)} && {told}")
    tab.run(press.format("all"))
    tab.until(f"{told} === 'the whole run'")

    assert closer == "12 Mar, 02:30 to 12 Mar, 07:30 UTC"
    assert last.endswith("12 Mar, 10:00 UTC")
    assert tab.run(TIMES) == before


def test_figures_follow_the_width_of_the_window(tab: Tab, page: Path) -> None:
    tab.open(page)
    width = "document.querySelector('#prices .plot svg').clientWidth"
    wide = tab.run(width)
    tab.size(500)

    assert tab.until(f"{width} < 500 && {width}") < wide


def test_on_paper_images_stand_in_for_the_figures(tab: Tab, any_page: Path) -> None:
    tab.open(any_page)
    tab.call("Emulation.setEmulatedMedia", media="print")
    shown = "[...document.querySelectorAll('{}')].filter(e => e.getBoundingClientRect().height > 30).length"
    stills, plots = (tab.run(shown.format(name)) for name in ("img.still", ".plot"))
    pages = _pages(tab.printed())
    tab.call("Emulation.setEmulatedMedia", media="")

    assert (stills, plots) == (len(SEEN) if any_page.parent.name == "run" else 1, 0)
    assert 3 <= pages <= 40


def test_without_scripts_the_images_are_there(tab: Tab, page: Path) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.call("Page.navigate", url=page.as_uri())
        tab.until("document.readyState === 'complete' && document.images.length > 5")
        heights = tab.run("[...document.images].map(image => image.getBoundingClientRect().height)")
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)

    assert len(heights) == len(SEEN)
    assert min(heights) > 30
