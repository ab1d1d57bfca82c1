"""Following a recitation: windows in, the state of every word out. What gateway and worker use."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from shared.confidence import UNMEASURED, ConfidenceCurves, corrected
from shared.errors import BadRequest
from shared.hearing import Hearing
from shared.recitation.alignment.sound_units import HeardSound
from shared.recitation.alignment.text_units import HeardToken
from shared.recitation.grading.grader import CORRECT, WRONG, Verdict
from shared.recitation.grading.policy import DEFAULT, FeedbackPolicy
from shared.recitation.grading.smoothing import UNTOUCHED
from shared.recitation.grading.sound_grader import SoundGrader
from shared.recitation.grading.text_grader import TextGrader
from shared.recitation.live.audio_gaps import add_gap
from shared.recitation.live.audio_quality import QualityState, is_too_quiet, next_quality
from shared.recitation.live.feedback import Feedback, Gap, WordFeedback
from shared.recitation.live.snapshot import PackedWordTracker, TrackerPacker, unpack
from shared.recitation.live.transcript import Transcript, TranscriptState
from shared.recitation.live.word_tracker import TrackerUpdate, WordTracker
from shared.recitation.reference.passage import Passage

SNAPSHOT_VERSION: Final = 1
U = TypeVar("U")

_WINDOW_BITS: Final = 12
_MEMORY_LEVEL: Final = 5
"""zlib's tables for a state of a few kB: 32 kB to clear for each snapshot instead of 256."""
_SMALL: Final = 4096
"""Bytes of a state up to which compressing it costs more time than it saves bytes: a passage of 200 words."""
_ARRAY_MARK: Final = 0x90
"""MessagePack arrays of up to 15 begin with 0x90 to 0x9F, zlib's data never does (RFC 1950, 2.2)."""
_NO_UPDATE: Final = TrackerUpdate((), (), (), 0, False)
_NOT_JUDGED: Final = Verdict(CORRECT, 0, 0, "", None, None)

__all__ = ["DEFAULT", "FeedbackPolicy", "Follower"]


class _Snapshot(msgspec.Struct, frozen=True, array_like=True):
    v: int
    passage: str
    transcript: TranscriptState
    update: TrackerUpdate
    sounds: PackedWordTracker[HeardSound] | None
    words: PackedWordTracker[HeardToken] | None
    missed: list[Gap] = []
    confidence_curves: ConfidenceCurves = UNMEASURED
    quality: QualityState = QualityState()
    doubted: list[Gap] = []


_encoder = msgspec.msgpack.Encoder()
_READERS: Final[dict[int, Callable[[bytes], _Snapshot]]] = {
    1: msgspec.msgpack.Decoder(_Snapshot).decode,
}
"""By version: this one and, once there is one, the version before. Fields are only added, at the end, with a
default, so that builds on both sides of an update read each other's states; what cannot be done so raises
`SNAPSHOT_VERSION`. The version comes first, whatever else changes."""
_version_decoder = msgspec.msgpack.Decoder(list[Any])


