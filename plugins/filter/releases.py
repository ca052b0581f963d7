"""Filters for releases: sentences on what a smoke test met."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact


def smoke_sentence(answer: dict[str, Any], url: str) -> str:
    """Return what an answer of ansible.builtin.uri lacks, as a clause.

    answer: the result of a loop whose variable is __ecs_service_ask (roles/ecs_service).
    """
    ask = answer.get("__ecs_service_ask", {})
    wanted = ask.get("status", 200)
    where = f"{url}{ask.get('path', '')}"
    status = answer.get("status", -1)
    if status == -1:
        return f"{where} gave no answer ({answer.get('msg', 'no reason given')})"
    if status != wanted:
        return f"{where} answered {status}, not {wanted}"
    content = redact(" ".join(str(answer.get("content", "")).split()))[:120]
    lacks = [f'"{ask["text"]}"'] if ask.get("text") else []
    lacks += [f"{ask['json']}"] if ask.get("json") else []
    return f"{where} answered {status} without {' or '.join(lacks)} ({content})"


class FilterModule:
    """Filters as Ansible finds them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"smoke_sentence": smoke_sentence}
