"""How pages are made: one HTML file with its figures in it, which asks the network for nothing."""

import base64
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from analysis.figures import VEGA_LITE, still
from analysis.style import Figure

Drawer = Callable[..., Figure]


@dataclass(frozen=True)
class Plate:
    """A figure on a page.

    Attributes
    ----------
    name : str
        Its anchor.
    title, caption : str
        What it shows, in words.
    spec : str
        Vega-Lite as JSON that no `<` interrupts.
    still : str
        The same as an image within an address: for paper, and where no script runs.
    timed : bool
        Whether it shares the page's span of time.
    """

    name: str
    title: str
    caption: str
    spec: str
    still: str
    timed: bool


def plate(name: str, figure: Figure, about: str) -> Plate:
    """A figure with its words; its title moves from the drawing into the page.

    Parameters
    ----------
    name : str
    figure : Figure
        With a title, as `analysis.style.titled` sets it.
    about : str
        What it shows, whatever it found: a sentence.
    """
    spec = figure.to_dict()
    title = spec.pop("title")
    heading, subtitle = " ".join(title["text"]), " ".join(title.get("subtitle", []))
    extra = f" {subtitle[:1].upper()}{subtitle[1:]}".rstrip(".") + "." if subtitle else ""
    spec["description"] = heading
    text = json.dumps(spec, separators=(",", ":"), sort_keys=True)
    image = base64.b64encode(still(text).encode()).decode()
    return Plate(
        name=name,
        title=heading,
        caption=about + extra,
        spec=text.replace("<", "\\u003c"),
        still=f"data:image/svg+xml;base64,{image}",
        timed=any(parameter["name"] == "zoom" for parameter in spec.get("params", [])),
    )


def described(drawer: Drawer) -> str:
    """What a figure shows: the first line of its function's docstring."""
    return (inspect.getdoc(drawer) or "").splitlines()[0]


def write_page(template: str, contents: Mapping[str, Any], page: Path) -> Path:
    """Fill a template beside this file and write the page; equal contents give equal bytes."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.get_template(template).render(bundle=_bundle(), **contents)
    page.write_text(text, encoding="utf-8", newline="\n")
    return page


def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, of which no string ends the script element."""
    script = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg]  # stub lacks a default
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
