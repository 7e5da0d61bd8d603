"""GEO-REQ, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.typing import Unpack


class GeoResourcesRequest(TypedDict):
    """Demande de détails sur des ressources"""
    resourceId: list[str]  # Identifiant(s) de la ressource(s) partagé(s)

def message(use_case: GeoResourcesRequest, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The GEO-REQ in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("geoResourcesRequest", use_case, sender=sender, recipient=recipient, **options)
