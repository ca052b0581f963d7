"""AWS Config's recorder keeps how often it records; its rules stay as they were written.

moto 5.2 drops ``recordingMode``, which Terraform would mend at every plan. Nothing is recorded and
no rule is evaluated.
"""

from typing import Any

from moto.config.models import ConfigBackend, ConfigRecorder


def _put(original: Any) -> Any:
    def put_configuration_recorder(self: ConfigBackend, config_recorder: dict[str, Any]) -> None:
        original(self, config_recorder)
        mode = config_recorder.get("recordingMode") or {"recordingFrequency": "CONTINUOUS"}
        self.recorders[config_recorder["name"]].drydock_mode = mode

    return put_configuration_recorder


def _shown(original: Any) -> Any:
    def to_dict(self: ConfigRecorder) -> dict[str, Any]:
        data = original(self)
        return {**data, "recordingMode": data.pop("drydockMode")}

    return to_dict


def apply() -> None:
    ConfigBackend.put_configuration_recorder = _put(ConfigBackend.put_configuration_recorder)
    ConfigRecorder.to_dict = _shown(ConfigRecorder.to_dict)
