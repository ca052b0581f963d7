#!/usr/bin/python
"""Ansible module: find the source revision that a workload is to be deployed from."""

from __future__ import annotations

import hashlib
import json
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
  - The tag is that of the newest commit which touched the context and of a hash of all that a build
    reads, so it stays the same while nothing of it changes, wherever HEAD has moved to.
options:
  repository: {description: Folder of the git repository., type: path, required: true}
  revision: {description: Commit, branch or tag., type: str, default: HEAD}
  context:
    description: Folder with the Dockerfile relative to the repository.
    type: str
    required: true
  build_args:
    description: Build arguments, the base image among them; part of what the build reads.
    type: dict
    default: {}
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
    build_args: {BASE: docker.io/library/nginx:1.28}
"""

RETURN = r"""
revision:
  description: >-
    Full SHA of the newest commit that touched the context; in a shallow clone that does not hold
    it, of the commit asked for.
  type: str
  returned: success
inputs: {description: Hash of all that a build reads., type: str, returned: success}
tag:
  description: Tag of the image, made of both.
  type: str
  returned: success
committed: {description: When that commit was made (ISO 8601)., type: str, returned: success}
uncommitted: {description: Whether uncommitted changes are in it., type: bool, returned: success}
"""


# Counted up where the way of building changes, so that everything is built anew once.
RECIPE = "1"
SHORT = 12  # characters of a hash in a tag


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


def newest_commit(repository: str, sha: str, context: str) -> str:
    """Return the newest commit up to `sha` that touched the context.

    A shallow clone takes all files for touched by its oldest commit; then `sha` itself is
    returned, which holds the context as well.
    """
    found = git(repository, "log", "-1", "--format=%H", sha, "--", context).stdout.strip()
    where = git(repository, "rev-parse", "--git-path", "shallow").stdout.strip()
    shallow = Path(repository) / where
    edges = shallow.read_text().split() if shallow.is_file() else []
    same = [git(repository, "rev-parse", f"{one}:{context}").stdout for one in (found, sha)]
    return sha if not found or found in edges or same[0] != same[1] else found


def inputs_of(repository: str, sha: str, context: str, build_args: dict[str, Any],
              files: list[str]) -> str:  # fmt: skip
    """Return a hash of all that a build reads: context, build arguments, uncommitted files."""
    read = {
        "recipe": RECIPE,
        "context": git(repository, "rev-parse", f"{sha}:{context}").stdout.strip(),
        "build_args": {name: str(value) for name, value in build_args.items()},
        "uncommitted": digest(repository, files) if files else "",
    }
    return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()


def find_source(
    repository: str,
    revision: str,
    context: str,
    allow_uncommitted: bool,
    build_args: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return {revision, inputs, tag, uncommitted, committed}; raises SourceError."""
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
    commit = newest_commit(repository, sha, context)
    inputs = inputs_of(repository, sha, context, build_args or {}, files)
    between = "-dirty-" if files else "-"
    return {
        "revision": commit,
        "inputs": inputs,
        "tag": f"{commit[:SHORT]}{between}{inputs[:SHORT]}",
        "uncommitted": bool(files),
        "committed": git(repository, "show", "-s", "--format=%cI", commit).stdout.strip(),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "repository": {"type": "path", "required": True},
            "revision": {"type": "str", "default": "HEAD"},
            "context": {"type": "str", "required": True},
            "build_args": {"type": "dict", "default": {}},
            "allow_uncommitted": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    want = module.params
    try:
        found = find_source(
            want["repository"],
            want["revision"],
            want["context"],
            want["allow_uncommitted"],
            want["build_args"],
        )
    except SourceError as error:
        module.fail_json(msg=f"{error} Nothing was changed.")
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
