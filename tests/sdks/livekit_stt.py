"""One recording through LiveKit's plugins for OpenAI and Deepgram. Prints what was heard, as JSON.

python livekit_stt.py GATEWAY WAV LANGUAGE MODEL_OF_OPENAI MODEL_OF_DEEPGRAM [MODEL_WITHOUT_TURNS]
"""

from __future__ import annotations

import asyncio
import json
import sys
import wave
from collections.abc import Iterator
from typing import Any

from livekit import rtc
from livekit.agents import APIConnectOptions, stt, utils, vad
from livekit.plugins import deepgram, openai

ONCE = APIConnectOptions(max_retry=0, timeout=60)
"""A refusal is to be seen, and not to be tried away."""
ONE_TURN = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 3000}
"""Longer than any pause in the recordings: the text of the first turn is the text of all."""
SILENCE_S = 4


class AtTheEnd(vad.VAD):  # type: ignore[misc]  # its types are Any where it is checked
    """An agent's voice detector, for models that know no turns: everything is one turn."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.1))

    def stream(self) -> vad.VADStream:
        return _TurnAtTheEnd(self)


class _TurnAtTheEnd(vad.VADStream):  # type: ignore[misc]
    async def _main_task(self) -> None:
        async for _ in self._input_ch:
            pass
        self._event_ch.send_nowait(vad.VADEvent(vad.VADEventType.END_OF_SPEECH, 0, 0.0, 0.0, 0.0))


def frames(path: str, silence_s: int = 0) -> Iterator[rtc.AudioFrame]:
    """As a room gives them: 10 ms each. After the last word nobody speaks for so long."""
    with wave.open(path) as file:
        rate = file.getframerate()
        pcm = file.readframes(file.getnframes()) + bytes(2 * rate * silence_s)
    samples = rate // 100
    for start in range(0, len(pcm), 2 * samples):
        piece = pcm[start : start + 2 * samples]
        yield rtc.AudioFrame(piece, rate, 1, len(piece) // 2)


async def recognised(listener: Any, path: str) -> str:
    event = await listener.recognize(list(frames(path)), conn_options=ONCE)
    return str(event.alternatives[0].text)


async def events_of(listener: Any, path: str, last: stt.SpeechEventType | None = None) -> list[Any]:
    """What a stream tells, to the end of it, or to the first event of this type."""
    events = []
    async with listener.stream(conn_options=ONCE) as stream:
        for frame in frames(path, SILENCE_S):
            stream.push_frame(frame)
        stream.end_input()
        async for event in stream:
            events.append(event)
            if event.type is last:
                break
    return events


def told(events: list[Any]) -> dict[str, Any]:
    finals = [event for event in events if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT]
    words = [word for event in finals for word in event.alternatives[0].words or []]
    return {
        "text": " ".join(event.alternatives[0].text for event in finals),
        "types": sorted({event.type.value for event in events}),
        "times": [[word.start_time, word.end_time] for word in words],
    }


async def main(
    gateway: str, path: str, language: str, model: str, deepgram_model: str, without_turns: str = ""
) -> None:
    asked: dict[str, Any] = {
        "base_url": f"{gateway}/v1",
        "api_key": "none",
        "model": model,
        "language": language,
    }
    plain, live = openai.STT(**asked), openai.STT(**asked, use_realtime=True, turn_detection=ONE_TURN)
    listen = deepgram.STT(
        base_url=f"{gateway}/v1/listen", api_key="none", model=deepgram_model, language=language
    )
    async with utils.http_context.open():
        heard = {
            "openaiRecognize": {"text": await recognised(plain, path)},
            # Its stream does not end by itself; what was used is told after the text of a turn.
            "openaiStream": told(await events_of(live, path, stt.SpeechEventType.RECOGNITION_USAGE)),
            "deepgramRecognize": {"text": await recognised(listen, path)},
            "deepgramStream": told(await events_of(listen, path)),
        }
        if without_turns:
            asked["model"] = without_turns
            committing = openai.STT(**asked, use_realtime=True, vad=AtTheEnd())
            events = await events_of(committing, path, stt.SpeechEventType.RECOGNITION_USAGE)
            heard["openaiCommits"] = told(events)
    print(json.dumps(heard))


asyncio.run(main(*sys.argv[1:]))
