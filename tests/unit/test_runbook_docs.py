"""The pages of the runbooks say what their metadata says."""

import importlib.util
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent.parent
_spec = importlib.util.spec_from_file_location("runbook_docs", PROJECT / "scripts/runbook_docs.py")
docs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(docs)

META = {
    "title": "A | title",
    "purpose": "Mends\nthings.",
    "trigger": "alarm",
    "alarms": ["drydock-{{ environment_name }}-{{ inventory_hostname }}-5xx"],
    "risk": "low",
    "duration": "a minute",
    "inputs": {"share": {"type": "int", "default": 5, "maximum": 9, "description": "How much."}},
    "touches": ["this"],
    "never": ["that"],
    "undo": "It is put back.",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "runbooks/meta").mkdir(parents=True)
    (tmp_path / "runbooks/tests").mkdir()
    (tmp_path / "runbooks/meta/one.yml").write_text(yaml.safe_dump(META))
    (tmp_path / "runbooks/tests/test_one.py").write_text(
        "from shared import test_it_serves\n\n\ndef test_all_is_well():\n    pass\n"
    )
    (tmp_path / "runbooks/tests/shared.py").write_text(
        'def test_it_serves():\n    """It serves users."""\n\n\ndef test_other():\n    pass\n'
    )
    return tmp_path


def test_the_pages_are_current(capsys: pytest.CaptureFixture) -> None:
    assert docs.main(["--check"]) == 0, capsys.readouterr().err


def test_every_runbook_has_metadata_checks_and_a_page() -> None:
    names = {path.stem for path in (PROJECT / "runbooks").glob("*.yml")}
    assert names
    assert names == {path.stem for path in (PROJECT / "runbooks/meta").glob("*.yml")}
    assert names == {path.stem for path in (PROJECT / "docs/runbooks").glob("*.md")}
    for name in names:
        assert docs.checks(PROJECT / f"runbooks/tests/test_{name.replace('-', '_')}.py"), name


def test_pages_are_written_once_and_forgotten_with_their_runbook(
    project: Path, capsys: pytest.CaptureFixture
) -> None:
    assert docs.main(["--check"], project) == 1
    assert docs.main([], project) == 0
    assert docs.main(["--check"], project) == 0
    page = (project / "docs/runbooks/one.md").read_text()
    for text in (
        "# one: A | title",
        "Mends things.",
        "`drydock-ENVIRONMENT-HOST-5xx`",
        "| `share` | int | 5 | How much. (at most 9) |",
        "- this",
        "- that",
        "It is put back.",
        "- It serves users.\n- all is well\n",
    ):
        assert text in page
    assert "other" not in page
    index = (project / "runbooks/README.md").read_text()
    assert (
        "| `drydock-ENVIRONMENT-HOST-5xx` | [one](../docs/runbooks/one.md) | A \\| title |" in index
    )
    capsys.readouterr()
    assert docs.main([], project) == 0
    assert capsys.readouterr().out == ""
    (project / "runbooks/meta/one.yml").unlink()
    assert docs.main([], project) == 0
    assert not (project / "docs/runbooks/one.md").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"risk": "huge"}, "one.yml: risk is huge, not low or medium or high"),
        ({"trigger": "moon"}, "trigger is moon"),
        ({"undo": None}, "one.yml lacks undo"),
        ({"purpse": "x"}, "unknown purpse"),
        ({"alarms": "one"}, "alarms is no list"),
        ({"inputs": {"share": {"type": "int"}}}, "input share needs type and description"),
    ],
)
def test_wrong_metadata_is_named(
    project: Path, change: dict, words: str, capsys: pytest.CaptureFixture
) -> None:
    wrong = {key: value for key, value in {**META, **change}.items() if value is not None}
    (project / "runbooks/meta/one.yml").write_text(yaml.safe_dump(wrong))
    assert docs.main([], project) == 1
    assert words in capsys.readouterr().err
