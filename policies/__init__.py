"""Guardrails on plans: one definition per rule.

The gate evaluates them on a plan's JSON; checkov evaluates the same ones on the HCL
(as_checkov/). `RULES` holds all of them.
"""

from . import identity, network, runtime, storage
from .model import RULES

__all__ = ["RULES", "identity", "network", "runtime", "storage"]
