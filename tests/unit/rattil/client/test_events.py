"""The client's events name the server's fields: a field of another name would always be empty."""

from __future__ import annotations

import msgspec
import pytest

from gateway.dialects.recite import messages as recite
from gateway.dialects.transcriptions import messages as transcriptions
from rattil.client import recitation, transcription

_SERVERS: dict[str, dict[str, type[msgspec.Struct]]] = {
    room: {str(one.__struct_config__.tag): one for one in events.__args__}
    for room, events in (("recite", recite.ServerEvent), ("transcribe", transcriptions.ServerMessage))
}
_CLIENTS: list[tuple[str, type[msgspec.Struct]]] = [
    *(("recite", one) for one in recitation.ServerEvent.__args__),
    *(("transcribe", one) for one in transcription.ServerEvent.__args__),
]


def names(event: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(event)}


@pytest.mark.parametrize(
    ("room", "event"), _CLIENTS, ids=[f"{room}-{one.__name__}" for room, one in _CLIENTS]
)
def test_every_field_of_an_event_is_sent(room: str, event: type[msgspec.Struct]) -> None:
    assert names(event) <= names(_SERVERS[room][str(event.__struct_config__.tag)])


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (recitation.Gap, recite.GapInfo),
        (recitation.WordState, recite.WordEntry),
        (recitation.Latency, recite.LatencyInfo),
        (transcription.Gap, transcriptions.GapInfo),
        (transcription.Word, transcriptions.TranscriptWord),
    ],
)
def test_every_field_within_an_event_is_sent(
    client: type[msgspec.Struct], server: type[msgspec.Struct]
) -> None:
    assert names(client) <= names(server)
