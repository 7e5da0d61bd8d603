"""When to ask again: a pure state machine over outcomes.

Every call of this library may be repeated: messages are told apart by distributionID, acknowledging twice is the same as
once, and the rest reads. So what the network lost is asked again with the same bytes until the deadline.
"""

import json
from dataclasses import dataclass, replace

from regulation_sdk.effects import Answer, Lost
from regulation_sdk.errors import AuthenticationError, GatewayError, Unreachable, error_of
from regulation_sdk.limits import retry_after

TRANSIENT = frozenset({408, 425, 429})  # and every 5xx


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient a call is. Seconds.

    `deadline` bounds a whole call with all its attempts and waits; `timeout` one attempt. Between attempts it waits
    `first`, doubled each time up to `most`, of which a random half is taken off, or what the gateway's Retry-After says.
    """

    deadline: float = 60.0
    timeout: float = 20.0
    first: float = 0.25
    most: float = 15.0

    def backoff(self, failures: int, random: float) -> float:
        """Seconds to wait after so many failures (1 or more); `random` from 0 to below 1."""
        full: float = min(self.most, self.first * 2.0 ** min(failures - 1, 30))
        return full * (1.0 - random / 2.0)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where a call stands. `ends` is its deadline on the caller's clock; `refused` is the token that 401 was the answer to;
    `unsure`: the last attempt may have arrived.
    """

    ends: float
    failures: int = 0
    refused: str = ""
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """Ask again after so many seconds."""

    seconds: float
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Moment:
    """When an outcome came: seconds of the caller's clock, POSIX seconds, and a random number from 0 to below 1."""

    now: float
    wall: float
    random: float


def judge(
    policy: RetryPolicy, attempt: Attempt, outcome: Answer | Lost, token: str, request_id: str, moment: Moment
) -> Answer | Again | GatewayError:
    """What follows from an outcome: the answer is good, ask again, or give up with this error."""
    if isinstance(outcome, Answer) and outcome.status < 300:
        return outcome
    error = _error(outcome, request_id, moment)
    if isinstance(outcome, Answer) and outcome.status == 401 and token:
        if attempt.refused:
            return error
        return Again(0.0, replace(attempt, refused=token, unsure=False))
    if not _may_fare_better(outcome, error.retry):
        return error
    failures = attempt.failures + 1
    wait = policy.backoff(failures, moment.random)
    if error.retry_after is not None:  # not all at the very end of it
        wait = error.retry_after + moment.random * policy.first
    if moment.now + wait >= attempt.ends:
        return error
    unsure = attempt.unsure or (isinstance(outcome, Lost) and outcome.sent)
    return Again(wait, Attempt(attempt.ends, failures, "", unsure))


def is_transient(outcome: Answer | Lost) -> bool:
    """Whether the same request may fare better later."""
    if isinstance(outcome, Lost):
        return not outcome.hopeless
    return outcome.status in TRANSIENT or outcome.status >= 500


def _may_fare_better(outcome: Answer | Lost, retry: str) -> bool:
    # the gateway's own word first; an answer without one is some proxy's
    if retry in ("never", "new-id") and isinstance(outcome, Answer):
        return False
    return retry == "after" or is_transient(outcome)


def token_error(outcome: Answer, request_id: str) -> AuthenticationError:
    """The error for a refusal by the token endpoint (RFC 6749, section 5.2)."""
    return AuthenticationError(
        f"the token endpoint answered {outcome.status}{_oauth_error(outcome.body)}",
        status=outcome.status,
        request_id=request_id,
        retry="never",
    )


def _oauth_error(body: bytes) -> str:
    try:
        told = json.loads(body)
        return f": {told['error']}: {told.get('error_description', '')}".rstrip(": ")
    except (ValueError, TypeError, KeyError):
        return ""


def _error(outcome: Answer | Lost, request_id: str, moment: Moment) -> GatewayError:
    if isinstance(outcome, Lost):
        return Unreachable(f"no answer: {outcome.reason}", request_id=request_id, retry="same-id")
    said = outcome.headers.get("X-Request-Id", request_id)
    return error_of(outcome.status, outcome.body, said, retry_after(outcome.headers, moment.wall))
