"""Names the AWS call in an HTTP request, and speaks AWS's wire formats for our own answers.

botocore's service models are the source of every name and shape; moto's parser and
serialisers (moto 5.2 ``moto.core``) do the reading and writing, so that an operation that
moto lacks is one Python function from parameters to result.
"""

import functools
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

from botocore.loaders import Loader
from moto.backends import list_of_moto_modules
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from drydock.errors import ApiError
from drydock.settings import ACCOUNT_ID

# Signing names that are not botocore service names, or that several services share.
_SERVICE_OF_SIGNING_NAME = {
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "tagging": "resourcegroupstaggingapi",
    "states": "stepfunctions",
    "aoss": "opensearchserverless",
    "email": "ses",
    "execute-api": "apigateway",
    "kinesisanalytics": "kinesisanalyticsv2",
    "servicequotas": "service-quotas",
}
# First words of actions that only read. AWS names calls consistently enough for that;
# the second set holds the readers that are named otherwise.
_READING_PREFIXES = ("Get", "List", "Describe", "Head", "BatchGet", "Query", "Scan", "Select")
_READING_ACTIONS = {
    "AssumeRole", "AssumeRoleWithWebIdentity", "BatchCheckLayerAvailability", "Decrypt",
    "DecodeAuthorizationMessage", "Encrypt", "FilterLogEvents", "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext", "LookupEvents", "SimulatePrincipalPolicy",
    "StartQuery", "TestMetricFilter", "Verify",
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One request, named.

    Attributes:
        service: botocore's service name, e.g. ``elbv2``.
        action: e.g. ``CreateLoadBalancer``; empty when the request fits no operation.
        region: from the signature's scope.
        access_key: the caller's key id, never the secret.
        path_parameters: labels in a REST path.
    """

    service: str
    action: str
    region: str
    access_key: str
    path_parameters: dict[str, str]

    @property
    def mutating(self) -> bool:
        """Whether the call can change something; unknown actions count as mutating."""
        return not (self.action.startswith(_READING_PREFIXES) or self.action in _READING_ACTIONS)


Handler = Callable[["Context", dict[str, Any]], dict[str, Any] | None]
# A handler returns this to let moto answer after all, e.g. having only checked the call.
PASS: dict[str, Any] = {"_pass": True}


@dataclass(frozen=True)
class Context:
    """What a handler knows of its caller besides the parameters."""

    region: str
    account_id: str = ACCOUNT_ID

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"


@functools.cache
def _services() -> frozenset[str]:
    return frozenset(Loader().list_available_services("service-2"))


def _scope(environ: dict) -> tuple[str, str, str]:
    """(access key, region, signing name) from a SigV4 header or a presigned query."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if "Credential=" in header:
        scope = header.split("Credential=", 1)[1].split(",")[0]
    else:
        scope = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    words = scope.split("/")
    return (words[0], words[2], words[3]) if len(words) == 5 else ("", "", "")


def identify(environ: dict, body: bytes) -> Call | None:
    """Names the call in a WSGI request; None when it is not signed for AWS."""
    access_key, region, signing_name = _scope(environ)
    service = _SERVICE_OF_SIGNING_NAME.get(signing_name, signing_name)
    if service not in _services():
        service = service.replace("-", "")  # access-analyzer signs for accessanalyzer
    if service not in _services():
        return None
    path_parameters: dict[str, str] = {}
    path = environ.get("PATH_INFO", "")
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        action = target.rsplit(".", 1)[-1]
    elif environ.get("HTTP_SMITHY_PROTOCOL") and "/operation/" in path:
        action = path.rsplit("/", 1)[-1]
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
    else:
        try:
            operation, path_parameters = get_service_router(service).match(_request(environ, body))
            action = operation.name
        except Exception:  # the router raises several kinds; an unnamed call is still audited
            action = ""
    return Call(service, action, region, access_key, path_parameters)


def in_moto(call: Call) -> bool:
    """Whether moto has the service at all."""
    name = call.service.replace("-", "")
    return {"lambda": "awslambda"}.get(name, name) in list_of_moto_modules()


def _request(environ: dict, body: bytes) -> Request:
    return Request({**environ, "wsgi.input": BytesIO(body)})


def answer(
    call: Call, handler: Handler, environ: dict, body: bytes
) -> tuple[int, dict[str, str], bytes] | None:
    """Parses the request, runs the handler, serialises its result or its ApiError.

    Returns:
        HTTP status, headers, body in the protocol that the caller spoke; None when the
        handler passed the call on to moto.
    """
    model = get_service_model(call.service)
    operation = model.operation_model(call.action)
    request = _request(environ, body)
    protocol = determine_request_protocol(model, request.content_type)
    parameters = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": body,
            "url_path": request.path,
            "url_params": call.path_parameters,
        }
    )
    try:
        result = handler(Context(call.region), parameters or {}) or {}
    except ApiError as error:
        return _refusal(error, protocol)
    if result is PASS:
        return None
    serialiser = get_serializer_class(model.service_name, protocol)(operation_model=operation)
    made = serialiser.serialize(result)
    content = made["body"]
    return (
        made["status_code"],
        {key: str(value) for key, value in made["headers"].items()},
        content.encode() if isinstance(content, str) else content,
    )


def refuse(call: Call | None, error: ApiError) -> tuple[int, dict[str, str], bytes]:
    """An error in the wire format of the service that was called; JSON when none was."""
    model = get_service_model(call.service) if call else None
    return _refusal(error, model.metadata["protocol"] if model else "json")


def _refusal(error: ApiError, protocol: str) -> tuple[int, dict[str, str], bytes]:
    request_id = str(uuid.uuid4())
    if protocol in ("json", "rest-json"):
        text = json.dumps({"__type": error.code, "message": error.message})
        return (
            error.status,
            {"Content-Type": "application/json", "x-amzn-errortype": error.code},
            text.encode(),
        )
    message = error.message.replace("&", "&amp;").replace("<", "&lt;")
    inner = f"<Error><Code>{error.code}</Code><Message>{message}</Message></Error>"
    if protocol == "ec2":
        text = f"<Response><Errors>{inner}</Errors><RequestID>{request_id}</RequestID></Response>"
    elif protocol == "rest-xml":
        text = inner
    else:
        text = f"<ErrorResponse>{inner}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return error.status, {"Content-Type": "text/xml"}, text.encode()