class Follower:
    """One reciter on one passage. Deterministic: equal windows in equal order give equal feedback.

    The first window that holds anything decides whether the session is judged by sounds (the
    engine has a phoneme head) or by words.
    """

    def __init__(self, passage: Passage, policy: FeedbackPolicy = DEFAULT) -> None:
        self._passage = passage
        self._range = str(passage.range)
        self._policy = policy
        self._transcript = Transcript(policy.transcript_words)
        self._sounds: WordTracker[HeardSound] | None = None
        self._spoken: WordTracker[HeardToken] | None = None
        self._packer: TrackerPacker[Any] | None = None
        self._update = _NO_UPDATE
        self._missed: list[Gap] = []
        """Gaps before anything was heard."""
        self._doubted: list[Gap] = []
        """Audio that was too quiet, before anything was heard."""
        self._curves = UNMEASURED
        """Of the model that heard the newest window."""
        self._quality = QualityState()
        self._feedback = [WordFeedback(word.index, word.display, word.verse.key) for word in passage.words]

    def hear(self, hearing: Hearing) -> Feedback:
        """Take the next window (in order, overlapping, session times) and say how every word stands."""
        self._transcript.add(hearing)
        too_quiet = is_too_quiet(self._quality, hearing)
        if hearing.phones and not too_quiet:
            self._doubted = []  # the voice is louder than what came before it, which was none
        tracker = self._tracker_for(hearing)
        if too_quiet:
            self._doubt(hearing.start_ms, hearing.end_ms)
        if tracker is not None:
            self._show(tracker, tracker.hear(hearing, self._quality.reason is not None))
            self._take_curves(tracker, hearing.confidence_curves)
        self._take_quality(tracker, hearing)
        return self.feedback()

    def miss(self, start_ms: int, end_ms: int) -> Feedback:
        """Audio [start_ms, end_ms) that will never be heard: words in it are not judged."""
        tracker = self._sounds or self._spoken
        if tracker is None:
            self._missed = add_gap(self._missed, Gap(start_ms, end_ms), self._policy.gaps)
        else:
            tracker.miss(start_ms, end_ms)
        return self.feedback()

    def finish(self) -> Feedback:
        """Nothing more will come: open words are decided, the unsaid tail stays pending."""
        tracker = self._sounds or self._spoken
        if tracker is not None:
            self._show(tracker, tracker.finish(self._quality.reason is not None))
        return msgspec.structs.replace(self.feedback(), quality=self._quality.in_all)

    def feedback(self) -> Feedback:
        """How everything stands now."""
        return Feedback(
            words=tuple(self._feedback),
            transcript=self._transcript.text,
            extra_words=self._update.extras,
            repeats=self._update.repeats,
            pointer=self._update.pointer,
            completed=self._update.completed,
            gaps=self._gaps(),
            notice=None if self._quality.voice_is_too_quiet else self._update.notice,
            quality=self._quality.now,
        )

    def _take_curves(self, tracker: WordTracker[Any], curves: ConfidenceCurves) -> None:
        """Another model hears from now on: its curves hold for every word, as they would after a restore."""
        if curves != self._curves:
            self._curves = curves
            for index in tracker.state.words:
                self._show_word(tracker, index)

    def _take_quality(self, tracker: WordTracker[Any] | None, hearing: Hearing) -> None:
        """How the sound is now; what was heard in poor sound is no ground for a mistake."""
        heard, fitting = (0, 0) if tracker is None else tracker.lately
        before, now = self._quality, next_quality(self._quality, hearing, heard, fitting)
        self._quality = now
        if now.reason is not None and tracker is not None:
            began_ms = before.end_ms if before.reason else round(now.end_ms - now.loud_ms)
            tracker.doubt(max(0, began_ms), now.end_ms)

    def _doubt(self, start_ms: int, end_ms: int) -> None:
        tracker = self._sounds or self._spoken
        if tracker is None:
            self._doubted = add_gap(self._doubted, Gap(start_ms, end_ms), self._policy.gaps)
        else:
            tracker.doubt(start_ms, end_ms)

    def _gaps(self) -> tuple[Gap, ...]:
        tracker = self._sounds or self._spoken
        return tuple(self._missed if tracker is None else tracker.state.gaps)

    def _tracker_for(self, hearing: Hearing) -> WordTracker[Any] | None:
        if self._sounds is None and self._spoken is None:
            if hearing.phones:
                self._sounds = self._sound_tracker(None)
                self._sounds.state.gaps, self._sounds.state.poor = self._missed, self._doubted
            elif hearing.phones is None and (hearing.text or hearing.words):
                self._spoken = self._word_tracker(None)
                self._spoken.state.gaps, self._spoken.state.poor = self._missed, self._doubted
        return self._sounds or self._spoken

    def _sound_tracker(self, saved: PackedWordTracker[HeardSound] | None) -> WordTracker[HeardSound]:
        grader = SoundGrader(self._passage, self._policy)
        state = None if saved is None else unpack(saved, grader)
        return WordTracker(grader, self._policy, len(self._passage.words), state)

    def _word_tracker(self, saved: PackedWordTracker[HeardToken] | None) -> WordTracker[HeardToken]:
        grader = TextGrader(self._passage, self._policy)
        state = None if saved is None else unpack(saved, grader)
        return WordTracker(grader, self._policy, len(self._passage.words), state)

    def _show(self, tracker: WordTracker[Any], update: TrackerUpdate) -> None:
        self._update = msgspec.structs.replace(update, changed=())
        for index in update.changed:
            self._show_word(tracker, index)

    def _show_word(self, tracker: WordTracker[Any], index: int) -> None:
        state = tracker.state.words.get(index, UNTOUCHED)
        word = self._passage.words[index]
        verdict = state.verdict
        heard = verdict or _NOT_JUDGED
        self._feedback[index] = WordFeedback(
            index=word.index,
            word=word.display,
            verse_key=word.verse.key,
            status=state.status,
            final=state.final,
            confidence=self._confidence(verdict),
            heard=None if verdict is None else verdict.heard,
            expected=None if state.status == "pending" else tracker.expected_as(index, heard.heard),
            start_ms=heard.start_ms,
            end_ms=heard.end_ms,
        )

    def _confidence(self, verdict: Verdict | None) -> float:
        """0-1; 0 for a word without a verdict."""
        if verdict is None:
            return 0.0
        curve = self._curves.wrong if verdict.grade == WRONG else self._curves.accepted
        return round(corrected(verdict.confidence / 100, curve), 3)

    # -- moving between processes ---------------------------------------------------------------
    def snapshot(self) -> bytes:
        """Everything needed to go on elsewhere: MessagePack, versioned, compressed if it is large."""
        state = _Snapshot(
            SNAPSHOT_VERSION,
            self._range,
            self._transcript.state(),
            self._update,
            self._packed(self._sounds),
            self._packed(self._spoken),
            self._missed,
            self._curves,
            self._quality,
            self._doubted,
        )
        packed = _encoder.encode(state)
        if len(packed) <= _SMALL:
            return packed
        packer = zlib.compressobj(level=1, wbits=_WINDOW_BITS, memLevel=_MEMORY_LEVEL)
        return packer.compress(packed) + packer.flush()

    def _packed(self, tracker: WordTracker[U] | None) -> PackedWordTracker[U] | None:
        if tracker is None:
            return None
        if self._packer is None:
            self._packer = TrackerPacker(tracker.grader)
        return self._packer.pack(tracker.state)

    @classmethod
    def restore(cls, passage: Passage, policy: FeedbackPolicy, data: bytes) -> Follower:
        """The follower a snapshot was taken of; its future is exactly the original's.

        Raises `BadRequest` for a snapshot that is damaged, of another version or another passage.
        """
        try:
            plain = data[0] & 0xF0 == _ARRAY_MARK if data else False
            packed = data if plain else zlib.decompress(data)
            version = next(iter(_version_decoder.decode(packed)), None)
            read = _READERS.get(version) if isinstance(version, int) else None
            if read is None:
                versions = " or ".join(map(str, _READERS))
                raise BadRequest(
                    f"The saved state is version {version}, not {versions}. Start the session anew."
                )
            saved = read(packed)
        except (zlib.error, msgspec.DecodeError) as error:
            raise BadRequest(f"The saved state cannot be read: {error}. Start the session anew.") from error
        if saved.passage != str(passage.range):
            raise BadRequest(
                f"The saved state is for {saved.passage}, not for {passage.range}. Start the session anew."
            )
        follower = cls(passage, policy)
        follower._transcript = Transcript(policy.transcript_words, saved.transcript)
        follower._update = saved.update
        follower._missed = saved.missed
        follower._curves = saved.confidence_curves
        follower._quality = saved.quality
        follower._doubted = saved.doubted
        if saved.sounds is not None:
            follower._sounds = follower._sound_tracker(saved.sounds)
        if saved.words is not None:
            follower._spoken = follower._word_tracker(saved.words)
        tracker = follower._sounds or follower._spoken
        if tracker is not None:
            for index in tracker.state.words:
                follower._show_word(tracker, index)
        return follower
