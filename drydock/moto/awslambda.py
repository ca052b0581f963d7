"""Lambda functions, for controllers that call one as another of AWS's services would."""

from typing import Any

from moto.backends import get_backend

from drydock.errors import DrydockError
from drydock.settings import ACCOUNT_ID


def invoke(arn: str, event: dict[str, Any]) -> str:
    """Calls a function and waits for it; returns the JSON of its answer.

    Raises DrydockError when there is no such function, or when it raises or is stopped.
    """
    backend = get_backend("lambda")[ACCOUNT_ID][arn.split(":")[3]]
    try:
        function = backend.get_function(arn)
    except Exception as error:  # moto raises several kinds
        raise DrydockError(f"Function not found: {arn}") from error
    result, failed, _ = function._invoke_lambda(event)
    if failed:
        raise DrydockError(result)
    return result
