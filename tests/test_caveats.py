"""What a reader of one run is warned of."""

from run_folder import write_run_folder

from analysis.caveats import caveats
from analysis.tables import Run, load_run


def test_caveats_are_made_from_the_run(tmp_path) -> None:
    run = load_run(write_run_folder(tmp_path / "run"))
    text = " ".join(caveats(run)).replace("\N{NO-BREAK SPACE}", " ")
    truncated = int(run.blocks["truncated"].sum())

    assert "one run with one seed, 7" in text
    assert "1 of 3 parameters is assumed" in text
    assert "2 shocks are scripted" in text
    assert truncated > 0
    assert f"In {truncated} block" in text
    assert "blocks of 1 m" in text


def test_what_does_not_hold_is_not_said(tmp_path) -> None:
    run = load_run(write_run_folder(tmp_path / "run", fall=0.0, blocks=60))
    scenario = {**run.manifest["scenario"], "shocks": []}
    bare = Run(**{**run.__dict__, "manifest": {**run.manifest, "scenario": scenario, "parameters": []}})
    text = " ".join(caveats(bare))

    assert not bare.blocks["truncated"].any()
    assert all(words not in text for words in ("scripted", "assumed:", "stopped at its limit"))
