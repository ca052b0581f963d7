"""Where handlers keep what moto has no model for: things by key, one shelf per kind and region.

    ANALYZERS = Shelf("analyzer")

    def operations():
        return {
            ("accessanalyzer", "CreateAnalyzer"): _create,
            ("accessanalyzer", "DeleteAnalyzer"): ANALYZERS.deleter("analyzerName"),
            **tag_operations("accessanalyzer"),
        }

    def _create(context, given):
        arn = context.arn("access-analyzer", f"analyzer/{given['analyzerName']}")
        ANALYZERS.add(context, given["analyzerName"], {"arn": arn, "type": given["type"]})
        set_tags(arn, given.get("tags"))
        return {"arn": arn}

What is kept is the API's own shape (a dict), so a handler can return it. All of it is gone after
`down`. Tags are kept apart, by ARN, because most services tag by ARN whatever the kind is.
"""

import threading
from collections.abc import Callable
from typing import Any

from botocore.model import Shape
from moto.core.utils import get_service_model

from drydock.errors import ApiError
from drydock.moto.api import PASS, Context, Handler

GLOBAL = "global"
Item = dict[str, Any]
_LOCK = threading.RLock()


class Shelf:
    """Things of one kind.

    Args:
        kind: what the errors call it, e.g. ``analyzer``.
        missing: AWS's error code for a key that is not there, which Terraform reads as "gone".
        taken: AWS's error code for a key that is there already.
        everywhere: the service is global: its things are the same in every region.
    """

    def __init__(
        self,
        kind: str,
        missing: str = "ResourceNotFoundException",
        taken: str = "ConflictException",
        everywhere: bool = False,
    ):
        self.kind, self.missing, self.taken, self.everywhere = kind, missing, taken, everywhere
        self._items: dict[str, dict[str, Item]] = {}

    def _of(self, context: Context) -> dict[str, Item]:
        return self._items.setdefault(GLOBAL if self.everywhere else context.region, {})

    def add(self, context: Context, key: str, item: Item) -> Item:
        """Keeps a new thing; refuses a key that is taken."""
        with _LOCK:
            if key in self._of(context):
                raise ApiError(self.taken, f"The {self.kind} {key} is there already.", 409)
            return self.put(context, key, item)

    def put(self, context: Context, key: str, item: Item) -> Item:
        """Keeps a thing, in place of what had the key before."""
        with _LOCK:
            self._of(context)[key] = item
        return item

    def find(self, context: Context, key: str) -> Item | None:
        """The thing itself (a change of it stays), or None."""
        return self._of(context).get(key)

    def get(self, context: Context, key: str) -> Item:
        """The thing itself (a change of it stays); refuses a key that is not there."""
        item = self.find(context, key)
        if item is None:
            raise ApiError(self.missing, f"There is no {self.kind} {key}.", 404)
        return item

    def list(self, context: Context) -> list[Item]:
        """All of the region, in the order of their making."""
        with _LOCK:
            return [*self._of(context).values()]

    def delete(self, context: Context, key: str) -> Item:
        """Takes a thing away; refuses a key that is not there."""
        with _LOCK:
            item = self.get(context, key)
            del self._of(context)[key]
        return item

    # Handlers for calls that do nothing else.

    def getter(self, parameter: str, answer: str) -> Handler:
        """A handler: the key is one parameter, the thing one member of the answer."""
        return lambda context, given: {answer: self.get(context, given[parameter])}

    def lister(self, answer: str) -> Handler:
        """A handler: all things are one member of the answer (pages are not made)."""
        return lambda context, _given: {answer: self.list(context)}

    def deleter(self, parameter: str) -> Handler:
        """A handler: the key is one parameter, the answer is empty."""

        def delete(context: Context, given: dict[str, Any]) -> None:
            self.delete(context, given[parameter])

        return delete


# Tags: ARN → name → value.
_TAGS: dict[str, dict[str, str]] = {}


def _plain(tags: Any) -> dict[str, str]:
    if not tags or isinstance(tags, dict):
        return dict(tags or {})
    return {_of_pair(tag, "key"): _of_pair(tag, "value") for tag in tags}


def _of_pair(pair: dict[str, str], end: str) -> str:
    """The key or the value of a tag, however the service writes those two names."""
    return next((value for name, value in pair.items() if name.lower().endswith(end)), "")


def set_tags(arn: str, tags: Any) -> None:
    """Adds tags to what has the ARN.

    Args:
        tags: a dict, or a list of pairs in the service's own spelling, or nothing.
    """
    with _LOCK:
        _TAGS[arn] = {**_TAGS.get(arn, {}), **_plain(tags)}


def tags_of(arn: str) -> dict[str, str]:
    """Name → value; none for an ARN that was never tagged."""
    return dict(_TAGS.get(arn, {}))


def forget_tags(arn: str) -> None:
    """For whoever deletes what has the ARN, where AWS lets the same ARN be made again."""
    _TAGS.pop(arn, None)


def tagged() -> dict[str, dict[str, str]]:
    """ARN → tags of everything that was ever tagged here."""
    with _LOCK:
        return {arn: dict(tags) for arn, tags in _TAGS.items() if tags}


def tag_operations(
    service: str,
    tag: str = "TagResource",
    untag: str = "UntagResource",
    listing: str = "ListTagsForResource",
    when: Callable[[str], bool] | None = None,
) -> dict[tuple[str, str], Handler]:
    """The service's three calls about tags, whose parameters' names botocore's model gives.

    Args:
        when: which ARNs are ours, where moto answers for the others; None for all.
    """
    model = get_service_model(service)
    inputs = {name: model.operation_model(name).input_shape for name in (tag, untag, listing)}
    arns = {name: _first(shape, "string") for name, shape in inputs.items()}
    given_tags, given_keys = _first(inputs[tag], "list", "map"), _first(inputs[untag], "list")
    answered = model.operation_model(listing).output_shape
    answer = _first(answered, "list", "map")

    def ours(call: Callable[[str, dict[str, Any]], Item], name: str) -> Handler:
        def handler(_context: Context, given: dict[str, Any]) -> Item:
            arn = given[arns[name]]
            return call(arn, given) if when is None or when(arn) else PASS

        return handler

    def add(arn: str, given: dict[str, Any]) -> Item:
        set_tags(arn, given[given_tags])
        return {}

    def remove(arn: str, given: dict[str, Any]) -> Item:
        with _LOCK:
            _TAGS[arn] = {k: v for k, v in tags_of(arn).items() if k not in given[given_keys]}
        return {}

    def show(arn: str, _given: dict[str, Any]) -> Item:
        return {answer: spelled(answered.members[answer], tags_of(arn))}

    return {
        (service, tag): ours(add, tag),
        (service, untag): ours(remove, untag),
        (service, listing): ours(show, listing),
    }


def _first(shape: Shape, *types: str) -> str:
    """The first member of one of the types; the required ones first."""
    names = [*shape.required_members, *shape.members]
    return next(name for name in names if shape.members[name].type_name in types)


def spelled(shape: Shape, tags: dict[str, str]) -> Any:
    """Tags as a member of that shape holds them: a map, or pairs in the service's spelling."""
    if shape.type_name == "map":
        return tags
    key, value = sorted(shape.member.members)  # …Key before …Value
    return [{key: name, value: text} for name, text in tags.items()]
