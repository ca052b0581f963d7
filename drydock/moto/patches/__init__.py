"""Where moto's answer differs from AWS's, mended: one module per service."""

from drydock.moto.api import Handler


def apply() -> None:
    """Changes moto's models in place; called once, before the first request."""


def operations() -> dict[tuple[str, str], Handler]:
    """Calls that moto lacks."""
    return {}
