"""Every call as a program: what is sent, when again, and what the answer becomes. No network and no clock in here."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from regulation_sdk import values
from regulation_sdk.bodies import JSON, Body, Message, body_of
from regulation_sdk.credentials import Credentials
from regulation_sdk.effects import Answer, Emit, Exchange, Lost, Program, Timing, Token, Wait
from regulation_sdk.errors import GatewayError, issues_of
from regulation_sdk.limits import Windows
from regulation_sdk.retry import Again, Attempt, Moment, RetryPolicy, is_transient, judge, token_error
from regulation_sdk.tokens import Bearer, Tokens

log = logging.getLogger("regulation_sdk")
ACCEPT = "application/json, application/fhir+json"
MESSAGES, INBOX = "/v1/messages", "/v1/inbox"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, whatever number of attempts it takes. `deadline` and `timeout` in seconds, None = the policy's;
    `spends`: it counts on the quota.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    deadline: float | None = None
    timeout: float | None = None
    spends: bool = False
    stream: bool = False
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Core:
    """The logic of one client. Its programs may run side by side, on several threads too."""

    def __init__(self, base_url: str, credentials: Credentials, policy: RetryPolicy, timing: Timing) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url must be an http or https URL")
        self.base_url = base_url.rstrip("/")
        self.policy = policy
        self.timing = timing
        self.tokens = Tokens(self.base_url, credentials, timing)
        self.windows = Windows()

    def call(self, call: Call) -> Program[Answer]:
        """Ask until the answer is good, time is up, or asking again makes no sense. Raises GatewayError."""
        patience = self.policy.deadline if call.deadline is None else call.deadline
        attempt = Attempt(self.timing.now() + patience)
        if call.spends and call.body and not call.body.urgent:
            yield from self._await_window(attempt)
        while True:
            token, outcome = yield from self._attempt(call, attempt)
            timing = self.timing
            moment = Moment(timing.now(), timing.wall(), timing.random())
            verdict = judge(self.policy, attempt, outcome, token, call.request_id, moment)
            self._tell(call, attempt, outcome, verdict)
            if isinstance(verdict, Answer):
                return verdict
            if isinstance(verdict, GatewayError):
                raise verdict
            attempt = verdict.attempt
            if verdict.seconds:
                yield Wait(verdict.seconds)

    def _await_window(self, attempt: Attempt) -> Program[None]:
        # a window that outlasts the deadline is left to the gateway to judge
        wait = self.windows.wait(self.timing.now())
        if 0 < wait < attempt.ends - self.timing.now():
            yield Wait(wait)

    def _attempt(self, call: Call, attempt: Attempt) -> Program[tuple[str, Answer | Lost]]:
        timeout = max(0.001, min(call.timeout or self.policy.timeout, attempt.ends - self.timing.now()))
        bearer: Bearer | Answer | Lost = yield Token(attempt.refused, timeout)
        if not isinstance(bearer, Bearer):
            if isinstance(bearer, Answer) and not is_transient(bearer):
                raise token_error(bearer, call.request_id)
            return "", bearer
        headers = {
            "Accept": ACCEPT,
            **call.headers,
            "Authorization": f"Bearer {bearer.value}",
            "X-Request-Id": call.request_id,
        }
        if call.body:
            headers["Content-Type"] = call.body.media_type
        if call.spends:
            self.windows.spend()
        url = self.base_url + call.path + (f"?{urlencode(call.query)}" if call.query else "")
        content = call.body.content if call.body else b""
        outcome: Answer | Lost = yield Exchange(call.method, url, headers, content, timeout, call.stream)
        if isinstance(outcome, Answer):
            self.windows.note(outcome.headers, self.timing.now())
        return bearer.value, outcome

    @staticmethod
    def _tell(
        call: Call, attempt: Attempt, outcome: Answer | Lost, verdict: Answer | Again | GatewayError
    ) -> None:
        told = outcome.status if isinstance(outcome, Answer) else f"no answer ({outcome.reason})"
        facts = (call.method, call.path, told, call.request_id)
        if isinstance(verdict, Again):
            number = attempt.failures + 1
            log.warning(
                "%s %s: %s, request %s; again in %.1f s (attempt %d)", *facts, verdict.seconds, number
            )
        else:
            log.info("%s %s: %s, request %s", *facts)
        if isinstance(outcome, Answer) and "Deprecation" in outcome.headers:
            sunset = outcome.headers.get("Sunset", "no date yet")
            log.warning(
                "the model version of request %s is deprecated; refused from: %s", call.request_id, sunset
            )

    def send(
        self,
        message: Message,
        media_type: str | None,
        model_version: str | None,
        deadline: float | None,
        request_id: str | None,
    ) -> Program[values.Receipt]:
        """`POST /v1/messages`."""
        call = Call(
            "POST",
            MESSAGES,
            body=body_of(message, media_type),
            headers=_version(model_version),
            deadline=deadline,
            spends=True,
            request_id=request_id or str(uuid.uuid4()),
        )
        answer = yield from self.call(call)
        return values.read(answer, values.receipt)

    def validate(
        self, message: Message, media_type: str | None, model_version: str | None
    ) -> Program[values.Validation]:
        """`POST /v1/messages/$validate`."""
        body, headers = body_of(message, media_type), _version(model_version)
        answer = yield from self.call(Call("POST", f"{MESSAGES}/$validate", body=body, headers=headers))
        return values.Validation(issues_of(answer.body))

    def translate(
        self,
        message: Message,
        to: str,
        version: str | None,
        format_: str | None,
        media_type: str | None,
        model_version: str | None,
    ) -> Program[values.Translation]:
        """`POST /v1/messages/$translate`."""
        query = _given(to=to, version=version, format=format_)
        body, headers = body_of(message, media_type), _version(model_version)
        answer = yield from self.call(Call("POST", f"{MESSAGES}/$translate", query, body, headers))
        return values.read(answer, values.translation)

    def get(self, message_id: str) -> Program[values.MessageStatus]:
        """`GET /v1/messages/{id}`."""
        answer = yield from self.call(Call("GET", f"{MESSAGES}/{quote(message_id, safe='')}"))
        return values.read(answer, values.message_status)

    def list(
        self, status: str | None, message_type: str | None, case: str | None, limit: int
    ) -> Program[None]:
        """`GET /v1/messages`, page after page; emits receipts, newest first."""
        query = _given(status=status, type=message_type, case=case, limit=str(limit))
        cursor: str | None = None
        while True:
            answer = yield from self.call(Call("GET", MESSAGES, {**query, **_given(cursor=cursor)}))
            items, cursor = values.read(answer, values.receipts)
            for item in items:
                yield Emit(item)
            if not cursor:
                return

    def quota(self) -> Program[tuple[values.Limit, ...]]:
        """`GET /v1/quota`."""
        answer = yield from self.call(Call("GET", "/v1/quota"))
        return values.read(answer, values.limits)

    def webhook_keys(self, path: str) -> Program[dict[str, Any]]:
        """A JWK Set of the gateway."""
        answer = yield from self.call(Call("GET", path))
        return values.read(answer, values.jwk_set)

    def acknowledge(
        self, item_id: str, ack: values.Ack, deadline: float | None
    ) -> Program[values.Acknowledgement]:
        """`POST /v1/inbox/{id}/ack`."""
        wish = _given(reference=ack.reference, step=ack.step, refused=ack.refused)
        body = body_of(wish, JSON)
        path = f"{INBOX}/{quote(item_id, safe='')}/ack"
        answer = yield from self.call(Call("POST", path, body=body, deadline=deadline))
        return values.read(answer, values.acknowledgement)


def _version(model_version: str | None) -> dict[str, str]:
    return {"Model-Version": model_version} if model_version else {}


def _given(**facts: values.T | None) -> "dict[str, values.T]":
    return {name: value for name, value in facts.items() if value is not None}
