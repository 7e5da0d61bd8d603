"""RS-SAS-RDV, model v3."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v3.codes import AppointmentMethod, AppointmentOrientationCategory, AppointmentStatus
from regulation_sdk.typing import NotRequired, Unpack


class Practitioner(TypedDict):
    """Professionnel de santé"""
    rppsId: str  # Identifiant RPPS
    lastName: str  # Nom du PS
    firstName: str  # Prénom du PS
    specialityCode: NotRequired[str]  # Spécialité
    specialityUrl: NotRequired[str]  # Terminologie spécialité
    professionCode: NotRequired[str]  # Profession
    professionUrl: NotRequired[str]  # Terminologie profession

class Organization(TypedDict):
    """Structure"""
    organizationId: str  # Identifiant national de la structure
    name: str  # Nom de la structure

class Regulator(TypedDict):
    """Régulateur"""
    regulatorId: NotRequired[str]  # Identifiant régulateur
    regulatorName: str  # Nom du régulateur
    regulatorFirstname: str  # Prénom du régulateur
    regulatorEmail: str  # Email du régulateur

class Appointment(TypedDict):
    """Rendez-vous SAS"""
    appointmentId: str  # Identifiant du rendez-vous
    method: AppointmentMethod  # Méthode
    created: str  # Date et heure de la prise de rendez-vous
    start: str  # Date et heure de début du rendez-vous
    end: NotRequired[str]  # Date et heure de fin du rendez-vous
    status: AppointmentStatus  # Statut du rendez-vous
    orientationCategory: NotRequired[AppointmentOrientationCategory]  # Catégorie d'orientation
    practitioner: NotRequired[Practitioner]  # Professionnel de santé
    organization: NotRequired[Organization]  # Structure
    regulator: Regulator  # Régulateur

def message(use_case: Appointment, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-SAS-RDV in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("appointment", use_case, sender=sender, recipient=recipient, **options)
