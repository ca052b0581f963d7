"""The HCL reader: all of the project's, and what expressions come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.hcl import HclError, parse
from ansible_collections.drydock.ops.plugins.module_utils.hcl_sources import Sources
from ansible_collections.drydock.ops.plugins.module_utils.policies.model import UNKNOWN, Resource

PROJECT = Path(__file__).resolve().parents[3]


def worked_out(text: str, tmp_path: Path, **variables: Any) -> Any:
    (tmp_path / "main.tf").write_text(
        f'resource "x" "y" {{\n  a = {text}\n}}\nlocals {{\n  l = "L"\n}}\n'
    )
    plan = {"variables": {name: {"value": value} for name, value in variables.items()}}
    return Sources(plan, tmp_path).fill(Resource("x.y", "x", {"a": UNKNOWN}), "a")


def test_every_file_of_the_project_is_read() -> None:
    files = list((PROJECT / "terraform").rglob("*.tf"))
    assert len(files) > 50
    for path in files:
        parse(path.read_text())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a${var.v}b"', "aVb"),
        ('{ k = "v", "q-r" : [1, 2.5, true, null,], }', {"k": "v", "q-r": [1, 2.5, True, None]}),
        ('[for one in var.list : upper(one) if one != "b"]', ["A", "C"]),
        ("{ for k, v in { a = 1 } : k => v + 1 }", {"a": 2}),
        ('var.v == "V" ? local.l : "no"', "L"),
        ('concat(var.list, [\n  "d", # why\n])', ["a", "b", "c", "d"]),
        ("var.list[*]", ["a", "b", "c"]),
        ("var.v[*]", ["V"]),
        ("merge({ a = 1 }, { b = 2 }).b", 2),
        ("jsondecode(jsonencode({ a = [x.other.arn] })).a[0]", "⟦x.other.arn⟧"),
        ('"${x.other.arn}/*"', "⟦x.other.arn⟧/*"),
        ("<<-EOT\n    one ${var.v}\n      two\n  EOT", "one V\n  two\n"),
        ("!(1 < 2) || var.v != null && 3 % 2 == 1", True),
        ('format("%s-%d", var.v, 3)', "V-3"),
        ("x.other.arn != null", True),
        ('filebase64("x")', UNKNOWN),
        ("x.other.size > 3", UNKNOWN),
        ("x.other.on ? [1] : [2]", [1, 2]),
    ],
)
def test_expressions(text: str, value: Any, tmp_path: Path) -> None:
    assert worked_out(text, tmp_path, v="V", list=["a", "b", "c"]) == value


def test_what_a_type_gives_to_what_is_left_out(tmp_path: Path) -> None:
    """A plan's JSON holds variables as they were given, without the defaults of their type."""
    (tmp_path / "main.tf").write_text(
        """
        variable "all" {
          type = map(object({
            on   = optional(bool, false)
            many = optional(list(object({ size = optional(number, 3) })))
            name = string
          }))
        }
        resource "x" "y" {
          a = [for one in values(var.all) : one.on ? one.name : null]
          b = [for one in values(var.all) : one.many]
        }
        """
    )
    given = {"p": {"name": "P"}, "q": {"name": "Q", "on": True, "many": [{}]}}
    sources = Sources({"variables": {"all": {"value": given}}}, tmp_path)
    blank = Resource("x.y", "x", {"a": UNKNOWN, "b": UNKNOWN})
    assert sources.fill(blank, "a") == [None, "Q"]
    assert sources.fill(blank, "b") == [None, [{"size": 3}]]


def test_what_is_not_set_is_none(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "x" "y" {}\n')
    assert Sources({}, tmp_path).fill(Resource("x.y", "x", {}), "policy") is None


def test_an_override_counts(tmp_path: Path) -> None:
    (tmp_path / "a_override.tf").write_text('resource "x" "y" {\n  a = 2\n}\n')
    assert worked_out("1", tmp_path) == 2


@pytest.mark.parametrize(
    "text", ["a = ", "a { b", 'a = "x', "= 3", 'a = "%{ if true }x%{ endif }"']
)
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(HclError, match="line 1"):
        parse(text)


def test_a_circle_and_a_file_in_json_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "c.tf").write_text("locals {\n  a1 = local.b1\n  b1 = local.a1\n}\n")
    assert worked_out("local.a1", tmp_path) is UNKNOWN
    (tmp_path / "d.tf.json").write_text("{}")
    assert worked_out("1", tmp_path) is UNKNOWN
