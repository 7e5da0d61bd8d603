"""What the worker processes do: everything that is heavy with a large body, imported and compiled before the first one comes."""

from gateway import deliver, forward, judging, translate, translation
from gateway.validation import structure

WORK = (judging.judged, translate.answered, forward.to_bundle, deliver.deliveries_of)
FIRST = ("RS-EDA", "v3")  # what most large messages are; the others are compiled when they come


def warm() -> None:
    """Compile the tables and schemas of the most frequent type."""
    structure.whole_document(*FIRST)
    translation.translator(*FIRST)
