"""After a failover all is as before: primary writable, copies in sync, the API serves."""

import pytest

# What an assert compared is shown for checks that come from elsewhere too.
pytest.register_assert_rewrite("data_checks")

from data_checks import (  # noqa: E402, F401 (pytest finds checks and fixtures by their names)
    connection,
    data,
    test_an_order_is_stored_and_read_back,
    test_connections_are_below_the_alarm,
    test_the_api_is_ready,
    test_the_api_reads,
    test_the_cache_listens,
    test_the_cache_takes_writes_and_its_replicas_have_them,
    test_the_database_listens,
    test_the_primary_takes_writes,
    test_the_standby_is_in_sync,
)
