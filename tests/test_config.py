"""Settings: what is read, applied, refused."""

import pytest
from pydantic import BaseModel, ConfigDict, Field

from accord.config import (
    InputError,
    StageConfig,
    apply_settings,
    build,
    identity,
    memory_only,
    nearest,
    parse_setting,
    read_toml,
)


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = 2


class Config(StageConfig):
    rate: float = Field(default=0.1, gt=0)
    rows: int = memory_only(8, ge=1)
    table: Table = Table()
    needed: str
    seed: int = 0
    fast: bool | None = None


def test_memory_settings_do_not_identify_a_run():
    assert identity(Config(needed="x", rows=3)) == identity(Config(needed="x"))
    assert identity(Config(needed="x")) == {
        "rate": 0.1,
        "table": {"width": 2},
        "needed": "x",
        "seed": 0,
        "fast": None,
    }


@pytest.mark.parametrize(
    ("setting", "keys", "value"),
    [
        ("a.b=1", ["a", "b"], 1),
        ("a=1e-3", ["a"], 1e-3),
        ("a=true", ["a"], True),
        ('a="1"', ["a"], "1"),
        ("a=[1, 2]", ["a"], [1, 2]),
        ("a= some text ", ["a"], "some text"),
        ("a=x=y", ["a"], "x=y"),
        ("a=", ["a"], ""),
    ],
)
def test_a_setting_is_read_as_toml_or_kept_as_text(setting, keys, value):
    assert parse_setting(setting) == (keys, value)


@pytest.mark.parametrize("setting", ["a", "=1", "a..b=1", ".a=1"])
def test_a_setting_without_key_or_value_is_refused(setting):
    with pytest.raises(InputError, match=r"write `--set stage\.key=value`"):
        parse_setting(setting)


def test_settings_are_applied_to_a_copy():
    table = {"a": {"b": 1}}
    assert apply_settings(table, ["a.b=2", "a.c.d=3"]) == {"a": {"b": 2, "c": {"d": 3}}}
    assert table == {"a": {"b": 1}}


def test_a_setting_inside_a_value_is_refused():
    with pytest.raises(InputError, match="`b` is a value, not a table"):
        apply_settings({"a": {"b": 1}}, ["a.b.c=2"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"needed": "x", "rat": 1}, r"\[t\]: unknown key `rat`; did you mean `rate`\?"),
        ({"needed": "x", "zzz": 1}, "known: fast, needed, rate, rows, seed, table"),
        ({}, r"\[t\]: `needed` is missing; give it a value"),
        ({"needed": "x", "rate": -1}, r"\[t\]: `rate` = `-1`: .*greater than 0"),
        ({"needed": "x", "table": {"wdth": 1}}, "unknown key `table.wdth`"),
        ({"needed": "x", "rate": "quick"}, r"\[t\]: `rate` = `quick`: .*valid number"),
        ({"needed": "x", "rate": float("inf")}, r"\[t\]: `rate` = `inf`: .*finite"),
        ({"needed": "x", "rate": float("nan")}, r"\[t\]: `rate` = `nan`: "),
        ({"needed": "x", "rate": True}, r"\[t\]: `rate` = `True`: give no `true` or `false` here"),
        ({"needed": "x", "rows": True}, r"\[t\]: `rows` = `True`: give no `true` or `false` here"),
    ],
)
def test_a_mistake_is_named_with_its_place(values, message):
    with pytest.raises(InputError, match=message):
        build(Config, values, where="[t]")


@pytest.mark.parametrize("seed", [-1, 1.0, True, "x", None])
def test_a_seed_is_a_whole_number_from_0_on(seed):
    with pytest.raises(InputError, match=r"`seed` = `.*`: give a whole number from 0 on$"):
        build(Config, {"needed": "x", "seed": seed}, where="[t]")
    assert build(Config, {"needed": "x", "seed": 0, "fast": True}, where="[t]").fast is True


def test_nearest():
    assert nearest("sfd", ["sft", "ppo"]) == "; did you mean `sft`?"
    assert nearest("x", ["sft", "ppo"]) == "; known: ppo, sft"
    assert nearest("x", []) == "; nothing is expected here"


def test_a_file_that_is_missing_or_not_toml(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_toml(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text("a = ")
    with pytest.raises(InputError, match="is not TOML"):
        read_toml(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(InputError, match="is not TOML"):
        read_toml(tmp_path / "x.toml")
