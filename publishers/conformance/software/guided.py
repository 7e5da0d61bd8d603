"""Software that a person operates: the terminal says what to do in it, and asks what was seen."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from rich.console import Console
from rich.panel import Panel
from rich.prompt import Confirm
from rich.syntax import Syntax

from publishers.conformance.software.subject import Access

JsonObject = dict[str, Any]


class Ask(Protocol):
    """A question to the person; `yes` where it can be answered with yes or no."""

    def __call__(self, question: str, *, yes: bool) -> bool:
        """Whether the person says yes; True for a question that only waits."""


@dataclass
class GuidedSubject:
    """The person reads what to do, does it, and goes on with Enter.

    What the software has stored cannot be read from here: the person compares, and what they confirm counts as stored. An
    instruction of its own, `expect`, says what is to come.
    """

    access: Access
    console: Console
    ask: Ask
    can_crash: bool = False
    by_hand: bool = True
    _stored: list[JsonObject] = field(default_factory=list)
    _expected: list[JsonObject] = field(default_factory=list)

    async def start(self) -> None:
        """Show how to reach the gateway."""
        lines = [
            f"{name.removeprefix('CONFORMANCE_')}: {value}" for name, value in self.access.variables().items()
        ]
        self.console.print(Panel("\n".join(lines), title="Set up your software with this", highlight=False))
        await self._ask("Go on when it is set up.", yes=False)

    async def do(self, instruction: str, **members: Any) -> JsonObject:
        """Have the person do what an instruction says."""
        match instruction:
            case "send":
                return {"results": [await self._send(message) for message in members["messages"]]}
            case "expect":
                self._expected += members["documents"]
                return {}
            case "receive":
                return {"received": await self._receive()}
            case "stored":
                return {"stored": list(self._stored)}
            case "status":
                return {"statuses": [await self._status(message) for message in members["messages"]]}
            case _:
                return {"unsupported": True}

    async def crash(self) -> None:
        """Not possible from here."""

    async def stop(self) -> None:
        """Nothing to end."""

    async def _send(self, message: JsonObject) -> JsonObject:
        text = orjson.dumps(message["content"], option=orjson.OPT_INDENT_2).decode()
        title = f"Send this {message['messageType'] or 'message'} to {message['recipient']}"
        self.console.print(Panel(Syntax(text, "json", word_wrap=True), title=title))
        await self._ask("Go on when it is sent.", yes=False)
        return {"accepted": await self._ask("Does your software show that it was accepted?", yes=True)}

    async def _status(self, message: JsonObject) -> JsonObject:
        self.console.print(
            Panel(message["text"], title="Look at the message with this text", highlight=False)
        )
        taken = await self._ask("Does your software show that its recipient took it over?", yes=True)
        refused = await self._ask("Does your software show that its recipient refused it?", yes=True)
        status = "waiting" if taken == refused else "refused" if refused else "acknowledged"
        return {"distributionID": message["distributionID"], "status": status}

    async def _receive(self) -> list[JsonObject]:
        taken = []
        while self._expected:
            document = self._expected.pop(0)
            text = orjson.dumps(document.get("content", "an answer"), option=orjson.OPT_INDENT_2).decode()
            title = f"Your software should receive {document['distributionID']}"
            self.console.print(Panel(Syntax(text, "json", word_wrap=True), title=title))
            if await self._ask(
                "Does it show this message, with every value and character as here?", yes=True
            ):
                taken.append(
                    {"distributionID": document["distributionID"], "messageType": "", "content": document}
                )
        self._stored += taken
        return taken

    async def _ask(self, question: str, *, yes: bool) -> bool:
        return await asyncio.to_thread(self.ask, question, yes=yes)


def ask_in(console: Console) -> Ask:
    """Questions in the terminal."""

    def ask(question: str, *, yes: bool) -> bool:
        if yes:
            return Confirm.ask(question, console=console, default=True)
        console.input(f"{question} [Enter] ")
        return True

    return ask
