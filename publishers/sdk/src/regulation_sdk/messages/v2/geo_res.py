"""GEO-RES, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v2.codes import ContactsType
from regulation_sdk.messages.v2.codes3 import ResourceCapacity, ResourceMobility, ResourceNature, ResourceResourceType
from regulation_sdk.typing import NotRequired, Unpack


class Contacts(TypedDict):
    """Contacts"""
    type: NotRequired[ContactsType]  # Type de contact
    details: NotRequired[str]  # Détails de contact

class Resource(TypedDict):
    """Ressource"""
    resourceId: str  # Identifiant de la ressource partagé
    orgId: str  # Identifiant de l'organisation propriétaire
    name: NotRequired[str]  # Nom de la ressource
    resourceType: ResourceResourceType  # Type de ressource
    nature: NotRequired[ResourceNature]  # Nature de la ressource
    mobility: NotRequired[ResourceMobility]  # Mobilité de la ressource
    capacity: NotRequired[ResourceCapacity]  # Capacités de la ressource
    contacts: NotRequired[list[Contacts]]  # Contacts

class GeoResourcesDetails(TypedDict):
    """Détails de ressources géolocalisées"""
    resource: NotRequired[list[Resource]]  # Ressource

def message(use_case: GeoResourcesDetails, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The GEO-RES in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("geoResourcesDetails", use_case, sender=sender, recipient=recipient, **options)
