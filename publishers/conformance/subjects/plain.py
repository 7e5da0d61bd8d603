"""A plain client: what the suite asks of software, in one file and without a library for it. It is not for production.

It keeps what it receives in `$CONFORMANCE_DATA/stored.jsonl`, one message a line, on the disk before the ack goes out.
"""

import json
import os
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

JsonObject = dict[str, Any]
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FIRST_PAUSE, PATIENCE = (
    0.2,
    45.0,
)  # seconds: before the first repetition, doubling; until a message is given up


class PlainClient:
    """One client process. Every method that a broken client overrides is a rule by itself."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.client_id = environ["CONFORMANCE_CLIENT_ID"]
        self.key: JsonObject = json.loads(environ["CONFORMANCE_PRIVATE_KEY"])
        self.store = Path(environ["CONFORMANCE_DATA"]) / "stored.jsonl"
        self.http = httpx.Client(base_url=environ["CONFORMANCE_GATEWAY_URL"], timeout=40.0, trust_env=False)
        self.token = ""

    def serve(self) -> None:
        """Answer each instruction, one JSON line for one."""
        for line in sys.stdin:
            instruction = json.loads(line)
            answer = {"n": instruction["n"], **self.follow(instruction)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()

    def follow(self, instruction: JsonObject) -> JsonObject:
        """Do what an instruction says."""
        match instruction["do"]:
            case "send":
                documents = [message["document"] for message in instruction["messages"]]
                return {"results": self.send_all(documents)}
            case "receive":
                return {"received": self.receive(instruction["count"], instruction["seconds"])}
            case "stored":
                return {"stored": self.stored()}
            case "status":
                return {"statuses": [self.status(one["distributionID"]) for one in instruction["messages"]]}
            case "rotate-key":
                self.key = instruction["privateKey"]
                return {"done": True}
            case _:
                return {"unsupported": True}

    def send_all(self, documents: list[JsonObject]) -> list[JsonObject]:
        """Send messages in their order, each only when the one before is settled."""
        return [self.send(document) for document in documents]

    def send(self, document: JsonObject) -> JsonObject:
        """Send one message until it is accepted, refused for good, or given up."""
        deadline, pause, body = time.monotonic() + PATIENCE, FIRST_PAUSE, self.written(document)
        while True:
            answer = self.post("/v1/messages", body)
            settled = answer is not None and not self.is_passing(answer)
            if settled or time.monotonic() > deadline:
                accepted = answer is not None and answer.status_code in {200, 202}
                return {"distributionID": document["distributionID"], "accepted": accepted}
            time.sleep(self.pause_after(answer, pause))
            pause = min(pause * 2, 5.0)
            body = self.written_again(document, body)

    def written(self, document: JsonObject) -> bytes:
        """A message's bytes."""
        return json.dumps(document, ensure_ascii=False).encode()

    def written_again(self, _document: JsonObject, body: bytes) -> bytes:
        """The bytes to repeat a message with: the same, and so the same distributionID."""
        return body

    def is_passing(self, answer: httpx.Response) -> bool:
        """Whether a refusal is for now only."""
        return answer.status_code in {429, 500, 502, 503, 504}

    def pause_after(self, answer: httpx.Response | None, pause: float) -> float:
        """Seconds to wait before repeating: what Retry-After says, at least."""
        wanted = answer.headers.get("retry-after", "") if answer is not None else ""
        return max(pause, float(wanted)) if wanted.isdigit() else pause

    def post(self, path: str, body: bytes) -> httpx.Response | None:
        """One POST, with a new token after a 401; None where no answer came."""
        try:
            for _ in range(2):
                headers = {
                    "Authorization": f"Bearer {self.access_token()}",
                    "Content-Type": "application/json",
                }
                answer = self.http.post(path, content=body, headers=headers)
                if answer.status_code != 401:
                    break
                self.token = ""
        except httpx.HTTPError:
            return None
        return answer

    def receive(self, count: int, seconds: float) -> list[JsonObject]:
        """Read the inbox until `count` further messages are taken over, or the time is over; those messages."""
        deadline, taken = time.monotonic() + seconds, list[JsonObject]()
        while len(taken) < count and time.monotonic() < deadline:
            items = self.read()
            for item in items:
                if self.take_over(item):
                    taken.append(item)
            if not items:
                time.sleep(0.2)
        return taken

    def read(self) -> list[JsonObject]:
        """What waits in the inbox now, [] where it cannot be read."""
        try:
            headers = {"Authorization": f"Bearer {self.access_token()}"}
            answer = self.http.get("/v1/inbox?wait=1", headers=headers)
        except httpx.HTTPError:
            return []
        if answer.status_code == 401:
            self.token = ""
        if answer.status_code != 200:
            return []
        return [
            {name: item[name] for name in ("id", "distributionID", "messageType", "content")}
            for item in answer.json()["items"]
        ]

    def take_over(self, item: JsonObject) -> bool:
        """Store a message, then acknowledge it. False: it was stored before."""
        known = {one["distributionID"] for one in self.stored()}
        new = item["distributionID"] not in known
        if new:
            self.keep(item)
        self.acknowledge(item)
        return new

    def keep(self, item: JsonObject) -> None:
        """Store a message on the disk."""
        with self.store.open("a", encoding="utf-8") as file:
            file.write(json.dumps(item) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def acknowledge(self, item: JsonObject) -> bool:
        """Acknowledge an item; where that fails it comes again with the next reading."""
        answer = self.post(f"/v1/inbox/{item['id']}/ack", b'{"step": "RECU"}')
        return answer is not None and answer.status_code == 200

    def stored(self) -> list[JsonObject]:
        """Everything stored, in order."""
        if not self.store.exists():
            return []
        return [json.loads(line) for line in self.store.read_text(encoding="utf-8").splitlines()]

    def status(self, distribution_id: str) -> JsonObject:
        """What became of a message, by the last answer to it that came."""
        told = [status for item in self.stored() if (status := self.verdict(item, distribution_id))]
        return {"distributionID": distribution_id, "status": told[-1] if told else "waiting"}

    def verdict(self, item: JsonObject, distribution_id: str) -> str:
        """What a received message says of one that was sent, "" where it says nothing of that."""
        inner = item["content"]["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
        reference, error = inner.get("reference", {}), inner.get("error", {})
        if error.get("referencedDistributionID") == distribution_id:
            return "refused"
        if reference.get("distributionID") != distribution_id or reference.get("step") == "SUPPRIME":
            return ""
        refused = reference.get("refused") is True or reference.get("step") == "ERREUR"
        return "refused" if refused else "acknowledged"

    def access_token(self) -> str:
        """The token, asked for where there is none (RFC 7523). Raises httpx.HTTPError."""
        if not self.token:
            issuer = (
                self.http.get("/.well-known/oauth-authorization-server").raise_for_status().json()["issuer"]
            )
            now = int(time.time())
            claims = {
                "iss": self.client_id,
                "sub": self.client_id,
                "aud": issuer,
                "iat": now,
                "exp": now + 120,
                "jti": secrets.token_urlsafe(24),
            }
            key = ECKey.import_key(self.key)
            assertion = jwt.encode(
                {"alg": "ES256", "kid": self.key["kid"]}, claims, key, algorithms=["ES256"]
            )
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION,
                "client_assertion": assertion,
            }
            self.token = self.http.post("/oauth2/token", data=form).raise_for_status().json()["access_token"]
        return self.token
