"""What every conformance resource has in common."""

import re
from typing import Any

from gateway.model import JsonObject
from gateway.translation.tables import BASE

DATE = "2026-11-24"
VERSION = "0.1.0"
PUBLISHER = "Regulation Gateway"
FRANCE = [{"coding": [{"system": "urn:iso:std:iso:3166", "code": "FR"}]}]
FHIR_VERSION = "4.0.1"


def head(kind: str, identifier: str, title: str, description: str, /, **more: Any) -> JsonObject:
    """A canonical resource of the gateway's base up to where kinds differ. Its id is made of letters, digits, - and . ."""
    return {
        "resourceType": kind,
        "id": slug(identifier),
        "url": f"{BASE}/{kind}/{identifier}",
        "version": VERSION,
        "name": name(identifier),
        "title": title,
        "status": "draft",
        "date": DATE,
        "publisher": PUBLISHER,
        "description": description,
        "jurisdiction": FRANCE,
        **more,
    }


def slug(text: str) -> str:
    """A text as a FHIR id."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text)[:64]


def name(text: str) -> str:
    """A text as a computer's name, such as `HubPatientEncounter`."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined if joined[:1].isalpha() else f"Hub{joined}"


def last(url: str) -> str:
    """The part of a URL after its last slash."""
    return url.rstrip("/").rpartition("/")[2]
