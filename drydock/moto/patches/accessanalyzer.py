"""IAM Access Analyzer's analyzers, which moto lacks. They are kept; nothing is analysed."""

from typing import Any

from moto.core.utils import utcnow

from drydock.moto.api import Context, Handler
from drydock.moto.shelf import Shelf, forget_tags, set_tags, tag_operations, tags_of

ANALYZERS = Shelf("analyzer")


def operations() -> dict[tuple[str, str], Handler]:
    handlers = {
        "CreateAnalyzer": _create,
        "GetAnalyzer": _get,
        "ListAnalyzers": _list,
        "DeleteAnalyzer": _delete,
    }
    return {
        **{("accessanalyzer", action): handler for action, handler in handlers.items()},
        **tag_operations("accessanalyzer"),
    }


def _create(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    name = given["analyzerName"]
    arn = context.arn("access-analyzer", f"analyzer/{name}")
    kept = {"arn": arn, "name": name, "type": given["type"], "createdAt": utcnow()}
    ANALYZERS.add(context, name, {**kept, "status": "ACTIVE"})
    set_tags(arn, given.get("tags"))
    return {"arn": arn}


def _shown(analyzer: dict[str, Any]) -> dict[str, Any]:
    return {**analyzer, "tags": tags_of(analyzer["arn"])}


def _get(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    return {"analyzer": _shown(ANALYZERS.get(context, given["analyzerName"]))}


def _list(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("type")
    found = [a for a in ANALYZERS.list(context) if wanted in (None, a["type"])]
    return {"analyzers": [_shown(analyzer) for analyzer in found]}


def _delete(context: Context, given: dict[str, Any]) -> None:
    forget_tags(ANALYZERS.delete(context, given["analyzerName"])["arn"])
