"""RS-BPV, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v2.codes import Constante
from regulation_sdk.messages.v2.codes3 import Role, Sexe, TypeIdPatient
from regulation_sdk.typing import NotRequired, Unpack


class Redactor(TypedDict):
    """Professionnel de santé qui réalise le bilan"""
    label: NotRequired[str]  # Label
    role: Role  # Rôle

class ExternalId(TypedDict):
    """Identifiant(s) patient(s)"""
    source: TypeIdPatient  # Source / type d'identifiant
    value: str  # Identifiant

class Patient(TypedDict):
    """Patient"""
    patientId: str  # ID Patient
    birthName: NotRequired[str]  # Nom de naissance
    lastName: str  # Nom usuel
    firstName: str  # Prénom usuel
    birthDate: NotRequired[str]  # Date de naissance
    age: NotRequired[str]  # Age
    sex: NotRequired[Sexe]  # Sexe
    externalId: NotRequired[list[ExternalId]]  # Identifiant(s) patient(s)
    height: NotRequired[int]  # Taille
    weight: NotRequired[int]  # Poids

class Parameter(TypedDict):
    """Paramètres vitaux"""
    type: Constante  # Type de constante
    value: str  # Valeur de la dernière constante prise

class Evaluation(TypedDict):
    """Evaluation / Diagnostic médical"""
    procedure: NotRequired[list[str]]  # Actes réalisés par le SMUR
    mainDiagnosis: NotRequired[str]  # Diagnostic principal SMUR
    associatedDiagnosis: NotRequired[str]  # Diagnostic associé SMUR
    parameter: NotRequired[list[Parameter]]  # Paramètres vitaux
    medicalHistory: NotRequired[str]  # Antécédents
    treatment: NotRequired[str]  # Traitement
    freetext: NotRequired[list[str]]  # Informations complémentaires

class InterventionReport(TypedDict):
    """Bilan patient"""
    caseId: str  # Identifiant partagé du dossier de régulation médicale (DRM)
    reportId: str  # Identifiant du bilan
    redactor: Redactor  # Professionnel de santé qui réalise le bilan
    creation: str  # Date et heure de l'envoi du bilan
    patient: Patient  # Patient
    evaluation: NotRequired[Evaluation]  # Evaluation / Diagnostic médical

def message(use_case: InterventionReport, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-BPV in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("interventionReport", use_case, sender=sender, recipient=recipient, **options)
