"""What is deployed is a commit, or says that it is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.drydock.ops.plugins.modules import workload_image
from ansible_collections.drydock.ops.plugins.modules.workload_source import (
    SourceError,
    find_source,
)


def git(repository: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    done = subprocess.run(
        ["git", *identity, "-C", repository, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    app = tmp_path / "apps/hello"
    app.mkdir(parents=True)
    (app / "Dockerfile").write_text("FROM scratch\n")
    (app / ".gitignore").write_text("*.log\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def source(repository: Path, revision: str = "HEAD", uncommitted: bool = False) -> dict:
    return find_source(str(repository), revision, "apps/hello", uncommitted)


def commit(repository: Path, path: str, text: str) -> str:
    (repository / path).write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", path)
    return git(repository, "rev-parse", "HEAD")


def test_a_clean_context_is_tagged_by_its_commit(repository: Path) -> None:
    sha = git(repository, "rev-parse", "HEAD")
    (repository / "elsewhere").touch()
    (repository / "apps/hello/noise.log").touch()
    found = source(repository)
    assert (found["revision"], found["uncommitted"]) == (sha, False)
    assert found["tag"] == f"{sha[:12]}-{found['inputs'][:12]}"
    assert source(repository, sha[:10]) == found


def test_the_tag_moves_with_what_a_build_reads_alone(repository: Path) -> None:
    first = source(repository)
    commit(repository, "elsewhere", "not read")
    assert source(repository) == first
    page = commit(repository, "apps/hello/page", "read")
    changed = source(repository)
    assert changed["revision"] == page
    assert changed["inputs"] != first["inputs"]
    # Back to the first content: other commit, same inputs.
    (repository / "apps/hello/page").unlink()
    back = commit(repository, "elsewhere", "again")
    again = source(repository)
    assert (again["revision"], again["inputs"]) == (back, first["inputs"])
    base = find_source(str(repository), "HEAD", "apps/hello", False, {"BASE": "debian:13"})
    assert base["revision"] == back
    assert base["inputs"] != again["inputs"]


def test_a_shallow_clone_knows_the_inputs(repository: Path, tmp_path: Path) -> None:
    whole = source(repository)
    head = commit(repository, "elsewhere", "not read")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", str(shallow))
    found = source(shallow)
    assert found["inputs"] == whole["inputs"]
    assert found["revision"] == head


class Registry:
    """ECR with some tags."""

    def __init__(self, *tags: str) -> None:
        self.images = [{"imageTags": [tag], "imageDigest": f"sha256:{tag}"} for tag in tags]

    def get_paginator(self, name: str) -> Registry:
        assert name == "describe_images"
        return self

    def paginate(self, **_: object) -> list[dict]:
        return [{"imageDetails": self.images[:1]}, {"imageDetails": self.images[1:]}]


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (("aaa-111", "bbb-111"), "bbb-111"),
        (("aaa-222", "aaa-111"), "aaa-111"),
        (("aaa-dirty-111", "bbb-2111", "111"), ""),
        ((), ""),
    ],
)
def test_an_image_of_the_same_inputs_is_taken(tags: tuple[str, ...], found: str) -> None:
    assert workload_image.held(Registry(*tags), "hello", "bbb-111")[0] == found


@pytest.mark.parametrize("revision", ["deadbeef", "no-such-branch", "--all", "HEAD:apps", ""])
def test_what_is_no_commit_is_refused(repository: Path, revision: str) -> None:
    with pytest.raises(SourceError, match="no commit") as refused:
        source(repository, revision)
    assert f'"{revision}"' in str(refused.value)


def test_a_folder_that_is_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a git repository"):
        source(tmp_path)


def test_uncommitted_changes_are_refused_by_name(repository: Path) -> None:
    (repository / "apps/hello/new file").touch()
    with pytest.raises(SourceError, match="new file"):
        source(repository)
    sha = git(repository, "rev-parse", "HEAD")
    assert source(repository, sha)["uncommitted"] is False


def test_allowed_uncommitted_changes_give_a_tag_of_their_own(repository: Path) -> None:
    sha = git(repository, "rev-parse", "HEAD")
    dockerfile = repository / "apps/hello/Dockerfile"
    tags = set()
    for text in ("FROM a\n", "FROM b\n"):
        dockerfile.write_text(text)
        tags |= {source(repository, uncommitted=True)["tag"] for _ in range(2)}
    dockerfile.unlink()
    tags.add(source(repository, uncommitted=True)["tag"])
    assert len(tags) == 3
    assert all(tag.startswith(f"{sha[:12]}-dirty-") for tag in tags)


def test_a_context_that_the_commit_lacks_is_refused(repository: Path) -> None:
    with pytest.raises(SourceError, match="apps/none/Dockerfile is not in commit"):
        find_source(str(repository), "HEAD", "apps/none", False)


@pytest.mark.parametrize("uncommitted", [False, True])
def test_the_build_sees_the_commit_or_the_folder(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, uncommitted: bool
) -> None:
    (repository / "apps/hello/Dockerfile").write_text("FROM changed\n")
    (repository / "apps/hello/noise.log").touch()
    folder = tmp_path_factory.mktemp("build")
    want = {
        "project_dir": str(repository),
        "context": "apps/hello",
        "revision": git(repository, "rev-parse", "HEAD"),
        "uncommitted": uncommitted,
        "repository_url": "registry/hello",
        "tag": "t",
        "timeout": 60,
    }
    builder = workload_image.Builder(want, folder)
    builder.fetch_source()
    wanted = "FROM changed\n" if uncommitted else "FROM scratch\n"
    assert (builder.source / "Dockerfile").read_text() == wanted
    assert {path.name for path in builder.source.iterdir()} == {"Dockerfile", ".gitignore"}
    assert (builder.source / "Dockerfile").stat().st_mode & 0o444 == 0o444
