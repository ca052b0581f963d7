"""Publishing to SNS's topics from within."""

from moto.backends import get_backend

from drydock.errors import DrydockError
from drydock.settings import ACCOUNT_ID


def publish(topic: str, subject: str, message: str) -> None:
    """Publishes to a topic by its ARN.

    Raises:
        DrydockError: there is no such topic.
    """
    backend = get_backend("sns")[ACCOUNT_ID][topic.split(":")[3]]
    if topic not in backend.topics:
        raise DrydockError(f"Topic does not exist: {topic}")
    # SNS takes subjects of up to 100 characters.
    backend.publish(message, topic, subject=subject[:100])
