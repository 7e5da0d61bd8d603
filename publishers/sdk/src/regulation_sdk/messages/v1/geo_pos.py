"""GEO-POS, model v1."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v1.codes2 import EngagedStatus
from regulation_sdk.messages.v1.codes3 import PositionMove, PositionStatus
from regulation_sdk.typing import NotRequired, Unpack


class Coord(TypedDict):
    """Coordonnées"""
    lat: float  # Latitude
    lon: float  # Longitude
    height: NotRequired[float]  # Altitude

class Position(TypedDict):
    """Position"""
    id: str  # Identifiant de la ressource
    datetime: str  # Date et heure des dernières remontées d'informations de la ressource
    receptionDatetime: NotRequired[str]  # Date et heure de la réception de la dernière localisation
    coord: NotRequired[list[Coord]]  # Coordonnées
    speed: NotRequired[float]  # Vitesse de la ressource
    cap: NotRequired[str]  # Direction de la ressource
    move: NotRequired[PositionMove]  # Mouvement de la ressource
    engineOn: NotRequired[bool]  # Etat du moteur de la ressource
    groundStatus: NotRequired[bool]  # Etat de l'hélicoptère
    status: NotRequired[PositionStatus]  # Statut de la ressource
    engagedStatus: NotRequired[EngagedStatus]  # Statut de la ressource engagée

class GeoPositionsUpdate(TypedDict):
    """Positions de ressources"""
    position: NotRequired[list[Position]]  # Position

def message(use_case: GeoPositionsUpdate, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The GEO-POS in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("geoPositionsUpdate", use_case, sender=sender, recipient=recipient, **options)
