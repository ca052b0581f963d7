"""One controller per AWS service; each knows the API's state and its own parts, no other's."""

from drydock.controller import Cloud, Controller
from drydock.controllers.cache import CacheController
from drydock.controllers.cloudwatch import CloudWatchController
from drydock.controllers.database import DatabaseController, DatabaseMeter, ProxyController
from drydock.controllers.ecs import EcsController, EcsMeter
from drydock.controllers.firehose import FirehoseController
from drydock.controllers.hosts import HostController
from drydock.controllers.load_balancer import LoadBalancerController, LoadBalancerMeter
from drydock.controllers.network import NetworkController
from drydock.controllers.registry import RegistryController
from drydock.controllers.scaling import FleetController, ScalingController
from drydock.controllers.streaming import StreamingMeter


def all_of(cloud: Cloud) -> list[Controller]:
    """Every controller of the embedded cloud, in the order they are started."""
    databases, proxies = DatabaseController(cloud), ProxyController(cloud)
    ecs = EcsController(cloud)
    return [
        NetworkController(cloud),
        RegistryController(cloud),
        CloudWatchController(cloud),
        databases,
        proxies,
        DatabaseMeter(cloud, databases, proxies),
        CacheController(cloud),
        HostController(cloud),
        LoadBalancerController(cloud),
        LoadBalancerMeter(cloud),
        ecs,
        EcsMeter(cloud, ecs.registry),
        ScalingController(cloud),
        FleetController(cloud),
        StreamingMeter(cloud),
        FirehoseController(cloud),
    ]
