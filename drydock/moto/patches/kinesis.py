"""Kinesis: a stream keeps the tags that it is made with (moto 5.2 drops them)."""

from moto.core.responses import ActionResult
from moto.kinesis.responses import KinesisResponse


def apply() -> None:
    original = KinesisResponse.create_stream

    def create_stream(self: KinesisResponse) -> ActionResult:
        result = original(self)
        if tags := self._get_param("Tags"):
            self.kinesis_backend.add_tags_to_stream(None, self._get_param("StreamName"), tags)
        return result

    KinesisResponse.create_stream = create_stream
