"""GuardDuty as Terraform reads it: an update of one feature leaves the others, tags by ARN.

moto 5.2 replaces all features of a detector by those of the last call, and has no call for tags.
No finding is ever made.
"""

from typing import Any

from moto.backends import get_backend
from moto.guardduty.models import Detector

from drydock.errors import ApiError
from drydock.moto.api import Context, Handler

# On in every detector of AWS, and not to be turned off.
_ALWAYS = ("CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS")


def _updating(original: Any) -> Any:
    def update(self: Detector, enable: Any, frequency: Any, sources: Any, features: Any) -> None:
        merged = {feature["name"]: feature for feature in [*self.features, *(features or [])]}
        original(self, enable, frequency, sources, [*merged.values()])

    return update


def _showing(original: Any) -> Any:
    def to_json(self: Detector) -> dict[str, Any]:
        always = [{"name": name, "status": "ENABLED"} for name in _ALWAYS]
        return {**original(self), "features": [*always, *self.features]}

    return to_json


def apply() -> None:
    Detector.update = _updating(Detector.update)
    Detector.to_json = _showing(Detector.to_json)


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("guardduty", "TagResource"): _tag,
        ("guardduty", "UntagResource"): _untag,
        ("guardduty", "ListTagsForResource"): _tags,
    }


def _detector(context: Context, arn: str) -> Detector:
    detectors = get_backend("guardduty")[context.account_id][context.region].detectors
    found = detectors.get(arn.rpartition("detector/")[2])
    if found is None:
        raise ApiError("BadRequestException", f"{arn} is no detector of {context.region}.")
    return found


def _tag(context: Context, given: dict[str, Any]) -> None:
    detector = _detector(context, given["ResourceArn"])
    detector.tags = {**detector.tags, **given["Tags"]}


def _untag(context: Context, given: dict[str, Any]) -> None:
    detector = _detector(context, given["ResourceArn"])
    detector.tags = {k: v for k, v in detector.tags.items() if k not in given["TagKeys"]}


def _tags(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    return {"Tags": _detector(context, given["ResourceArn"]).tags}
