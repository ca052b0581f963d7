"""Where moto's answer differs from AWS's, mended: one module per service.

A module may have ``apply()``, which changes moto's models in place, and ``operations()``,
which returns the calls that it answers instead of moto. Every module here is found by itself.
"""

import functools
import importlib
import pkgutil
from types import ModuleType

from drydock.moto.api import Handler


def _modules() -> list[ModuleType]:
    return [
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    ]


@functools.cache
def apply() -> None:
    """Mends moto, before the first request; called again it does nothing."""
    for module in _modules():
        if hasattr(module, "apply"):
            module.apply()


def operations() -> dict[tuple[str, str], Handler]:
    """(botocore service, action) → handler of every call answered here."""
    return {
        key: handler
        for module in _modules()
        if hasattr(module, "operations")
        for key, handler in module.operations().items()
    }
