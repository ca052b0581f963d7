"""Errors that a person is meant to read."""


class DrydockError(Exception):
    """A fault with a cause and a cure in its text; the command line prints it and exits 1."""


class ApiError(Exception):
    """An answer of the AWS API that refuses a call.

    Args:
        code: AWS's error code, e.g. ``ServiceNotFoundException``.
        message: one sentence: the value, the reason, the cure.
        status: HTTP status; AWS uses 400 for most.
    """

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status
