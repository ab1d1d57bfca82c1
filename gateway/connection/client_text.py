"""What clients are told in words, whatever dialect and transport carry it: nothing about our own machines."""

from __future__ import annotations

from dataclasses import replace

from gateway.session.events import Event, FinishFailed, SegmentFailed, Trouble
from shared.redaction import without_addresses

_WITH_SENTENCES = (Trouble, SegmentFailed, FinishFailed)


def for_client(event: Event) -> Event:
    """The event without an address of another service or a credential in its sentence."""
    if not isinstance(event, _WITH_SENTENCES):
        return event
    told = without_addresses(event.message)
    return event if told == event.message else replace(event, message=told)
