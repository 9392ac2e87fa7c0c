"""The catalogue of attacks: it is complete, every arm of it can be run, and mistakes in one are named."""

from pathlib import Path

import pytest

from agents.attackers.kinds import ATTACKS
from analysis.attacks.catalogue import HOLE, chosen, load_catalogue
from sim.bundled import names
from sim.problems import ScenarioError
from sim.scenario import load_scenario

CATALOGUE = load_catalogue()


def test_every_bundled_attack_and_every_kind_is_in_the_catalogue() -> None:
    shown = {case.scenario for case in CATALOGUE.values()}
    bundled = {name for name in names("scenario") if name.startswith(("attack_", "governance_"))}
    kinds = {each.kind for name in shown for each in load_scenario(name).agents.attackers.values()}

    assert bundled <= shown
    assert kinds == set(ATTACKS)


def test_every_attack_has_a_guard() -> None:
    assert all(case.guards for case in CATALOGUE.values())


@pytest.mark.slow
def test_every_arm_is_a_scenario() -> None:
    arms = [(case.scenario, settings) for case in CATALOGUE.values() for settings in case.arms().values()]

    assert len(arms) > 80
    for scenario, settings in arms:
        load_scenario(scenario, list(settings))


def test_a_swept_guard_is_an_arm_for_each_of_its_strengths() -> None:
    arms = CATALOGUE["key_theft"].arms()

    assert next(iter(arms)) == HOLE
    assert arms["review 12h"] == ("governance.steward.review=12h", "governance.guardian.overlooks=0")


def test_attacks_are_chosen_by_name_and_an_unknown_one_is_refused() -> None:
    assert list(chosen(CATALOGUE, ["nudge"])) == ["nudge"]
    assert chosen(CATALOGUE, []) == CATALOGUE
    with pytest.raises(ScenarioError, match="no attack 'nugde'; did you mean nudge"):
        chosen(CATALOGUE, ["nugde"])


def test_a_mistake_in_a_catalogue_is_named_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("theft: {scenario: governance_key_theft, success: {number: luck}, guard: {}}")

    with pytest.raises(ScenarioError, match=r"mine.yaml  theft\.guard: .*\n?"):
        load_catalogue(file)
