"""What was heard becomes segments as WhisperLive's client keeps them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from gateway.dialects.whisperlive import messages
from gateway.dialects.whisperlive.messages import Options, seconds
from gateway.interpreters.transcription.interpreter import UtteranceHeard
from gateway.session.interpreter import Finding
from shared.hearing import HeardWord


class SegmentsTold:
    """The segments of one connection."""

    def __init__(self, options: Options) -> None:
        self._options = options
        most = max(1, min(options.send_last_n_segments, messages.MOST_SEGMENTS))
        self._completed: deque[messages.Segment] = deque(maxlen=most)
        self._last_end = 0.0
        self._open_text = ""
        """Of the segment that was told last as one that may change."""

    def of(self, finding: Finding | None) -> Sequence[messages.Segments]:
        """What is to be told after one more look at an utterance."""
        if finding is None:
            return ()
        assert isinstance(finding, UtteranceHeard)
        utterance = finding.utterance
        if not utterance.text:
            return ()
        start = max(utterance.start_ms / 1000, self._last_end)
        end = max(utterance.end_ms / 1000, start)
        words = (*utterance.words, *utterance.pending)
        segment = messages.Segment(
            seconds(start),
            seconds(end),
            utterance.text,
            utterance.ended,
            tuple(_word(word, start, end) for word in words) if self._options.word_timestamps else UNSET,
        )
        if utterance.ended:
            self._last_end = end
            return self._complete(segment)
        return (self._told_open(segment),)

    def _complete(self, segment: messages.Segment) -> Sequence[messages.Segments]:
        """WhisperLive's client adds the last segment that may change to its transcript at the end, unless the
        last completed one has the same text: so that comes as one that may change first."""
        first = []
        if segment.text != self._open_text:
            first.append(self._told_open(msgspec.structs.replace(segment, completed=False)))
        self._completed.append(segment)
        return (*first, messages.Segments(self._options.uid, tuple(self._completed)))

    def _told_open(self, segment: messages.Segment) -> messages.Segments:
        self._open_text = segment.text
        return messages.Segments(self._options.uid, (*self._completed, segment))


def _word(word: HeardWord, start: float, end: float) -> messages.Word:
    """A word without times of its own has those of its segment."""
    return messages.Word(
        word.text,
        seconds(start if word.start_ms is None else word.start_ms / 1000),
        seconds(end if word.end_ms is None else word.end_ms / 1000),
        round(word.confidence, 4),
    )
