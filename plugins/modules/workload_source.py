#!/usr/bin/python
"""Ansible module: find the source revision that a workload is to be deployed from."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: workload_source
short_description: Find the revision and image tag that a workload is deployed from
description:
  - Changes nothing. A revision that git does not know, a context that it does not hold, and
    uncommitted changes in that context are errors here, before anything is built.
options:
  repository: {description: Folder of the git repository., type: path, required: true}
  revision: {description: Commit, branch or tag., type: str, default: HEAD}
  context:
    description: Folder with the Dockerfile relative to the repository.
    type: str
    required: true
  allow_uncommitted:
    description: >-
      Take uncommitted changes of the context as they lie there (only with revision HEAD). The tag
      then says so.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Find what to deploy
  drydock.ops.workload_source:
    repository: .
    context: apps/hello
"""

RETURN = r"""
revision: {description: Full SHA of the commit., type: str, returned: success}
tag: {description: Tag of the image., type: str, returned: success}
uncommitted: {description: Whether uncommitted changes are in it., type: bool, returned: success}
"""


class SourceError(Exception):
    """The source cannot be deployed; the text says why and what to do."""


def git(repository: str, *words: str) -> subprocess.CompletedProcess[str]:
    # Another owner of the folder (a clone by root, a container's mount) is the operator's choice.
    return subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", repository, *words],
        capture_output=True,
        text=True,
        check=False,
    )


def resolve(repository: str, revision: str) -> str:
    """Return the full SHA of a commit."""
    done = git(
        repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
    )
    if done.returncode:
        where = git(repository, "rev-parse", "--show-toplevel")
        if where.returncode:
            raise SourceError(
                f"{repository} is not a git repository ({where.stderr.strip()}): clone the project."
            )
        raise SourceError(
            f'deploy_revision is "{revision}", which is no commit of {repository}: give a SHA, '
            "branch or "
            "tag that `git log` shows, and `git fetch` first if it is new."
        )
    return done.stdout.strip()


def changed_files(repository: str, context: str) -> list[str]:
    """Return the files of the context that differ from HEAD, or are not in it and not ignored."""
    done = git(
        repository,
        "status",
        "--porcelain",
        "-z",
        "--no-renames",
        "--untracked-files=all",
        "--",
        context,
    )
    return sorted(entry[3:] for entry in done.stdout.split("\0") if entry)


def digest(repository: str, files: list[str]) -> str:
    """Return a digest of the files' names and content as they lie there."""
    found = hashlib.sha256()
    for name in files:
        path = Path(repository) / name
        found.update(name.encode() + b"\0")
        if path.is_symlink():
            found.update(b"link" + os.fsencode(path.readlink()))
        elif path.is_file():
            found.update(b"file" + str(path.stat().st_mode & 0o111).encode() + path.read_bytes())
    return found.hexdigest()


def find_source(
    repository: str, revision: str, context: str, allow_uncommitted: bool
) -> dict[str, Any]:
    """Return {revision, tag, uncommitted}; raises SourceError."""
    sha = resolve(repository, revision)
    files = []
    if sha == resolve(repository, "HEAD") and revision in ("HEAD", "@"):
        files = changed_files(repository, context)
    if files and not allow_uncommitted:
        raise SourceError(
            f"{context} has uncommitted changes "
            f"({', '.join(files[:5])}{', …' if len(files) > 5 else ''}), which "
            f"an image tagged {sha[:12]} would not hold: commit or stash them, or deploy a commit "
            "as it "
            "is with -e deploy_revision=SHA."
        )
    if not files and git(repository, "cat-file", "-e", f"{sha}:{context}/Dockerfile").returncode:
        raise SourceError(
            f"{context}/Dockerfile is not in commit {sha[:12]}: commit it, or give a "
            "deploy_revision that has it."
        )
    tag = f"{sha}-dirty-{digest(repository, files)[:12]}" if files else sha
    return {"revision": sha, "tag": tag, "uncommitted": bool(files)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "repository": {"type": "path", "required": True},
            "revision": {"type": "str", "default": "HEAD"},
            "context": {"type": "str", "required": True},
            "allow_uncommitted": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    want = module.params
    try:
        found = find_source(
            want["repository"], want["revision"], want["context"], want["allow_uncommitted"]
        )
    except SourceError as error:
        module.fail_json(msg=f"{error} Nothing was changed.")
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
