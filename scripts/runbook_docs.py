"""Writes docs/runbooks/<name>.md and runbooks/README.md from the runbooks' metadata.

``--check`` writes nothing and exits 1 naming what is not current.
"""

import argparse
import ast
import re
import sys
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parent.parent
KEYS = {"title", "purpose", "trigger", "alarms", "risk", "duration", "inventories", "inputs",
        "touches", "never", "undo"}  # fmt: skip
NEEDED = KEYS - {"inputs", "inventories"}
TRIGGERS = ("alarm", "planned")
RISKS = ("low", "medium", "high")
NOTE = (
    "<!-- Written by scripts/runbook_docs.py from runbooks/meta; change that, then `make docs`. -->"
)


class BadMetadata(Exception):
    """Metadata that can't be right; the text names file, key and cure."""


def read(path: Path) -> dict[str, Any]:
    """Returns a runbook's metadata.

    Raises:
        BadMetadata: a key is missing, unknown, or has a value that it can't have.
    """
    found = yaml.safe_load(path.read_text())
    if not isinstance(found, dict):
        raise BadMetadata(f"{path.name} holds no mapping: begin with `title: …`.")
    for what, keys in (("lacks", NEEDED - set(found)), ("has the unknown", set(found) - KEYS)):
        if keys:
            raise BadMetadata(
                f"{path.name} {what} {', '.join(sorted(keys))}; a runbook's metadata has "
                f"{', '.join(sorted(KEYS))}."
            )
    for key, choices in (("trigger", TRIGGERS), ("risk", RISKS)):
        if found[key] not in choices:
            raise BadMetadata(f"{path.name}: {key} is {found[key]}, not {' or '.join(choices)}.")
    for key in ("alarms", "touches", "never"):
        if not isinstance(found[key], list):
            raise BadMetadata(f"{path.name}: {key} is no list.")
    for name, option in (found.get("inputs") or {}).items():
        if not {"type", "description"} <= set(option):
            raise BadMetadata(f"{path.name}: input {name} needs type and description.")
    return found


def plain(pattern: str) -> str:
    """An alarm's name with words in place of templates: ``drydock-ENVIRONMENT-HOST-5xx``."""
    return re.sub(
        r"\{\{\s*(\w+?)(?:_name|_hostname)?\s*\}\}",
        lambda found: {"inventory": "HOST"}.get(found[1], found[1].upper()),
        pattern,
    )


def checks(path: Path) -> list[str]:
    """What a runbook's testinfra file looks at: its tests' docstrings, or their names.

    Tests that it imports from a file beside it are its own too.
    """
    if not path.exists():
        return []
    found = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            shared = path.with_name(f"{node.module.rpartition('.')[2]}.py")
            wanted = {name.name for name in node.names}
            found += [text for name, text in _tests(shared) if name in wanted or "*" in wanted]
    return found + [text for _name, text in _tests(path)]


