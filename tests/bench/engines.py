"""Every way in which the crowd's margin engine is written, by name, plain Mesa agents first."""

from collections.abc import Callable
from functools import partial

from bench.core_crowd import FINDERS, CoreCrowd
from bench.crowd import Crowd, Engine
from bench.mesa_crowd import MesaCrowd
from bench.numpy_crowd import NumpyCrowd

MESA, NUMPY = "plain Mesa agents", "numpy"
OURS = {f"ours, {name}": partial(CoreCrowd, finder=finder) for name, finder in FINDERS.items()}
ENGINES: dict[str, Callable[[Crowd], Engine]] = {MESA: MesaCrowd, NUMPY: NumpyCrowd, **OURS}


def close(engine: Engine) -> None:
    """Let go of an engine that others would keep alive."""
    if isinstance(engine, MesaCrowd):
        engine.close()
