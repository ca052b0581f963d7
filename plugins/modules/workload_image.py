#!/usr/bin/python
"""Ansible module: have a workload's image in ECR, building it only if it is not there."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)

DOCUMENTATION = r"""
module: workload_image
short_description: Have the image of a revision in ECR
description:
  - Where an image of the same inputs is in the repository already, under whatever commit, that
    is taken and nothing is built or pushed. Else O(state=built) builds the context of that
    revision (C(git archive), so nothing that is not committed gets in) with podman, and
    O(state=pushed) pushes what was built; the scan is between the two.
  - The registry's token goes to podman through a pipe and lies only in a private file that is
    gone when the module ends.
options:
  project_dir: {description: Folder of the git repository., type: path, required: true}
  context: {description: Folder with the Dockerfile., type: str, required: true}
  revision: {description: Full SHA of the commit., type: str, required: true}
  uncommitted:
    description: Build the context as it lies there instead.
    type: bool
    default: false
  repository_url: {description: The ECR repository as an image name., type: str, required: true}
  repository_name: {description: The ECR repository as the API names it., type: str, required: true}
  tag:
    description: Tag of the image, a commit's short SHA, a hyphen, and what it was built of.
    type: str
    required: true
  state:
    description: How far to go where the image is not in ECR.
    type: str
    choices: [built, pushed]
    required: true
  build_args: {description: Build arguments; REVISION is added., type: dict, default: {}}
  ca_bundle:
    description: CA certificates of this machine, mounted while building if the file exists.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
  region: {description: AWS region., type: str, required: true}
  timeout: {description: Seconds that building or pushing may take each., type: int, default: 1800}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Have the image
  drydock.ops.workload_image:
    project_dir: .
    context: apps/hello
    revision: "{{ source.revision }}"
    tag: "{{ source.tag }}"
    state: built
    repository_url: 111111111111.dkr.ecr.us-east-1.amazonaws.com/drydock-dev-hello
    repository_name: drydock-dev-hello
    region: us-east-1
"""

RETURN = r"""
image: {description: Name and tag of the image., type: str, returned: success}
tag: {description: Its tag; another than asked for where one of the same inputs was there.,
  type: str, returned: success}
digest:
  description: Digest of the image in ECR; empty while it is not there.
  type: str
  returned: success
seconds: {description: Seconds that it took., type: float, returned: when built or pushed}
"""

# Where Debian's and most other images look for certificates.
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


class ImageError(Exception):
    """Building or pushing failed; the text is for the person who asked."""


def held(ecr: Any, repository: str, tag: str) -> tuple[str, str]:
    """Return (tag, digest) of the image in ECR with the same inputs; ("", "") if there is none.

    The tag itself is preferred; in others only the commit differs, which is not part of what was
    built.
    """
    inputs = tag.partition("-")[2]
    pages = ecr.get_paginator("describe_images").paginate(
        repositoryName=repository, filter={"tagStatus": "TAGGED"}
    )
    found = [
        (name, image["imageDigest"])
        for page in pages
        for image in page["imageDetails"]
        for name in image.get("imageTags", [])
        if name.partition("-")[2] == inputs
    ]
    return min(found, key=lambda one: one[0] != tag, default=("", ""))


def tail(text: str, lines: int = 25) -> str:
    """Return the last lines of a program's output."""
    return "\n".join(text.strip().splitlines()[-lines:])


