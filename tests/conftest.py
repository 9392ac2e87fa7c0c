"""What the tests share: the hypothesis profile and the folder of real candles."""

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("seawall", deadline=None, derandomize=True)
settings.load_profile("seawall")


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of real candles, which is not part of the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the folder of real candles is missing: {folder}")
    return folder
