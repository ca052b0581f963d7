"""Elastic Load Balancing: an HAProxy for every load balancer, with an address of its own."""

from drydock.controllers.load_balancer.controller import LoadBalancerController
from drydock.controllers.load_balancer.metrics import LoadBalancerMeter

__all__ = ["LoadBalancerController", "LoadBalancerMeter"]
