"""What may be played on a message: one record a scenario. Everything else reads this table.

A message plays a scenario when it is sent to the scenario's own recipient, or with the header `Sandbox-Scenario: NAME`
to anybody. RC-REF and RS-ERROR sent to such a recipient play nothing: an answer is never answered.
"""

from dataclasses import dataclass, field

from publishers.sandbox.core.faults import Fault

HEADER = "Sandbox-Scenario"
RECIPIENTS = "fr.health.sandbox"  # what begins the ids that only a sandbox has
GUESTS = f"{RECIPIENTS}.guest"  # followed by a number: the ids of publishers that registered themselves
NARROW = 2  # messages a second that `quota` leaves
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Peer:
    """How the recipient's software behaves. `after` is in seconds of the sandbox's clock.

    It acknowledges by RC-REF with `refused` and `step`; with `error`, a Hub Santé number and name, it sends RS-ERROR instead;
    with `answers` it sends besides what its answer to the message is, where it has one.
    """

    step: str = "INTEGRE"
    refused: bool = False
    error: tuple[int, str] | None = None
    answers: bool = False
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class CoreScript:
    """How the core behaves towards one message: the first attempts fail as `faults` say, or as `drawn` ones drawn from the
    seed; all of them with `never`. What it took it delivers `copies` times, or, with `lost`, holds until it expires.
    """

    faults: tuple[Fault, ...] = ()
    drawn: int = 0
    never: bool = False
    copies: int = 1
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. `happens` says what the sender sees. `versions` is the recipient's model version, "" = v3.

    `before` names what is done to the sandbox before the message is looked at; see `Sandbox.prepare`. By header alone where
    `has_recipient` is False, by recipient alone where `has_header` is.
    """

    name: str
    label: str
    happens: str
    peer: Peer | None = None
    core: CoreScript = field(default_factory=CoreScript)
    before: str = ""
    version: str = "v3"
    has_recipient: bool = True
    has_header: bool = True

    @property
    def recipient(self) -> str:
        """The id that plays it, "" where there is none."""
        return f"{RECIPIENTS}.{self.name}" if self.has_recipient else ""

    @property
    def header(self) -> str:
        """The header line that plays it, "" where there is none."""
        return f"{HEADER}: {self.name}" if self.has_header else ""


ACCEPTS = Peer()
SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "accepts",
        "A peer that takes everything",
        "The message is forwarded and delivered; an RC-REF with step INTEGRE comes back.",
        ACCEPTS,
    ),
    Scenario(
        "answers",
        "A peer that answers",
        "An RC-REF and the answer come back: RS-RR to RS-DR, RS-RI to RS-EDA and RS-EDA-MAJ, GEO-POS to GEO-REQ.",
        Peer(answers=True),
    ),
    Scenario(
        "refuses",
        "A peer that refuses",
        "An RC-REF with refused true and step ERREUR comes back; the message is refused, not acknowledged.",
        Peer("ERREUR", refused=True),
    ),
    Scenario(
        "fails",
        "A peer whose software cannot use it",
        "An RS-ERROR 704 (INSUFFICIENT_DATA) comes back from the peer, and no RC-REF; the message is refused.",
        Peer(error=(704, "INSUFFICIENT_DATA")),
    ),
    Scenario(
        "slow",
        "A peer that is slow",
        "It answers as `answers` does, 60 seconds later by the sandbox's clock.",
        Peer(answers=True, after=60.0),
    ),
    Scenario(
        "silent",
        "A peer that never answers",
        "The message is forwarded and delivered. Nothing comes back until dateTimeExpires is past: then the message has the status "
        "expired, and an RS-ERROR 500 (DEAD_LETTER_QUEUED) comes back.",
    ),
    Scenario(
        "expires",
        "Expiry on the way",
        "The core takes the message and loses it; once dateTimeExpires is past, an RS-ERROR 500 (DEAD_LETTER_QUEUED) comes back.",
        core=CoreScript(lost=True),
    ),
    Scenario(
        "unreachable",
        "The core is never reached",
        "Each attempt gets 503; once dateTimeExpires is past, the message has the status expired, and an RS-ERROR comes back.",
        core=CoreScript(never=True),
    ),
    Scenario(
        "duplicate",
        "Duplicate delivery",
        "The core takes the message, drops its answer, gets it again, and delivers it three times. The inbox shows it once, "
        "and one RC-REF comes back.",
        ACCEPTS,
        CoreScript(faults=(Fault(None, 1, drop_answer=True),), copies=3),
    ),
    Scenario(
        "outage",
        "The core is out for a while",
        "The first two attempts get 503 and the answer to the third is dropped; then the core takes it, and an RC-REF comes back.",
        ACCEPTS,
        CoreScript(faults=(Fault(503, 1), Fault(503, 1), Fault(None, 1, drop_answer=True))),
    ),
    Scenario(
        "flaky",
        "The core fails now and then",
        "One to four attempts fail in ways drawn from the sandbox's seed and the distributionID (500, 503, 429, a dropped answer); "
        "then an RC-REF comes back.",
        ACCEPTS,
        CoreScript(drawn=4),
    ),
    Scenario(
        "version-v2",
        "A recipient in model v2",
        "What v2 can say is delivered in it, and an RC-REF comes back; for anything else an RS-ERROR 600 (MESSAGE_CONVERSION_ERROR).",
        ACCEPTS,
        version="v2",
        has_header=False,
    ),
    Scenario(
        "version-v1",
        "A recipient in model v1",
        "As `version-v2`, in v1.",
        ACCEPTS,
        version="v1",
        has_header=False,
    ),
    Scenario(
        "quota",
        "Quota exhaustion",
        f"While messages carry the header, their publisher has {NARROW} a second and a small reserve for P0 and P1: beyond, 429 with "
        "Retry-After. The publisher's first message without it widens the quota again.",
        before="narrow",
        has_recipient=False,
    ),
    Scenario(
        "gateway-key-rotation",
        "The gateway's signing key rotates",
        "The gateway restarts on a new signing key with the old one beside it: tokens in hand stay good, new ones have the new `kid`, "
        "and /oauth2/jwks shows both.",
        before="rotate-gateway",
        has_recipient=False,
    ),
    Scenario(
        "client-key-rotation",
        "The publisher's own key is replaced",
        "The sender's registered public key is replaced by one whose private part `sandbox.json` now has: assertions by the old key get "
        "invalid_client, tokens in hand stay good.",
        before="rotate-client",
        has_recipient=False,
    ),
    Scenario(
        "clock-ahead",
        "The gateway's clock is ahead",
        "The sandbox's clock goes one hour ahead of the real one before the message is looked at: tokens in hand have expired (401).",
        before="clock-ahead",
        has_recipient=False,
    ),
    Scenario(
        "clock-behind",
        "The gateway's clock is behind",
        "The sandbox's clock goes one hour behind the real one before the message is looked at: tokens in hand come from the future (401).",
        before="clock-behind",
        has_recipient=False,
    ),
)
BY_NAME = {one.name: one for one in SCENARIOS}
BY_RECIPIENT = {one.recipient: one for one in SCENARIOS if one.recipient}
