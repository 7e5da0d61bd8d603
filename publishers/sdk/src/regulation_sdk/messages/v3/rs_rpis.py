"""RS-RPIS, model v3."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v3.codes2 import ISO3166
from regulation_sdk.messages.v3.codes3 import Sexe, TypePEC, TypeRessource, TypeVecteur
from regulation_sdk.typing import NotRequired, Unpack


class Context(TypedDict):
    """Evènement"""
    orgId: str  # Identifiant de l'organisation du SAMU qui engage le SMUR
    senderCaseId: str  # Identifiant local du dossier de régulation médicale (DRM)
    creationDate: str  # Date et heure de création du dossier de régulation
    decisionDate: str  # Date et heure de la décision d’engagement du SMUR
    ressourceFinessLegal: str  # FINESS juridique
    ressourceFinessGeo: str  # FINESS géographique
    ressourceStructure: str  # Type de structure SMUR

class WhatsHappen(TypedDict):
    """Circonstances ayant données lieu à l’appel"""
    code: str  # Code
    label: str  # Libellé

class HealthMotive(TypedDict):
    """Motif de recours"""
    code: str  # Code
    label: str  # Libellé

class Regulation(TypedDict):
    """Régulation médicale"""
    whatsHappen: WhatsHappen  # Circonstances ayant données lieu à l’appel
    healthMotive: HealthMotive  # Motif de recours
    medicalLevel: TypePEC  # Niveau de médicalisation initial

class ResidentialAddress(TypedDict):
    """Adresse de résidence"""
    inseeCode: str  # Code INSEE de la commune de résidence
    city: str  # Nom de la commune

class Patient(TypedDict):
    """Patient"""
    patientId: str  # ID Patient
    birthDate: str  # Date de naissance
    sex: Sexe  # Sexe
    residentialAddress: NotRequired[ResidentialAddress]  # Adresse de résidence

class DetailedAddress(TypedDict):
    """Adresse de l'intervention"""
    inseeCode: str  # Code INSEE de la commune
    city: str  # Nom de la commune

class Location(TypedDict):
    """Lieu d'intervention"""
    type: NotRequired[str]  # Type de lieu d’intervention
    finessGeo: NotRequired[str]  # FINESS géographique de l’établissement
    service: NotRequired[str]  # Unité fonctionnelle
    detailedAddress: DetailedAddress  # Adresse de l'intervention

class Team(TypedDict):
    """Composition de l'équipage"""
    doctor: bool  # Médecin
    nurse: bool  # Infirmier
    driver: bool  # Ambulancier/Pilote

class ResourceStatus(TypedDict):
    """Statuts des horaires du SMUR"""
    departSmur: str  # Date et heure du départ de la base SMUR
    arrivedSmur: NotRequired[str]  # Date et heure de l’arrivée sur les lieux de l’intervention
    departLocation: NotRequired[str]  # Date et heure du départ des lieux de l’intervention
    arrivedDestination: NotRequired[str]  # Date et heure d’arrivée à destination
    teamAvailable: str  # Date et heure de disponibilité de l’équipe
    returnSmur: str  # Date et heure de retour à la base SMUR

class Intervention(TypedDict):
    """Intervention"""
    location: Location  # Lieu d'intervention
    team: Team  # Composition de l'équipage
    smurStatus: NotRequired[ResourceStatus]  # Statuts des horaires du SMUR
    procedure: NotRequired[list[str]]  # Actes réalisés par le SMUR
    mainDiagnosis: str  # Diagnostic principal SMUR
    associatedDiagnosis: NotRequired[str]  # Diagnostic associé SMUR

class Destination(TypedDict):
    """Destination"""
    destinationCountry: ISO3166  # Pays de destination
    destinationCategory: str  # Catégorie de l'établissement de destination
    healthcareType: str  # Type d'activité de soins de l'unité fonctionnelle de destination
    finess: str  # FINESS géographique

class Decision(TypedDict):
    """Transport"""
    resourceType: TypeRessource  # Moyen de transport
    vehicleType: TypeVecteur  # Type de vecteur de transport
    medicalLevel: TypePEC  # Niveau de médicalisation du transport

class Orientation(TypedDict):
    """Décision d'orientation"""
    type: str  # Type de devenir du patient
    destination: NotRequired[Destination]  # Destination
    decision: NotRequired[Decision]  # Transport

class Rpis(TypedDict):
    """Résumé de passage et intervention SMUR"""
    context: Context  # Evènement
    regulation: Regulation  # Régulation médicale
    patient: Patient  # Patient
    intervention: Intervention  # Intervention
    orientation: Orientation  # Décision d'orientation

def message(use_case: Rpis, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-RPIS in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("rpis", use_case, sender=sender, recipient=recipient, **options)
