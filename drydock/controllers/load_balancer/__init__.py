"""Elastic Load Balancing: an HAProxy for every load balancer, with an address of its own."""

from drydock.controllers.load_balancer.controller import LoadBalancerController

__all__ = ["LoadBalancerController"]
