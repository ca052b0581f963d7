"""RDS: PostgreSQL servers, their standbys and replicas, and the pools of RDS Proxy."""

from drydock.controllers.database.controller import DatabaseController
from drydock.controllers.database.meter import DatabaseMeter
from drydock.controllers.database.proxy import ProxyController

__all__ = ["DatabaseController", "DatabaseMeter", "ProxyController"]
