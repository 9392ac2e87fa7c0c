import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from run_folder import DRAWN, write_run_folder

from analysis.margin_words import margin_words
from analysis.report import write_report
from analysis.tables import load_run


class _Page(HTMLParser):
    """Elements, and the text outside scripts and styles."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.specs: dict[str, str] = {}
        self.feed(source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if self.open and self.open[-1] == "script" and "id" in self.elements[-1][1]:
            self.specs[self.elements[-1][1]["id"]] = data
        elif not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)


@pytest.fixture(scope="module")
def crash(tmp_path_factory) -> Path:
    folder = write_run_folder(tmp_path_factory.mktemp("crash") / "run")
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(crash) -> _Page:
    return _Page((crash / "report.html").read_text(encoding="utf-8"))


def test_the_page_loads_nothing_from_anywhere(page) -> None:
    sources = [attrs["src"] for _, attrs in page.elements if "src" in attrs]
    links = {attrs["href"] for _, attrs in page.elements if "href" in attrs}

    assert len(sources) == len(DRAWN)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(link.startswith("#") for link in links)
    assert page.open == []


def test_every_entry_of_the_contents_leads_somewhere_and_every_figure_has_one(page) -> None:
    places = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    links = [attrs["href"].removeprefix("#") for tag, attrs in page.elements if tag == "a"]

    assert len(places) == len(set(places))
    assert set(links) <= set(places)
    assert set(DRAWN) <= set(links)


def test_every_figure_has_words_in_place_of_it(page) -> None:
    told = [attrs["alt"] for tag, attrs in page.elements if tag == "img"]

    assert "BTC fell 50.2 % outside" in told[0].replace("\N{NO-BREAK SPACE}", " ")
    assert all(len(words) > 40 for words in told)


def test_an_image_for_paper_is_the_figure_without_its_title(page) -> None:
    source = next(attrs["src"] for tag, attrs in page.elements if tag == "img")
    image = base64.b64decode(source.partition(",")[2]).decode()

    assert image.startswith("<svg")
    assert "BTC price [USD]" in image
    assert "outside and 50.2" not in image.partition("<text")[2]


def test_the_page_holds_the_library_once_and_every_figure(page) -> None:
    scripts = [attrs for tag, attrs in page.elements if tag == "script" and "type" not in attrs]

    assert len(scripts) == 2
    assert list(page.specs) == [f"spec-{name}" for name in DRAWN]
    assert all(json.loads(text)["$schema"] for text in page.specs.values())


def test_the_page_says_what_happened_and_how_to_get_it_again(page) -> None:
    for words in (
        "BTC fell 50.2 % outside",
        "Bad debt, gross",
        "Shortfall of all bankrupt accounts before the insurance fund",
        "The venue is a part of the market.",
        "liquidity withdrawal share 0.7, duration 1 h 30 m",
        "12 Mar 2020 05:00",
        "1 is read or measured at a named source, 1 is chosen by the scenario and 1 is assumed",
        "The venue did not hold: of $997K of bad debt, $163K stayed uncovered at the end",
        "1 of 3 parameters is assumed: no measurement stands behind them",
        "seawall run made-up-crash --seed 7 --set agents.retail.accounts=900",
        "9f2c" * 16,
        "0123abcd",
    ):
        assert words in page.text.replace("\N{NO-BREAK SPACE}", " ")


def test_text_from_a_scenario_is_escaped(crash, page) -> None:
    source = (crash / "report.html").read_text(encoding="utf-8")

    assert "A made-up fall &amp; &lt;rise&gt;." in source
    assert "A made-up fall & <rise>." in page.text


def test_a_name_that_closes_a_script_stays_text(tmp_path) -> None:
    name = "X</script><b>"
    folder = write_run_folder(tmp_path / "run", names=(name,), blocks=40)

    page = _Page(write_report(folder).read_text(encoding="utf-8"))

    assert len(page.specs) == len(DRAWN)
    assert sum(tag == "script" for tag, _ in page.elements) == len(DRAWN) + 2
    assert name in page.text


def test_images_lie_beside_the_page(crash) -> None:
    names = {path.name for path in (crash / "figures").iterdir()}

    assert names == {f"{name}.{kind}" for name in DRAWN for kind in ("svg", "png")}


def test_the_same_run_gives_the_same_bytes(crash) -> None:
    before = {path: path.read_bytes() for path in crash.rglob("*") if path.is_file()}
    write_report(crash)

    assert {path: path.read_bytes() for path in crash.rglob("*") if path.is_file()} == before


def test_a_calm_run_has_a_report(tmp_path) -> None:
    folder = write_run_folder(tmp_path / "run", names=("BTC",), blocks=60, fall=0.0)

    text = _Page(write_report(folder).read_text(encoding="utf-8")).text

    assert "Nothing had to be paid" in text
    assert "No account was liquidated." in text
    assert re.search(r"Bad debt, gross \$0", text)


def test_margins_that_never_move_are_not_told(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "still")

    assert margin_words(load_run(folder)) is None
    assert "How far margins rose" not in write_report(folder).read_text(encoding="utf-8")
