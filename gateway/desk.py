"""The operator's desk: what the command line asks of the store, through a running gateway where one holds the file.

An order is a JSON object on one line, and so is its answer. The Unix socket lies beside the database, for the gateway's own
user alone (mode 0600); it gives out no content of a message. PostgreSQL needs none: every process opens it.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from gateway.errors import ConfigurationError, GatewayError
from gateway.model import JsonObject, iso
from gateway.observability import log
from gateway.store import DeadLetter, Endpoint, Store

SCHEME = "sqlite:///"
MAX_LINE = 1_048_576  # bytes of an order; an answer may be longer
OWNER_ONLY = 0o177  # what the mask takes from a new socket


def socket_of(database_url: str) -> Path | None:
    """Where the desk of a database is, None where it needs none."""
    return Path(database_url.removeprefix(SCHEME) + ".desk") if database_url.startswith(SCHEME) else None


async def perform(store: Store, order: JsonObject, now: float) -> JsonObject:
    """Do what an order says. Raises GatewayError as the store does, and KeyError for an order of another kind."""
    match order["do"]:
        case "dead-letters":
            return {"letters": [_letter(letter) for letter in await store.dead_letters(order["limit"])]}
        case "replay":
            return {"replayed": await store.replay(order["ids"], now)}
        case "erase":
            done = await store.erase_case(order["case"], now, unread=order["unread"])
            return {"erased": done.erased, "left": done.left}
        case "webhooks":
            return {"endpoints": [_endpoint(one) for one in await store.events.endpoints()]}
        case "enable-webhook":
            return {"enabled": await store.events.enable(order["publisher"])}
        case unknown:
            raise KeyError(unknown)


@asynccontextmanager
async def opened(database_url: str, store: Store, now: Callable[[], float]) -> AsyncIterator[None]:
    """Take orders for as long as the block lasts. Where no socket can be made, the log says so and the block runs without."""
    path = socket_of(database_url)
    listening = None if path is None else _listen(path)
    if path is None or listening is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(orjson.dumps(await _answer(store, await _line(reader), now())))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, sock=listening, limit=MAX_LINE)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def ask(database_url: str, order: JsonObject) -> JsonObject | None:
    """The answer of the gateway that runs on this database, None where there is none. Raises ConfigurationError."""
    path = socket_of(database_url)
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except (OSError, ValueError):
        return None
    writer.write(orjson.dumps(order, option=orjson.OPT_APPEND_NEWLINE))
    try:
        told = await reader.read()
    except ConnectionError:
        told = b""
    writer.close()
    if not told:
        raise ConfigurationError("The running gateway stopped before it answered. Ask again.")
    answer: JsonObject = orjson.loads(told)
    if "problem" in answer:
        raise ConfigurationError(answer["problem"])
    return answer


def _listen(path: Path) -> socket.socket | None:
    listening = socket.socket(socket.AF_UNIX)
    mask = os.umask(OWNER_ONLY)
    try:
        path.unlink(missing_ok=True)  # of a gateway that was killed: the database's lock says that it is gone
        listening.bind(str(path))
    except OSError as error:
        listening.close()
        log.warning("operator_desk_closed", exc_info=error)
        return None
    finally:
        os.umask(mask)
    return listening


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:  # longer than any order
        return b""


async def _answer(store: Store, line: bytes, now: float) -> JsonObject:
    try:
        order = orjson.loads(line)
        done = await perform(store, order, now)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {"problem": "The running gateway does not know this order. Is it of another version?"}
    except GatewayError as error:
        return {"problem": " ".join(issue.diagnostics for issue in error.issues)}
    log.info("operator_order", order=order["do"])
    return done


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "publisher": endpoint.publisher_id,
        "waiting": endpoint.waiting,
        "oldest": None if endpoint.oldest is None else iso(endpoint.oldest),
        "attempts": endpoint.attempts,
        "disabledAt": None if endpoint.disabled_at is None else iso(endpoint.disabled_at),
        "disabledUrl": endpoint.disabled_url,
    }


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "publisher": letter.publisher_id,
        "distributionID": letter.distribution_id,
        "messageType": letter.message_type,
        "recipient": letter.recipient,
        "receivedAt": iso(letter.received_at),
        "diedAt": iso(letter.died_at),
        "cause": letter.cause,
    }
