"""What is kept of attempts in vain, so that a message that fails for a day does not have a timeline without end."""

from dataclasses import replace

from gateway.model import Step

RETRY = "retry"  # the step's name
LISTED = 10  # attempts of a message that are listed one by one; of the later ones only the last
FAILING = 5  # attempts in vain after which a message counts as failing again and again


def numbered(retry: Step, number: int) -> Step:
    """The step of a message's attempt in vain, counted from 1. A late one says which it is, and that others are left out."""
    if number <= LISTED:
        return retry
    note = f"attempt {number}; of those before it only the first {LISTED} are listed"
    return replace(retry, detail=f"{retry.detail} ({note})" if retry.detail else note)


def takes_place(number: int) -> bool:
    """Whether the step of this attempt takes the place of the one before it."""
    return number > LISTED + 1
