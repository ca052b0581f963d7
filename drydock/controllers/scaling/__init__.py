"""Scaling: services and Auto Scaling groups follow their metrics, within their limits."""

from drydock.controllers.scaling.controller import ScalingController
from drydock.controllers.scaling.fleets import FleetController

__all__ = ["FleetController", "ScalingController"]
