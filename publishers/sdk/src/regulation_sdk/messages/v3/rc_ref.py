"""RC-REF, model v3."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v3.codes2 import Etape
from regulation_sdk.typing import NotRequired, Unpack


class Reference(TypedDict):
    """Message de référence"""
    distributionID: str  # Identifiant du message référencé
    refused: NotRequired[bool]  # Indicateur de refus de message
    errorDistributionID: NotRequired[str]  # Identifiant du message d'erreur lié
    step: NotRequired[Etape]  # Etape d'intégration du message

def message(use_case: Reference, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RC-REF in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    wishes: Options = {"kind": "Ack", **options}
    return envelope("reference", use_case, sender=sender, recipient=recipient, **wishes)
