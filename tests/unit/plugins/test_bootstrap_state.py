"""Where the bootstrap state is, told from the states alone, wherever a run was killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.modules.bootstrap_state import (
    BootstrapState,
    StateError,
    objects_of,
)

ACCOUNT = "123456789012"
BUCKET = "drydock-dev-tfstate"
KEY = "dev/bootstrap.tfstate"


def state(*names: str, account: str = ACCOUNT, lineage: str = "a") -> dict[str, Any]:
    """Return a state that holds the named resources."""
    return {
        "lineage": lineage,
        "serial": 1,
        "outputs": {"kms_key_arn": {"value": f"arn:aws:kms:us-east-1:{account}:key/1"}},
        "resources": [
            {
                "mode": "managed",
                "type": "aws_thing",
                "name": name,
                "instances": [
                    {"attributes": {"id": name, "arn": f"arn:aws:s3:us-east-1:{account}:{name}"}}
                ],
            }
            for name in names
        ],
    }


@pytest.fixture
def place(aws: Any, tmp_path: Path) -> BootstrapState:
    project = tmp_path / "terraform/stacks/bootstrap"
    project.mkdir(parents=True)
    (project / "main.tf").write_text("# stack\n")
    (project / ".terraform.lock.hcl").touch()
    modules = tmp_path / "terraform/modules"
    modules.mkdir()
    want = {
        "environment": "dev",
        "account_id": ACCOUNT,
        "project_path": str(project),
        "modules_path": str(modules),
        "data_dir": str(tmp_path / "data"),
        "cli_config": "",
        "backend_config": {"bucket": BUCKET, "key": KEY, "region": "us-east-1"},
    }
    (tmp_path / "data").mkdir()
    return BootstrapState(want, aws("s3"), "terraform", check_mode=False)


def here(place: BootstrapState, content: dict[str, Any] | None) -> None:
    place.file.write_text(json.dumps(content) if content else "")


def there(place: BootstrapState, content: dict[str, Any] | None = None) -> None:
    place.s3.create_bucket(Bucket=BUCKET)
    if content:
        place.s3.put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps(content))


def test_before_the_first_bootstrap_it_is_nowhere(place: BootstrapState) -> None:
    assert place.find() == "none"
    here(place, None)
    assert place.find() == "none"


def test_killed_before_the_move(place: BootstrapState) -> None:
    here(place, state("bucket"))
    assert place.find() == "file"
    there(place)
    assert place.find() == "file"


def test_killed_after_the_move(place: BootstrapState) -> None:
    here(place, state("bucket", "table"))
    there(place, state("bucket", "table", lineage="given anew by the move"))
    assert place.find() == "bucket"
    assert not place.file.exists()


def test_killed_in_the_middle_of_a_destroy(place: BootstrapState) -> None:
    here(place, state("bucket"))
    there(place, state("bucket", "table"))
    assert place.find() == "file"


def test_a_file_of_a_cloud_that_is_gone_is_put_aside(place: BootstrapState) -> None:
    here(place, state("old bucket"))
    there(place, state("bucket"))
    assert place.find() == "bucket"
    assert Path(place.put_aside).exists()
    assert not place.file.exists()


def test_a_file_of_another_account_is_put_aside(place: BootstrapState) -> None:
    here(place, state("bucket", account="999999999999"))
    assert place.find() == "none"
    assert Path(place.put_aside).exists()


def test_check_mode_moves_nothing(place: BootstrapState) -> None:
    place.check_mode = True
    here(place, state("old bucket"))
    there(place, state("bucket"))
    assert place.find() == "bucket"
    assert place.file.exists()


def test_a_bucket_without_any_state_is_told(place: BootstrapState) -> None:
    there(place)
    with pytest.raises(StateError, match=f"{BUCKET} exists, but neither it nor"):
        place.find()


def test_the_folder_for_the_file_sees_stack_and_modules(place: BootstrapState) -> None:
    folder, settings = place.setting("none")
    assert settings == {"path": str(place.file)}
    assert (folder / "main.tf").read_text() == "# stack\n"
    assert (folder / "../../modules").resolve() == Path(place.want["modules_path"])
    assert 'backend "local"' in (folder / "backend_override.tf").read_text()


def test_the_bucket_s_own_key_encrypts_its_state(place: BootstrapState) -> None:
    here(place, state("bucket"))
    _, settings = place.setting("bucket")
    assert settings["kms_key_id"].endswith("key/1")


def test_states_are_the_same_by_what_they_hold() -> None:
    assert objects_of(state("a", "b")) == objects_of(state("b", "a", lineage="other"))
    assert objects_of(state("a")) < objects_of(state("a", "b"))
    assert objects_of(None) == set()
