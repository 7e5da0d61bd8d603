"""The reference client: software on the SDK that meets every requirement. Read it first if you write your own.

Run it as `gateway conformance software --command "python -m publishers.conformance.reference_client"`. Retries, tokens, quotas
and lost connections are the SDK's; what is left to the software is here: to store before it acknowledges, to store once, to keep
the order, and to tell what came of a message.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

try:
    from regulation_sdk import Client, GatewayError, PrivateKey, RetryPolicy
except ModuleNotFoundError:  # in a checkout the SDK need not be installed
    sys.path.insert(0, str(Path(__file__).parents[1] / "sdk" / "src"))
    from regulation_sdk import Client, GatewayError, PrivateKey, RetryPolicy

JsonObject = dict[str, Any]
PATIENCE = RetryPolicy(deadline=45.0)


class Software:
    """A regulation software with a disk, `$CONFORMANCE_DATA/stored.jsonl`: one message a line."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._gateway = environ["CONFORMANCE_GATEWAY_URL"]
        self._client_id = environ["CONFORMANCE_CLIENT_ID"]
        self._disk = Path(environ["CONFORMANCE_DATA"]) / "stored.jsonl"
        self._client = self._connected(json.loads(environ["CONFORMANCE_PRIVATE_KEY"]))
        self._receipts: dict[str, str] = {}  # distributionID -> the receipt's id

    def serve(self) -> None:
        """Follow instructions, one JSON line for one, until the input ends."""
        for line in sys.stdin:
            instruction = json.loads(line)
            answer = {"n": instruction["n"], **self.follow(instruction)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()

    def follow(self, instruction: JsonObject) -> JsonObject:
        """Do what an instruction says."""
        match instruction["do"]:
            case "send":
                return {"results": [self.send(message["document"]) for message in instruction["messages"]]}
            case "receive":
                return {"received": self.receive(instruction["count"], instruction["seconds"])}
            case "stored":
                return {"stored": self.stored()}
            case "status":
                return {"statuses": [self.status(one["distributionID"]) for one in instruction["messages"]]}
            case "rotate-key":
                self._client.close()
                self._client = self._connected(instruction["privateKey"])
                return {"done": True}
            case _:
                return {"unsupported": True}

    def send(self, document: JsonObject) -> JsonObject:
        """Send one message; its result once it is accepted, refused, or given up."""
        try:
            receipt = self._client.send(document)
        except GatewayError as error:
            return {"distributionID": document["distributionID"], "accepted": False, "detail": str(error)}
        self._receipts[receipt.distribution_id] = receipt.id
        return {"distributionID": document["distributionID"], "accepted": True}

    def status(self, distribution_id: str) -> JsonObject:
        """What became of a message: acknowledged or refused once its recipient answered, waiting until then."""
        status = self._client.get(self._receipts[distribution_id]).status
        known = status if status in {"acknowledged", "refused"} else "waiting"
        return {"distributionID": distribution_id, "status": known}

    def receive(self, count: int, seconds: float) -> list[JsonObject]:
        """Take over what waits in the inbox, until `count` messages are new or the time is over; the new ones."""
        deadline, taken = time.monotonic() + seconds, list[JsonObject]()
        while len(taken) < count and time.monotonic() < deadline:
            taken += self._read_once()
            time.sleep(0.1)
        return taken

    def stored(self) -> list[JsonObject]:
        """Everything on the disk, in order."""
        if not self._disk.exists():
            return []
        return [json.loads(line) for line in self._disk.read_text(encoding="utf-8").splitlines()]

    def _read_once(self) -> list[JsonObject]:
        known, taken = {one["distributionID"] for one in self.stored()}, list[JsonObject]()
        try:
            for delivery in self._client.inbox(follow=False):
                with (
                    delivery as item
                ):  # acknowledged when the block ends: what is in it is on the disk by then
                    if item.distribution_id not in known:
                        known.add(item.distribution_id)
                        taken.append(self._keep(item.distribution_id, item.message_type, item.content))
        except GatewayError as error:  # what was not acknowledged comes again
            sys.stderr.write(f"inbox: {error}\n")
        return taken

    def _keep(self, distribution_id: str, message_type: str, content: Any) -> JsonObject:
        message = {"distributionID": distribution_id, "messageType": message_type, "content": content}
        with self._disk.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return message

    def _connected(self, private_key: JsonObject) -> Client:
        return Client(self._gateway, PrivateKey(self._client_id, private_key), retry=PATIENCE)


if __name__ == "__main__":
    Software(os.environ).serve()
