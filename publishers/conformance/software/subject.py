"""The software under test, as the suite sees it: something that sends, receives and says what it has stored.

The protocol, one JSON object an instruction and one an answer, is described in `docs/how-to/certify.md`. A command gets it on
its standard input and answers on its standard output; a web hook gets it as the body of a POST and answers in the response.
"""

import asyncio
import os
import shlex
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import orjson

JsonObject = dict[str, Any]
PATIENCE = 60.0  # seconds that an instruction may take
MAX_LINE = 64 * 1024 * 1024


class SubjectFailed(Exception):
    """The software did not follow the protocol; the text says how."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the software needs to know to reach the gateway. `data` is a folder of its own, kept when it is started again."""

    gateway: str
    client_id: str
    client_secret: str
    private_key: JsonObject
    sender: str
    format: str
    model_version: str
    data: Path

    def variables(self) -> dict[str, str]:
        """The same as environment variables."""
        return {
            "CONFORMANCE_GATEWAY_URL": self.gateway,
            "CONFORMANCE_CLIENT_ID": self.client_id,
            "CONFORMANCE_CLIENT_SECRET": self.client_secret,
            "CONFORMANCE_PRIVATE_KEY": orjson.dumps(self.private_key).decode(),
            "CONFORMANCE_SENDER_ID": self.sender,
            "CONFORMANCE_FORMAT": self.format,
            "CONFORMANCE_MODEL_VERSION": self.model_version,
            "CONFORMANCE_DATA": str(self.data),
        }


class Subject(Protocol):
    """How the suite drives the software. `can_crash`: it can be killed and started again. `by_hand`: a person operates it."""

    can_crash: bool
    by_hand: bool

    async def start(self) -> None:
        """Make it ready."""

    async def do(self, instruction: str, **members: Any) -> JsonObject:
        """One instruction and its answer. Raises SubjectFailed."""

    async def crash(self) -> None:
        """End it at once, as a power cut would."""

    async def stop(self) -> None:
        """End it."""


@dataclass
class CommandSubject:
    """Software that a command starts; it reads instructions from its standard input until that ends."""

    command: str
    access: Access
    can_crash: bool = True
    by_hand: bool = False
    _process: Process | None = None
    _asked: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Start the command. Raises SubjectFailed."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *shlex.split(self.command),
                stdin=PIPE,
                stdout=PIPE,
                env={**os.environ, **self.access.variables()},
                limit=MAX_LINE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise SubjectFailed(f"the command cannot be started: {error}") from None

    async def do(self, instruction: str, **members: Any) -> JsonObject:
        """Write one line, read one line."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise SubjectFailed("the software is not running")
        async with self._lock:
            self._asked += 1
            line = orjson.dumps({"n": self._asked, "do": instruction, **members})
            with suppress(ConnectionError):
                process.stdin.write(line + b"\n")
                await process.stdin.drain()
            try:
                answer = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
            except TimeoutError:
                raise SubjectFailed(f"no answer to {instruction!r} within {PATIENCE:.0f} s") from None
            except ValueError:
                raise SubjectFailed("a line of the answer is too long") from None
        if not answer:
            raise SubjectFailed(f"the software ended instead of answering {instruction!r}")
        return understood(answer, instruction)

    async def crash(self) -> None:
        """Kill it with all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            await self._process.wait()

    async def stop(self) -> None:
        """Close its input, and kill it where it does not end."""
        if self._process is not None and self._process.returncode is None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 3)
            await self.crash()


@dataclass
class WebhookSubject:
    """Software that listens at a URL; it is told where the gateway is by a first instruction, `configure`."""

    url: str
    access: Access
    can_crash: bool = False
    by_hand: bool = False

    async def start(self) -> None:
        """Tell it where the gateway is. Raises SubjectFailed."""
        told = {
            name.removeprefix("CONFORMANCE_").lower(): value
            for name, value in self.access.variables().items()
        }
        await self.do("configure", **told)

    async def do(self, instruction: str, **members: Any) -> JsonObject:
        """One POST."""
        try:
            async with httpx.AsyncClient(timeout=PATIENCE) as http:
                answer = await http.post(self.url, json={"do": instruction, **members})
        except httpx.HTTPError as error:
            raise SubjectFailed(f"the web hook did not answer ({type(error).__name__})") from None
        if answer.status_code != 200:
            raise SubjectFailed(f"the web hook answered {answer.status_code}; 200 is expected")
        return understood(answer.content, instruction)

    async def crash(self) -> None:
        """Not possible from here."""

    async def stop(self) -> None:
        """It goes on listening."""


def understood(answer: bytes, instruction: str) -> JsonObject:
    """The object in an answer. Raises SubjectFailed."""
    try:
        told = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raise SubjectFailed(f"the answer to {instruction!r} is no JSON") from None
    if not isinstance(told, dict):
        raise SubjectFailed(f"the answer to {instruction!r} is no JSON object")
    return told