class Builder:
    """Builds and pushes one image with podman, with all its files in one private folder."""

    def __init__(self, want: dict[str, Any], folder: Path) -> None:
        self.want = want
        self.image = f"{want['repository_url']}:{want['tag']}"
        self.source = folder / "source"
        self.auth_file = folder / "auth.json"

    def run(self, words: list[str], doing: str, **options: Any) -> str:
        try:
            done = subprocess.run(
                words, capture_output=True, check=False, timeout=self.want["timeout"], **options
            )
        except subprocess.TimeoutExpired as error:
            raise ImageError(
                f"{doing} took longer than {self.want['timeout']} s and was ended."
            ) from error
        if done.returncode:
            said = tail((done.stdout + b"\n" + done.stderr).decode(errors="replace"))
            raise ImageError(f"{doing} failed (exit {done.returncode}):\n{said}")
        return done.stdout.decode(errors="replace")

    def fetch_source(self) -> None:
        """Lay the context out in the private folder."""
        project, context = self.want["project_dir"], self.want["context"]
        if self.want["uncommitted"]:
            listed = self.run(
                [
                    "git",
                    "-c",
                    "safe.directory=*",
                    "-C",
                    project,
                    "ls-files",
                    "-z",
                    "--cached",
                    "--others",
                    "--exclude-standard",
                    "--",
                    context,
                ],
                f"Listing {context}",
            )
            for name in filter(None, listed.split("\0")):
                source, target = Path(project) / name, self.source / Path(name).relative_to(context)
                if source.is_symlink() or source.is_file():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target, follow_symlinks=False)
            return
        archive = self.source.with_suffix(".tar")
        self.source.mkdir()
        self.run(
            [
                "git",
                "-c",
                "safe.directory=*",
                "-c",
                "tar.umask=022",
                "-C",
                project,
                "archive",
                "--format=tar",
                "-o",
                str(archive),
                f"{self.want['revision']}:{context}",
            ],
            f"Reading {context} of commit {self.want['revision'][:12]}",
        )
        self.run(["tar", "-xf", str(archive), "-C", str(self.source)], f"Unpacking {context}")
        archive.unlink()

    def build(self) -> None:
        build_args = {**self.want["build_args"], "REVISION": self.want["tag"]}
        # docker format: the OCI format has no HEALTHCHECK.
        words = [
            "podman",
            "build",
            "--format",
            "docker",
            "--tag",
            self.image,
            "--label",
            f"org.opencontainers.image.revision={self.want['revision']}",
        ]
        for name, value in build_args.items():
            words += ["--build-arg", f"{name}={value}"]
        if self.want["ca_bundle"] and Path(self.want["ca_bundle"]).is_file():
            # A proxy with a CA of its own would else stop every download in the build.
            words += ["--volume", f"{Path(self.want['ca_bundle']).resolve()}:{CA_BUNDLE}:ro"]
        self.run([*words, str(self.source)], f"Building {self.image}")

    def push(self, token: str) -> None:
        """token: ECR's authorization token, base64 of user:password."""
        user, _, password = base64.b64decode(token).decode().partition(":")
        registry = self.want["repository_url"].partition("/")[0]
        self.run(
            [
                "podman",
                "login",
                "--authfile",
                str(self.auth_file),
                "--username",
                user,
                "--password-stdin",
                registry,
            ],
            f"Login to {registry}",
            input=password.encode(),
        )
        self.run(
            ["podman", "push", "--authfile", str(self.auth_file), self.image],
            f"Pushing {self.image}",
        )


def have_image(want: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result; raises ImageError or botocore's errors."""
    ecr = client("ecr", want["region"])
    tag, digest = held(ecr, want["repository_name"], want["tag"])
    tag = tag or want["tag"]
    result = {"image": f"{want['repository_url']}:{tag}", "tag": tag, "digest": digest}
    if digest or check_mode:
        return {**result, "changed": not digest}
    folder = Path(tempfile.mkdtemp(prefix="drydock-image-"))
    start = time.monotonic()
    try:
        builder = Builder(want, folder)
        if want["state"] == "built":
            builder.fetch_source()
            builder.build()
        else:
            digest = pushed(ecr, builder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = round(time.monotonic() - start, 1)
    return {
        **result,
        "changed": True,
        "digest": digest,
        "seconds": seconds,
        "evidence": [f"image {tag} {want['state']} in {seconds} s"],
    }


def pushed(ecr: Any, builder: Builder) -> str:
    """Push what was built. Returns its digest; raises ImageError."""
    want = builder.want
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    try:
        builder.push(token)
    except ImageError:
        # Tags are immutable: somebody else may have pushed this very image meanwhile.
        if not held(ecr, want["repository_name"], want["tag"])[1]:
            raise
    digest = held(ecr, want["repository_name"], want["tag"])[1]
    if not digest:
        raise ImageError(
            f"{builder.image} was pushed, but ECR does not list it: look at the registry's log."
        )
    return digest


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "project_dir": {"type": "path", "required": True},
            "context": {"type": "str", "required": True},
            "revision": {"type": "str", "required": True},
            "uncommitted": {"type": "bool", "default": False},
            "repository_url": {"type": "str", "required": True},
            "repository_name": {"type": "str", "required": True},
            "tag": {"type": "str", "required": True},
            "state": {"type": "str", "required": True, "choices": ["built", "pushed"]},
            "build_args": {"type": "dict", "default": {}},
            "ca_bundle": {"type": "path", "default": CA_BUNDLE},
            "region": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 1800},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    # What the image's files may be read by must not depend on the operator's umask; the folder
    # that they and the token lie in is private.
    os.umask(0o022)
    try:
        result = have_image(module.params, module.check_mode)
    except ImageError as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Image of {module.params['repository_name']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
