"""One code for every environment: nothing outside the inventories asks where it runs."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("playbooks", "roles", "plugins", "terraform", "apps", "runbooks")
SUFFIXES = {".yml", ".yaml", ".py", ".tf", ".hcl", ".j2", ".json", ".sh", ""}
NAMES = r"(local|dev|staging|prod)"

# What would steer by environment, or by who answers the API.
SIGNS = {
    "an environment's name in a comparison": re.compile(
        rf"(==|!=|\bin\b|\bis\b)\s*[\[(]?\s*['\"]{NAMES}['\"]|['\"]{NAMES}['\"]\s*(==|!=|\bin\b)"
    ),
    "the word local in quotes": re.compile(r"['\"]local['\"]"),
    "a condition that names an environment": re.compile(rf"\bwhen:.*\b{NAMES}\b"),
    "the embedded cloud by its port or maker": re.compile(r"\b4566\b|\bmoto\b|localstack", re.I),
}
# file → text of the line: why it steers nothing.
ALLOWED = {
    # the names that a stack accepts, all treated alike
    ("terraform/stacks/common.tf", "contains(["),
    # Terraform's own name of the backend that keeps its state in a file
    ("plugins/modules/bootstrap_state.py", 'backend "local" {}'),
    # the same language's name of a module's own values
    ("plugins/module_utils/hcl_sources.py", 'root == "local"'),
}


def _violations(text: str, name: str) -> list[str]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for sign, pattern in SIGNS.items():
            allowed = any(name == file and part in line for file, part in ALLOWED)
            if pattern.search(line) and not allowed:
                found.append(f"{name}:{number}: {sign}: {line.strip()}")
    return found


def _files() -> list[Path]:
    return [
        path
        for folder in FOLDERS
        for path in (PROJECT / folder).rglob("*")
        if path.is_file()
        and path.suffix in SUFFIXES
        and not path.is_symlink()
        and not {".terraform", "__pycache__", "node_modules", "coverage", "tests"} & set(path.parts)
    ]


def test_nothing_outside_the_inventories_asks_where_it_runs():
    files = _files()
    assert len(files) > 60, "the search has lost its files"
    found = [
        line
        for path in files
        for line in _violations(path.read_text(errors="replace"), str(path.relative_to(PROJECT)))
    ]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "  when: environment_name == 'local'",
        '  count = var.environment == "local" ? 0 : 1',
        "  when: environment_name in ['local', 'dev']",
        'if environment != "prod":',
        "  endpoint: http://127.0.0.1:4566",
        "  when: inventory_dir is search('local')",
    ],
)
def test_the_search_finds_what_is_planted(planted):
    assert _violations(planted, "roles/x/tasks/main.yml")
