"""The SQLite file: locked for one process, opened durable, its schema made or recognised."""

import fcntl
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.store import rows

SCHEMA = Path(__file__).with_name("schema.sql")
VERSION = 3
UPGRADES = {
    # version 1 had the steps of all timelines in a table of their own
    1: """
ALTER TABLE messages ADD COLUMN timeline TEXT NOT NULL DEFAULT '';
UPDATE messages SET timeline = coalesce((
    SELECT group_concat(json_array(step, json(printf('%!.17g', at)), detail) || ',', '')
    FROM (SELECT * FROM steps WHERE message = messages.seq ORDER BY number)
), '');
DROP TABLE steps;
PRAGMA user_version = 2;
""",
    # version 2 kept neither answers nor what an item was answered with
    2: """
ALTER TABLE messages ADD COLUMN answer TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN not_applicable TEXT NOT NULL DEFAULT '';
ALTER TABLE inbox ADD COLUMN distribution_status TEXT NOT NULL DEFAULT 'Actual';
ALTER TABLE inbox ADD COLUMN reference TEXT NOT NULL DEFAULT '';
ALTER TABLE inbox ADD COLUMN reference_rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE inbox ADD COLUMN answer_status TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 3;
""",
}
# a file made before these were known gets them when it is opened
LATER = (
    "DROP INDEX IF EXISTS inbox_resources",
    # the history of a case
    (
        "CREATE INDEX IF NOT EXISTS messages_by_case ON messages (case_id, publisher_id, sender)"
        f" WHERE {rows.TOLD_OF_A_CASE}"
    ),
    (
        "CREATE INDEX IF NOT EXISTS inbox_by_case ON inbox (case_id, publisher_id, recipient)"
        f" WHERE {rows.TOLD_OF_A_CASE}"
    ),
    # the hour first: what arrives together is written together, however many messages and publishers there are
    "CREATE INDEX IF NOT EXISTS messages_by_hour ON messages (seq >> 32, publisher_id)",
    "DROP INDEX IF EXISTS messages_by_publisher",
    # access tokens that are refused before they expire
    (
        "CREATE TABLE IF NOT EXISTS revoked (jti TEXT PRIMARY KEY, expires_at REAL NOT NULL, revoked_at REAL NOT NULL)"
        " WITHOUT ROWID"
    ),
    # of which items a webhook is still to tell; webhooks that answered 410
    (
        "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, publisher_id TEXT NOT NULL, since REAL NOT NULL,"
        " next_at REAL NOT NULL, attempts INTEGER NOT NULL)"
    ),
    # of which items the sender is to be told when nobody has answered by then; and the answers of publishers, by what they answer
    (
        "CREATE TABLE IF NOT EXISTS expiries (seq INTEGER PRIMARY KEY, expires_at REAL NOT NULL, expired_at REAL)"
    ),
    "CREATE INDEX IF NOT EXISTS expiries_due ON expiries (expires_at) WHERE expired_at IS NULL",
    "CREATE INDEX IF NOT EXISTS messages_by_reference ON messages (refers_to) WHERE refers_to <> ''",
    "CREATE INDEX IF NOT EXISTS events_due ON events (publisher_id, next_at)",
    "CREATE INDEX IF NOT EXISTS events_by_time ON events (since)",
    (
        "CREATE TABLE IF NOT EXISTS disabled_endpoints (publisher_id TEXT PRIMARY KEY, url TEXT NOT NULL,"
        " disabled_at REAL NOT NULL) WITHOUT ROWID"
    ),
)
SCHEME = "sqlite:///"
CACHE = 65_536  # KiB of pages in memory
LOOKER_CACHE = (
    64  # pages: every commit empties it, and a larger one costs more to fill than it saves (measured)
)
CHECKPOINT = 1_000  # pages in the write-ahead log before they are moved into the file
WRITER_PRAGMAS = (
    "page_size = 8192",  # two ordinary messages a page: a tenth less work than 4096 (measured)
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit returns after fsync: a receipt survives a power cut
    "secure_delete = ON",  # erased health data is overwritten, not only forgotten
    f"cache_size = -{CACHE}",
    f"wal_autocheckpoint = {CHECKPOINT}",
)


@dataclass(frozen=True, slots=True)
class Database:
    """The connections and the lock. Each connection is used by one thread at a time.

    `reader` is for what may take long, in a thread; `looker` for look-ups by key and pages
    of an inbox, in the event loop.
    """

    writer: sqlite3.Connection
    reader: sqlite3.Connection
    looker: sqlite3.Connection
    lock: int

    def wal_bytes(self) -> int:
        """The size of the write-ahead log, 0 where there is none."""
        path = self.looker.execute("PRAGMA database_list").fetchone()[2]
        try:
            return Path(f"{path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Close all; the lock last."""
        self.looker.close()
        self.reader.close()
        self.writer.close()
        os.close(self.lock)


def open_database(url: str) -> Database:
    """Open `sqlite:///relative/path` or `sqlite:////absolute/path`, making what is missing.

    Raises ConfigurationError where the URL is of another kind, the file cannot be used, is not ours, or is in use.
    """
    path = url.removeprefix(SCHEME)
    if path == url or not path:
        raise ConfigurationError(f"database_url is {url!r}; {SCHEME}PATH or postgresql://… is expected.")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(f"{path}.lock")
    except OSError as error:
        raise ConfigurationError(f"{path}: the database cannot be opened: {error.strerror}.") from None
    try:
        return _connect(path, lock)
    except (sqlite3.Error, OSError) as error:
        os.close(lock)
        raise ConfigurationError(f"{path}: the database cannot be opened: {error}.") from None
    except ConfigurationError:
        os.close(lock)
        raise


def _lock(path: str) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ConfigurationError(
            f"{path}: another process has this database open. SQLite serves one gateway process only."
        ) from None
    return lock


def _connect(path: str, lock: int) -> Database:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # health data: for this user only
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
    try:
        for pragma in WRITER_PRAGMAS:
            writer.execute(f"PRAGMA {pragma}").fetchall()
        _require_schema(writer, path)
        reader, looker = _read_only(path), _read_only(path)
        looker.execute(f"PRAGMA cache_size = {LOOKER_CACHE}")
    except BaseException:
        writer.close()
        raise
    return Database(writer, reader, looker, lock)


def _read_only(path: str) -> sqlite3.Connection:
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=1.0)


def _require_schema(connection: sqlite3.Connection, path: str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == 0 and tables == 0:
        connection.executescript(f"BEGIN; {SCHEMA.read_text()} COMMIT;")
    elif version in UPGRADES:
        for older in range(version, VERSION):
            connection.executescript(f"BEGIN; {UPGRADES[older]} COMMIT;")
    elif version != VERSION:
        raise ConfigurationError(f"{path}: the database has schema version {version}; {VERSION} is expected.")
    for statement in LATER:
        connection.execute(statement)
