"""A folder for what a run does not hold in memory, gone with whoever asked for it."""

import shutil
import weakref
from pathlib import Path
from tempfile import mkdtemp


def scratch_folder(owner: object) -> Path:
    """A new folder that is removed once `owner` is, or when the program ends."""
    folder = mkdtemp(prefix="seawall-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
