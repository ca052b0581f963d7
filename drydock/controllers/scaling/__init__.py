"""Application Auto Scaling: services follow their metrics, within their limits."""

from drydock.controllers.scaling.controller import ScalingController

__all__ = ["ScalingController"]
