"""Which release is returned to, and the sentence where there is none."""

from __future__ import annotations

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.observation import Release
from ansible_collections.drydock.ops.plugins.module_utils.rollback import NoTarget, choose

RELEASES = [
    Release("hello:9", 900),
    Release("hello:8", 800, status="ROLLBACK_SUCCESSFUL"),
    Release("hello:7", 700, share=40.0),
    Release("hello:6", 600, lacks="its image abc is not in the registry"),
    Release("hello:5", 500, share=0.1),
    Release("hello:4", 400),
]


def test_the_newest_sound_one_is_returned_to() -> None:
    assert choose(RELEASES, "hello:9").definition == "hello:5"
    assert choose(RELEASES[:1] + RELEASES[5:], "hello:9").definition == "hello:4"


@pytest.mark.parametrize("name", ["hello:4", "4"])
def test_a_named_one_is_returned_to(name: str) -> None:
    assert choose(RELEASES, "hello:9", name).definition == "hello:4"


def test_a_named_one_may_have_served_with_errors() -> None:
    """Whoever names it knows why."""
    assert choose(RELEASES, "hello:9", "7").definition == "hello:7"


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("hello:9", "hello:9 is what runs now"),
        ("9", "is what runs now"),
        ("3", "No deployment of 3 is known. Known beside hello:9: hello:8, hello:7"),
        ("8", "never was complete .its deployment ended as ROLLBACK_SUCCESSFUL"),
        ("6", "hello:6 can't run any more: its image abc is not in the registry"),
    ],
)
def test_what_can_t_be_returned_to_is_refused(to: str, says: str) -> None:
    with pytest.raises(NoTarget, match=says):
        choose(RELEASES, "hello:9", to)


def test_without_a_sound_one_it_is_said_why() -> None:
    with pytest.raises(NoTarget) as refused:
        choose(RELEASES[:4], "hello:9")
    for words in ("ended as ROLLBACK", "served with 40 % errors", "its image abc", "deploy.yml"):
        assert words in str(refused.value)
    with pytest.raises(NoTarget, match="no other release of it is known"):
        choose(RELEASES[:1], "hello:9")
