"""The lake: what is published is found in its bucket, under the hour in which it came."""

import datetime
import gzip
import json

from tests.platform.conftest import wait_for

from .drills.drill import Platform
from .drills.events import FIRST_SLOT, Events
from .site import Site

# A file is named for the oldest event in it, which waited a minute of AWS's.
OLDER = datetime.timedelta(minutes=2)


def _files(site: Site, hour: str) -> list[list[bytes]]:
    """The lines of each file of an hour."""
    s3 = site.cloud.client("s3")
    bucket = f"drydock-local-events-lake-{site.cloud.settings.account_id}"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=hour)
    rows = [row for page in pages for row in page.get("Contents", [])]
    bodies = [s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read() for row in rows]
    return [gzip.decompress(body).splitlines() for body in bodies]


def test_what_is_published_is_in_the_lake_once_under_its_hour(site: Site) -> None:
    events = Events(Platform(site.cloud, site.url))
    begun = datetime.datetime.now(datetime.UTC)

    def slots() -> list[int]:
        """What the lake holds of these events; a file's in their order."""
        hours = {
            f"events/dt={moment:%Y-%m-%d}/hour={moment:%H}/"
            for moment in (begun - OLDER, begun, datetime.datetime.now(datetime.UTC))
        }
        # Others publish too, and not all that they publish can be read.
        files = [
            [json.loads(line)["slot"] for line in file if events.key.encode() in line]
            for hour in hours
            for file in _files(site, hour)
        ]
        return [slot for file in sorted(filter(None, files)) for slot in file]

    assert slots() == []
    events.publish(20)
    wait_for(lambda: len(slots()) >= events.published, 60, "the events are in the lake")
    events.publish(5)
    wait_for(lambda: len(slots()) >= events.published, 60, "so are those that came later")
    assert slots() == list(range(FIRST_SLOT, FIRST_SLOT + events.published))
