"""Publishing to SNS's topics from within."""

from moto.backends import get_backend
from moto.sns.exceptions import TopicNotFound

from drydock.errors import DrydockError
from drydock.settings import ACCOUNT_ID


def publish(topic: str, subject: str, message: str) -> None:
    """Publishes to a topic by its ARN.

    Raises:
        DrydockError: there is no such topic.
    """
    region = topic.split(":")[3]
    try:
        # SNS takes subjects of up to 100 characters.
        get_backend("sns")[ACCOUNT_ID][region].publish(message, topic, subject=subject[:100])
    except TopicNotFound:
        raise DrydockError(f"Topic does not exist: {topic}") from None
