"""EMSI, model v3."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v3.codes import CONTACTSTYPE, ContextMODE, ContextSECLASS, ContextURGENCY, EMSICONTEXTLEVEL, EMSICONTEXTLINKROLE, EMSICONTEXTMSGTYPE, EMSIEVENTCAUSE, EMSIEVENTEGEOTYPE, EMSIEVENTEGEOWEATHER, EMSIEVENTETYPEACTOR, EMSIEVENTETYPECATEGORY, EMSIEVENTETYPEENV, EMSIEVENTSCALE, EMSIEVENTSOURCE, EMSIEVENTSTATUS, EMSIMISSIONTYPE
from regulation_sdk.messages.v3.codes2 import EMSIRESOURCERTYPECLASS, EMSIRESOURCESTATUS, EMSIRESOURCEUM, EXTERNALINFOTYPE, EventRISKASSESMENT, MissionPRIORITY, MissionSTATUS
from regulation_sdk.messages.v3.codes3 import RGEOTYPE
from regulation_sdk.typing import NotRequired, Unpack


class LINK(TypedDict):
    """Lien"""
    ID: str  # ID
    LINK_ROLE: NotRequired[EMSICONTEXTLINKROLE]  # Rôle du lien

class ORIGIN(TypedDict):
    """Origine"""
    ORG_ID: NotRequired[str]  # Origine ID
    USER_ID: NotRequired[str]  # ID d'utilisateur de l'origine
    NAME: NotRequired[str]  # Nom Origine

class EXTERNALINFO(TypedDict):
    """Informations exterieures"""
    FREETEXT: NotRequired[str]  # Texte libre
    URI: str  # URI informations extérieures
    TYPE: NotRequired[EXTERNALINFOTYPE]  # Type

class Context(TypedDict):
    """Contexte"""
    ID: str  # Identifiant du message
    MODE: ContextMODE  # Mode
    MSGTYPE: EMSICONTEXTMSGTYPE  # Type de message
    CREATION: NotRequired[str]  # Date et heure de création
    LINK: NotRequired[list[LINK]]  # Lien
    LEVEL: NotRequired[EMSICONTEXTLEVEL]  # Niveau
    SECLASS: NotRequired[ContextSECLASS]  # Niveau de classification
    FREETEXT: NotRequired[str]  # Texte libre
    ORIGIN: NotRequired[ORIGIN]  # Origine
    EXTERNAL_INFO: NotRequired[list[EXTERNALINFO]]  # Informations exterieures
    URGENCY: NotRequired[ContextURGENCY]  # Niveau d'urgence de l'événement

class ETYPE(TypedDict):
    """Type de l'événement"""
    CATEGORY: list[EMSIEVENTETYPECATEGORY]  # Catégorie d'événement
    ACTOR: list[EMSIEVENTETYPEACTOR]  # Acteurs
    LOCTYPE: list[str]  # Type de localisation
    ENV: NotRequired[EMSIEVENTETYPEENV]  # Environnement

class REFERENCE(TypedDict):
    """Lien vers d'autres objets événements EMSI"""
    ORG_ID: str  # ID de l'organisation
    OTHER_EVENT_ID: list[str]  # ID des autres event

class CASUALTIES(TypedDict):
    """Victimes"""
    CONTEXT: str  # Contexte
    DATIME: NotRequired[str]  # Timestamp du contexte
    DECONT: NotRequired[int]  # Décontamination
    TRIAGERED: NotRequired[int]  # Triage Rouge
    TRIAGEYELLOW: NotRequired[int]  # Triage Jaune
    TRIAGEGREEN: NotRequired[int]  # Triage Vert
    TRIAGEBLACK: NotRequired[int]  # Triage Noir
    MISSING: NotRequired[int]  # Disparus

class EVAC(TypedDict):
    """Evacués"""
    DATIME: NotRequired[str]  # timestamp
    DISPLACED: NotRequired[int]  # déplacés
    EVACUATED: NotRequired[int]  # évacués

class COORD(TypedDict):
    """Coordonnées"""
    LAT: float  # Latitude
    LONG: float  # Longitude
    HEIGHT: NotRequired[float]  # Altitude

class Position(TypedDict):
    """Position de l'opération"""
    LOC_ID: NotRequired[str]  # ID position
    NAME: NotRequired[str]  # Nom de position
    TYPE: NotRequired[str]  # Type
    HEIGHT_ROLE: NotRequired[str]  # Indication sur l'utilisation de la balise altitude
    COORDSYS: NotRequired[str]  # Système de coordonnées
    COORD: NotRequired[list[COORD]]  # Coordonnées
    ADDRESS: NotRequired[list[str]]  # Adresse

