"""One thread a node asks its server every second how it is: a hanging one delays no other."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from drydock.controllers.database.configuration import LIMITS
from drydock.controllers.database.session import Refused, Row, Session
from drydock.controllers.engines import Node

_EVERY_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
_REACH_SECONDS = 1.0
# RDS gives a primary up after some tens of seconds; here three questions in a row and as many
# seconds as this must go unanswered, so that a busy machine isn't taken for a dead server.
_HANG_SECONDS, _HANG_QUESTIONS = 6.0, 3
# WAL positions are told in bytes. A copy that has replayed all it got and still streams is not
# late, however long ago the last commit was.
_QUESTION = f"""\
SELECT pg_is_in_recovery(),
  (SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM 'rdsadmin'),
  pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
    ELSE pg_current_wal_flush_lsn() END, '0/0'),
  EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
  CASE WHEN NOT pg_is_in_recovery() THEN 0
    WHEN pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()
      AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END,
  (SELECT string_agg(concat_ws(' ', application_name, sync_state,
      pg_wal_lsn_diff(flush_lsn, '0/0')), ',') FROM pg_stat_replication
    WHERE state = 'streaming' AND flush_lsn IS NOT NULL AND usename = 'rdsrepladmin'),
  (SELECT string_agg(name || ' ' || setting, ',') FROM pg_settings
    WHERE name IN {LIMITS})
"""  # noqa: S608 (names of settings)


@dataclass(frozen=True)
class Copy:
    """A copy as its source sees it: whether commits wait for it, and how far it has got."""

    awaited: bool
    position: int


@dataclass(frozen=True)
class Seen:
    """What a server said of itself.

    Attributes:
        at: when, by the monotonic clock.
        pid: of the server's main process.
        sessions: of clients, without the cloud's own.
        position: bytes of WAL that a primary has on disk, or a copy has replayed.
        streaming: a copy that receives WAL.
        lag: seconds that a copy is behind.
        copies: those that stream from this server, by the name of their slot.
        limits: settings that a copy must not go below.
    """

    at: float
    pid: int
    recovering: bool
    sessions: int
    position: int
    streaming: bool
    lag: float
    copies: Mapping[str, Copy]
    limits: Mapping[str, int]

    @property
    def _state(self) -> object:
        states = {name: copy.awaited for name, copy in self.copies.items()}
        return self.recovering, self.streaming, states, self.limits


def read(row: Row, at: float, pid: int) -> Seen:
    """What the answer's one row says."""
    recovering, sessions, position, streaming, lag, copies, limits = row
    words = [text.split() for text in (copies or "").split(",") if text]
    return Seen(
        at=at,
        pid=pid,
        recovering=recovering == "t",
        sessions=int(sessions or 0),
        position=int(position or 0),
        streaming=streaming == "t",
        lag=max(float(lag or 0), 0.0),
        copies={name: Copy(state == "sync", int(flushed)) for name, state, flushed in words},
        limits={
            name: int(value)
            for name, value in (text.split() for text in (limits or "").split(",") if text)
        },
    )


class Watch:
    """Keeps what one server last said; wakes the controller when that changes.

    Attributes:
        seen: the last full answer since the server was started.
    """

    def __init__(self, node: Node, port: int, wake: Callable[[], None]):
        self._node, self._port, self._wake = node, port, wake
        self._ended = threading.Event()
        self.begin()
        threading.Thread(target=self._run, name=f"watch-{node.id}", daemon=True).start()

    def begin(self) -> None:
        """Forgets what was seen: the server is started anew."""
        self.seen: Seen | None = None
        self._began, self._answered, self._unanswered = time.monotonic(), None, 0

    def end(self) -> None:
        self._ended.set()

    @property
    def answered(self) -> bool:
        """Whether the server has answered since it was started, be it with a refusal."""
        return self._answered is not None

    @property
    def fresh(self) -> bool:
        """Whether what was seen still holds."""
        seen = self.seen
        return seen is not None and time.monotonic() - seen.at < 2 * _EVERY_SECONDS + 1

    @property
    def hung(self) -> bool:
        """Whether a server that did answer has stopped to."""
        answered = self._answered
        return (
            answered is not None
            and self._unanswered >= _HANG_QUESTIONS
            and time.monotonic() - answered > _HANG_SECONDS
        )

    @property
    def state(self) -> str:
        """For people: starting, available, silent."""
        if self.hung or (self.answered and self._unanswered):
            return "silent"
        return "available" if self.seen else "starting"

    def _reach(self) -> None:
        """Raises OSError when the server, well as it may be, is cut off from the network."""
        address = (self._node.address, self._port)
        socket.create_connection(address, timeout=_REACH_SECONDS).close()

    def _run(self) -> None:
        session: Session | None = None
        while not self._ended.is_set():
            began, before, told = self._began, self.seen, self.hung
            try:
                session = session or Session(self._node.folder, self._port, timeout=_ANSWER_SECONDS)
                answer = session.query(_QUESTION)
                self._reach()
                seen = read(answer[0], time.monotonic(), session.pid)
            except (OSError, Refused) as error:
                if session:
                    session.close()
                session, seen = None, None
                alive = isinstance(error, Refused)
            else:
                alive = True
            if began == self._began:  # else the answer is an earlier server's
                self.seen = seen or self.seen
                self._answered = time.monotonic() if alive else self._answered
                self._unanswered = 0 if alive else self._unanswered + 1
            if (seen and (before is None or seen._state != before._state)) or told != self.hung:
                self._wake()
            self._ended.wait(_EVERY_SECONDS if seen else 0.3)
        if session:
            session.close()
