"""Presets and project files."""

import pytest

from accord.config import InputError
from accord.store.specs import SIZES
from accord.web.project_files import beginning, presets, read, shipped_guidelines

ELEVEN = 11  # InstructGPT, table 3


def test_every_kind_of_task_has_a_preset():
    specs = [read(beginning(name, "p", "P")).spec for name in presets()]
    assert {spec.task for spec in specs} == set(SIZES)


@pytest.mark.parametrize("name", list(presets()))
def test_a_preset_is_a_project_file_to_begin_with(name):
    found = read(beginning(name, "mine", 'My "own" \\ project'))
    assert (found.spec.id, found.spec.title) == ("mine", 'My "own" \\ project')
    assert found.guideline in shipped_guidelines()
    assert found == read(f'preset = "{name}"\nid = "mine"\ntitle = \'My "own" \\ project\'')


def test_the_presets_are_those_of_the_papers():
    comparison = read(beginning("comparison", "p", "P")).spec.settings
    assert (comparison.strength_steps, comparison.ties) == (4, True)
    ranking = read(beginning("ranking", "p", "P")).spec.settings
    assert len(ranking.flags) == ELEVEN
    assert [axis.name for axis in ranking.axes] == ["overall"]
    assert ranking.require_ratings
    red = read(beginning("conversation_red_team", "p", "P")).spec
    assert (red.mode, red.polarity) == ("red_team", "harmful_first")
    assert red.settings.care.blur
    assert red.settings.care.daily_cap
    assert red.settings.care.content_classes


def test_a_project_changes_single_settings_of_its_preset():
    text = 'preset = "ranking"\nid = "p"\ntitle = "P"\n[settings]\nvotes_wanted = 3\n'
    settings = read(text + "[settings.overlap]\nshare = 0.5").spec.settings
    assert (settings.votes_wanted, len(settings.flags)) == (3, ELEVEN)
    assert (settings.overlap.share, settings.overlap.votes) == (0.5, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "not TOML"),
        ('preset = "comparisons"', "did you mean `comparison`"),
        ("preset = []", "no preset"),
        ('preset = "rating"\ntitle = "P"', "`id`: Field required"),
        ('preset = "rating"\nid = "A b"\ntitle = "P"', "`id`: String should match"),
        ('preset = "rating"\nid = "p"\ntitle = "P"\nvotes = 3', "`votes`: is not known"),
        ('preset = "rating"\nid = "p"\ntitle = "P"\nsettings = 3', "`settings`"),
        ('preset = "rating"\nid = "p"\ntitle = "P"\nguideline = 3', "`guideline` is a name"),
        ('preset = "rating"\nid = "p"\ntitle = "P"\n[settings]\ngold_share = 2', "gold_share"),
    ],
)
def test_what_cannot_be_used_is_named(text, said):
    with pytest.raises(InputError, match=said):
        read(text)


def test_the_guidelines_say_which_aim_comes_first():
    texts = shipped_guidelines()
    assert set(texts) == {"low_guidance", "high_guidance"}
    high = texts["high_guidance"].lower()
    assert all(word in high for word in ("helpful", "truthful", "harmless", "which aim"))
    assert "more harmful" in texts["low_guidance"]
    assert len(texts["high_guidance"]) > 2 * len(texts["low_guidance"]) * 0.8