class EGEO(TypedDict):
    """Localisation de l'événement"""
    DATIME: NotRequired[str]  # Date des dernières remontées de localisation
    TYPE: NotRequired[EMSIEVENTEGEOTYPE]  # Type de localisation
    WEATHER: NotRequired[list[EMSIEVENTEGEOWEATHER]]  # Condition météo
    FREETEXT: NotRequired[str]  # Description de l'événement
    POSITION: NotRequired[Position]  # Position de l'opération

class Event(TypedDict):
    """Evenement"""
    ID: str  # Identifiant local de l'affaire
    NAME: NotRequired[str]  # Nom donné à l'événement
    MAIN_EVENT_ID: NotRequired[str]  # Identifiant de l'affaire partagé
    ETYPE: NotRequired[ETYPE]  # Type de l'événement
    SOURCE: NotRequired[EMSIEVENTSOURCE]  # Source
    SCALE: NotRequired[EMSIEVENTSCALE]  # Echelle de sévérité de l'environnement
    CERTAINTY: NotRequired[int]  # Fiabilité
    DECL_DATIME: NotRequired[str]  # Date de déclaration de l'event
    OCC_DATIME: NotRequired[str]  # Décrit la date et le lieu de l'événement
    OBS_DATIME: NotRequired[str]  # Date à laquelle l'observation la plus récente a été réalisée
    STATUS: NotRequired[EMSIEVENTSTATUS]  # Status
    RISK_ASSESMENT: NotRequired[EventRISKASSESMENT]  # Prédiction sur le risque d'évolution de l'event
    REFERENCE: NotRequired[list[REFERENCE]]  # Lien vers d'autres objets événements EMSI
    CASUALTIES: NotRequired[list[CASUALTIES]]  # Victimes
    EVAC: NotRequired[list[EVAC]]  # Evacués
    EGEO: NotRequired[list[EGEO]]  # Localisation de l'événement
    CAUSE: NotRequired[EMSIEVENTCAUSE]  # Cause
    FREETEXT: NotRequired[str]  # Texte libre

class Mission(TypedDict):
    """Missions"""
    TYPE: EMSIMISSIONTYPE  # Type
    FREETEXT: NotRequired[str]  # Texte libre
    ID: str  # Identifiant de la mission
    ORG_ID: NotRequired[str]  # Identifiant de l'organisation propriétaire
    NAME: str  # Nom de la mission
    STATUS: MissionSTATUS  # Status de la mission
    START_TIME: NotRequired[str]  # Début de la mission
    END_TIME: NotRequired[str]  # Fin de la mission
    RESOURCE_ID: NotRequired[list[str]]  # Ressource engagée
    PARENT_MISSION_ID: NotRequired[list[str]]  # Missions parentes
    CHILD_MISSION_ID: NotRequired[list[str]]  # Missions filles
    MAIN_MISSION_ID: NotRequired[str]  # Mission principale
    POSITION: NotRequired[Position]  # Position de l'opération
    PRIORITY: NotRequired[MissionPRIORITY]  # Priorité de la mission

class RTYPE(TypedDict):
    """Type de la ressource"""
    RCLASS: list[EMSIRESOURCERTYPECLASS]  # Classes de la ressource
    CAPABILITY: NotRequired[list[str]]  # Capacités de la ressource
    CHARACTERISTICS: NotRequired[list[str]]  # Caractéristiques de la ressource

class RGEO(TypedDict):
    """Localisation de la ressource"""
    DATIME: NotRequired[str]  # Horaire de la localisation
    TYPE: RGEOTYPE  # Type de localisation
    FREETEXT: NotRequired[str]  # Texte libre
    ID: NotRequired[str]  # ID localisation
    POSITION: NotRequired[list[Position]]  # Position de l'opération

class CONTACTS(TypedDict):
    """Contacts"""
    TYPE: CONTACTSTYPE  # Type de contact
    DETAIL: str  # Détails de contact

class Resource(TypedDict):
    """Ressource"""
    RTYPE: RTYPE  # Type de la ressource
    ID: str  # ID de la ressource
    ORG_ID: NotRequired[str]  # Identifiant de l'organisation propriétaire
    NAME: str  # Nom de la ressource
    FREETEXT: NotRequired[str]  # Description de la ressource
    RGEO: NotRequired[list[RGEO]]  # Localisation de la ressource
    QUANTITY: NotRequired[float]  # Quantité de la ressource
    UM: NotRequired[EMSIRESOURCEUM]  # Unité de mesure pour la ressource
    STATUS: EMSIRESOURCESTATUS  # Statut de la ressource
    NATIONALITY: NotRequired[str]  # Nationalité de la ressource
    CONTACTS: NotRequired[list[CONTACTS]]  # Contacts

class Emsi(TypedDict):
    """Message opérationnel EMSI"""
    CONTEXT: Context  # Contexte
    EVENT: Event  # Evenement
    MISSION: NotRequired[list[Mission]]  # Missions
    RESOURCE: NotRequired[list[Resource]]  # Ressource

def message(use_case: Emsi, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The EMSI in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("emsi", use_case, sender=sender, recipient=recipient, **options)