def _tests(path: Path) -> list[tuple[str, str]]:
    """(name, what it looks at) of the tests that a file defines."""
    if not path.exists():
        return []
    found = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            text = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
            words = node.name.removeprefix("test_").replace("_", " ")
            found.append((node.name, text or words))
    return found


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _inputs(inputs: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["| input | type | default | meaning |", "|---|---|---|---|"]
    for name, option in inputs.items():
        kind = option["type"]
        if option.get("choices"):
            kind = " or ".join(f"`{choice}`" for choice in option["choices"])
        limits = [
            f"{word} {option[key]}"
            for key, word in (("minimum", "at least"), ("maximum", "at most"))
            if key in option
        ]
        default = "**required**" if option.get("required") else option.get("default", "none")
        meaning = _cell(option["description"]) + (f" ({', '.join(limits)})" if limits else "")
        lines.append(f"| `{name}` | {kind} | {_cell(default)} | {meaning} |")
    lines += [
        "| `force` | bool | false | Go on although the alarms say there is no need, or not now. |",
        "| `confirm` | str | none | The environment's name, where it would be asked for. |",
    ]
    return lines


def page(name: str, found: dict[str, Any], tests: list[str]) -> str:
    """The page of one runbook."""
    trigger = (
        "One of these alarms is red; while all are green it does nothing:"
        if found["trigger"] == "alarm"
        else "Planned work; it refuses while one of these alarms is red:"
        if found["alarms"]
        else "A person finds out and asks for it: no alarm tells of it, none keeps it from acting."
    )
    # Folders of inventories/ in which more hosts are found: nodes → inventories/nodes/ENVIRONMENT.
    folders = ["", *(f"{one}/" for one in found.get("inventories", []))]
    inventories = " ".join(f"-i inventories/{folder}ENVIRONMENT" for folder in folders)
    lines = [
        NOTE,
        f"# {name}: {found['title']}",
        "",
        _cell(found["purpose"]),
        "",
        f"Risk: **{found['risk']}**. Takes: {_cell(found['duration'])}",
        "",
        "```sh",
        f"ansible-playbook {inventories} runbooks/{name}.yml --check   # the decision",
        f"ansible-playbook {inventories} runbooks/{name}.yml",
        "```",
        "",
        "## When",
        "",
        trigger,
        "",
        *(f"- `{plain(alarm)}`" for alarm in found["alarms"]),
        "",
        "## Inputs (`-e name=value`)",
        "",
        *_inputs(found.get("inputs") or {}),
        "",
        "## What it may touch",
        "",
        *(f"- {_cell(one)}" for one in found["touches"]),
        "",
        "## What it never touches",
        "",
        *(f"- {_cell(one)}" for one in found["never"]),
        "",
        "## How it is taken back",
        "",
        _cell(found["undo"]),
    ]
    if tests:
        lines += ["", "## What is checked at its end", "", *(f"- {_cell(one)}" for one in tests)]
    return "\n".join(lines) + "\n"


def index(found: dict[str, dict[str, Any]]) -> str:
    """The index: from an alarm to its runbook."""
    lines = [
        NOTE,
        "# Runbooks",
        "",
        "Every alarm names its runbook. `--check` shows the decision and changes nothing; how a",
        "runbook is built is said in [the role](../roles/runbook/README.md).",
        "",
        "| alarm | runbook | what it is about | risk |",
        "|---|---|---|---|",
    ]
    rows = [
        (plain(alarm), name)
        for name, one in found.items()
        if one["trigger"] == "alarm"
        for alarm in one["alarms"]
    ]
    for alarm, name in sorted(rows):
        one = found[name]
        link = f"[{name}](../docs/runbooks/{name}.md)"
        lines.append(f"| `{alarm}` | {link} | {_cell(one['title'])} | {one['risk']} |")
    planned = {name: one for name, one in found.items() if one["trigger"] == "planned"}
    if planned:
        lines += ["", "Planned work, and what a person asks for; no alarm calls for it:", ""]
        lines += ["| runbook | what it is about | risk |", "|---|---|---|"]
        lines += [
            f"| [{name}](../docs/runbooks/{name}.md) | {_cell(one['title'])} | {one['risk']} |"
            for name, one in sorted(planned.items())
        ]
    return "\n".join(lines) + "\n"


def pages(project: Path) -> dict[Path, str]:
    """Every file that is generated, with its content."""
    found = {path.stem: read(path) for path in sorted((project / "runbooks/meta").glob("*.yml"))}
    made = {project / "runbooks/README.md": index(found)}
    for name, one in found.items():
        tests = checks(project / f"runbooks/tests/test_{name.replace('-', '_')}.py")
        made[project / f"docs/runbooks/{name}.md"] = page(name, one, tests)
    return made


def main(words: list[str] | None = None, project: Path = PROJECT) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is not current")
    arguments = parser.parse_args(words)
    try:
        made = pages(project)
    except BadMetadata as error:
        print(f"runbooks/meta/{error}", file=sys.stderr)
        return 1
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    lost = set((project / "docs/runbooks").glob("*.md")) - set(made)
    if arguments.check:
        for path in [*stale, *sorted(lost)]:
            print(f"{path.relative_to(project)} is not current: run `make docs`.", file=sys.stderr)
        return 1 if stale or lost else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path])
        print(f"wrote {path.relative_to(project)}")
    for path in sorted(lost):
        path.unlink()
        print(f"removed {path.relative_to(project)}, which has no metadata any more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
