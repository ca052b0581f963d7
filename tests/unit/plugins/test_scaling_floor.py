"""The floor of autoscaling: raised by a release, left alone when it is right."""

import pytest
from ansible_collections.drydock.ops.plugins.modules.scaling_floor import Unscalable, raise_floor

WANT = {"cluster": "drydock-dev", "service": "hello", "min_count": 2}


class Scaling:
    """Application Auto Scaling as far as one service's limits go."""

    def __init__(self, least=None, most=4):
        self.target = None if least is None else {"MinCapacity": least, "MaxCapacity": most}
        self.registered = []

    def describe_scalable_targets(self, **asked):
        assert asked["ResourceIds"] == ["service/drydock-dev/hello"]
        return {"ScalableTargets": [self.target] if self.target else []}

    def register_scalable_target(self, **given):
        self.registered.append(given)


def test_the_first_release_raises_the_floor_and_nothing_else():
    scaling = Scaling(least=0)
    result = raise_floor(scaling, WANT, check_mode=False)
    assert result["changed"]
    assert result["diff"] == {"before": {"min_count": 0}, "after": {"min_count": 2}}
    assert scaling.registered == [
        {
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": "service/drydock-dev/hello",
            "MinCapacity": 2,
        }
    ]


def test_a_floor_that_is_right_is_left_alone():
    scaling = Scaling(least=2)
    assert not raise_floor(scaling, WANT, check_mode=False)["changed"]
    assert scaling.registered == []


def test_a_rehearsal_says_so_and_does_nothing():
    scaling = Scaling(least=0)
    assert raise_floor(scaling, WANT, check_mode=True)["changed"]
    assert scaling.registered == []


@pytest.mark.parametrize(
    ("scaling", "reason"),
    [(Scaling(), "not registered"), (Scaling(least=0, most=1), "above the most")],
)
def test_what_cannot_be_is_refused_with_a_cure(scaling, reason):
    with pytest.raises(Unscalable, match=reason) as refused:
        raise_floor(scaling, WANT, check_mode=False)
    assert "playbooks/provision.yml --limit platform" in str(refused.value)
    assert scaling.registered == []
