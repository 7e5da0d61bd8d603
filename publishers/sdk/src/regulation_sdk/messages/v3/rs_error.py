"""RS-ERROR, model v3."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import Any, TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.typing import NotRequired, Unpack


class ErrorCode(TypedDict):
    """Erreur"""
    statusCode: float  # Code d'erreur
    statusString: str  # Titre d'erreur

class Error(TypedDict):
    """Rapport d’erreur"""
    errorCode: ErrorCode  # Erreur
    errorCause: str  # Cause d'erreur
    sourceMessage: NotRequired[dict[str, Any]]  # Message source
    referencedDistributionID: str  # DistributionID referencé

def message(use_case: Error, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-ERROR in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    wishes: Options = {"kind": "Error", **options}
    return envelope("error", use_case, sender=sender, recipient=recipient, header=False, **wishes)
