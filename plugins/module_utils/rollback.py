"""Which earlier release of a service to return to, without I/O."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.drydock.ops.plugins.module_utils.observation import ERROR_SHARE, Release


class NoTarget(Exception):
    """There is nothing to return to; the text says why and what to do."""


def _number(definition: str) -> str:
    return definition.rpartition(":")[2]


def choose(releases: Sequence[Release], current: str, to: str = "") -> Release:
    """Return the release to go back to.

    Args:
        releases: newest first, as ServiceFacts gives them.
        current: the revision that the service runs, such as `hello:8`.
        to: a revision, its number alone, or empty for the newest that is complete, is not the
            current one, has all that it needs, and did not serve with errors.

    Raises NoTarget.
    """
    earlier = [release for release in releases if release.definition != current]
    known = ", ".join(dict.fromkeys(release.definition for release in earlier)) or "none"
    if to:
        if to in (current, _number(current)):
            raise NoTarget(f"{to} is what runs now ({current}). Known before it: {known}.")
        named = [one for one in earlier if to in (one.definition, _number(one.definition))]
        if not named:
            raise NoTarget(f"No deployment of {to} is known. Known beside {current}: {known}.")
        complete = [one for one in named if one.status == "SUCCESSFUL"]
        if not complete:
            raise NoTarget(
                f"{named[0].definition} never was complete (its deployment ended as "
                f"{named[0].status}), so nothing says that it would serve. Known: {known}."
            )
        if complete[0].lacks:
            raise NoTarget(f"{complete[0].definition} can't run any more: {complete[0].lacks}.")
        return complete[0]
    passed = []
    for release in earlier:
        if release.status != "SUCCESSFUL":
            passed.append(f"{release.definition} ended as {release.status}")
        elif release.lacks:
            passed.append(f"{release.definition}: {release.lacks}")
        elif release.share is not None and release.share >= ERROR_SHARE:
            passed.append(f"{release.definition} served with {release.share:.0f} % errors")
        else:
            return release
    why = "; ".join(dict.fromkeys(passed)) or "no other release of it is known"
    raise NoTarget(
        f"There is nothing to return to from {current}: {why}. Release a sound revision instead: "
        "playbooks/deploy.yml -e deploy_revision=COMMIT."
    )
