"""Delete markers can be deleted for good.

moto 5.2 fails on deleting every version of a key when one is a delete marker, which each
release of the state's lock file leaves behind.
"""

from moto.s3.models import FakeDeleteMarker


def apply() -> None:
    """Gives delete markers the method that keys have; there is no content to dispose of."""
    FakeDeleteMarker.dispose = lambda self, garbage=False: None
