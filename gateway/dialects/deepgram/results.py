"""From utterances to Deepgram's results: what is final, where a pause is, what answers `Finalize`. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from gateway.dialects.deepgram import messages
from gateway.dialects.deepgram.parameters import ListenOptions
from gateway.dialects.deepgram.words import confidence_of, words_of
from gateway.interpreters.transcription.interpreter import UtteranceHeard
from shared.transcription.utterances import Utterance


class _Times(NamedTuple):
    start: float
    end: float


class Transcriber:
    """One stream. Times are in seconds of the session.

    A final result waits while a `Finalize` is not done yet: only then is it known whether it is the last one
    before it, which says `from_finalize`.
    """

    def __init__(self, options: ListenOptions, request_id: str, channel: tuple[int, int]) -> None:
        """`channel`: which one it is, of how many."""
        self._options = options
        self._channel = channel
        model = options.session.model or "default"
        info = messages.ModelInfo(model, "1", "whisper")
        self._metadata = messages.ResultsMetadata(request_id, info, model)
        self._pauses: deque[float] = deque()
        self._finalizing = False
        self._held: messages.Results | None = None
        self._last_end = 0.0
        self._unpaused = False
        self._last_word_end: float | None = None
        self._now = 0.0

    def finalize(self) -> None:
        """The client asks for all results of what it has sent."""
        self._finalizing = True

    def hear(self, heard: UtteranceHeard) -> Iterator[messages.ServerMessage]:
        """An utterance after one more look."""
        utterance = heard.utterance
        yield from self._release()
        if not utterance.ended:
            if self._options.session.interim_results and utterance.text:
                yield self._results(utterance, final=False)
            return
        paused = self._paused(utterance)
        if not utterance.words:
            if paused:
                yield from self._pause()
            return
        result = self._results(utterance, final=True, paused=paused)
        self._unpaused = not paused
        self._last_end = result.start + result.duration
        self._last_word_end = result.channel.alternatives[0].words[-1].end
        if self._finalizing:
            self._held = result
            return
        yield result
        yield from self._utterance_end()

    def speech(self, speaking: bool, at: float) -> Iterator[messages.ServerMessage]:
        """Speech begins or ends."""
        if speaking:
            yield from self.time(at)
            if self._options.vad_events:
                yield messages.SpeechStarted(self._channel[:1], round(at, 3))
        elif at <= self._last_end:
            yield from self._pause()
        else:
            self._pauses.append(at)

    def time(self, now: float) -> Iterator[messages.ServerMessage]:
        """All audio before this is taken in."""
        self._now = max(self._now, now)
        if self._held is None:
            yield from self._utterance_end()

    def flushed(self) -> Iterator[messages.ServerMessage]:
        """Everything before the client's `Finalize` has been heard."""
        self._finalizing = False
        held, self._held = self._held, None
        yield msgspec.structs.replace(held or self._nothing(), from_finalize=True)
        yield from self._utterance_end()

    def end(self) -> Iterator[messages.ServerMessage]:
        """Nothing else comes."""
        yield from self._release()

    def _release(self) -> Iterator[messages.ServerMessage]:
        held, self._held = self._held, None
        if held is not None:
            yield held

    def _paused(self, utterance: Utterance) -> bool:
        """Whether the speaker paused within this utterance, which then ends with it."""
        start, end = utterance.start_ms / 1000, utterance.end_ms / 1000
        paused = False
        while self._pauses and self._pauses[0] <= end:
            paused = self._pauses.popleft() >= start or paused
        return paused and self._options.speech_final

    def _pause(self) -> Iterator[messages.Results]:
        """A pause after words that were final before it was known."""
        if self._unpaused and self._options.speech_final and self._held is None:
            self._unpaused = False
            yield msgspec.structs.replace(self._nothing(), speech_final=True)

    def _utterance_end(self) -> Iterator[messages.UtteranceEnd]:
        gap_ms, last = self._options.utterance_end_ms, self._last_word_end
        if gap_ms is None or last is None or self._now < last + gap_ms / 1000:
            return
        self._last_word_end = None
        yield messages.UtteranceEnd(self._channel, last)

    def _results(self, utterance: Utterance, *, final: bool, paused: bool = False) -> messages.Results:
        start = max(utterance.start_ms / 1000, self._last_end)
        end = max(utterance.end_ms / 1000, start)
        words = words_of((*utterance.words, *utterance.pending), start, end)
        said = messages.Alternative(utterance.text, confidence_of(words), words)
        return self._made(_Times(start, end), said, final, paused)

    def _nothing(self) -> messages.Results:
        now = max(self._now, self._last_end)
        return self._made(_Times(now, now), messages.Alternative("", 0.0), True, False)

    def _made(self, times: _Times, said: messages.Alternative, final: bool, paused: bool) -> messages.Results:
        return messages.Results(
            channel_index=self._channel,
            start=round(times.start, 3),
            duration=round(times.end - times.start, 3),
            is_final=final,
            speech_final=paused,
            channel=messages.Channel((said,)),
            metadata=self._metadata,
        )
