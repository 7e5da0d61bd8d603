"""RS-INFO, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.typing import Unpack


class Info(TypedDict):
    """Message d'information"""
    info: str  # Information

def message(use_case: Info, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-INFO in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("info", use_case, sender=sender, recipient=recipient, header=False, **options)
