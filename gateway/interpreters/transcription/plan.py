"""The plan of a transcription: growing looks at utterances, words that stand, the whole text at the end."""

from __future__ import annotations

import msgspec

from gateway.admission.quality_ladder import QualityStep
from gateway.dependencies import GatewayPorts
from gateway.enhancement.keeping import keep
from gateway.interpreters.transcription.interpreter import TranscriptionInterpreter
from gateway.session.core import SessionCore
from gateway.session.endpointer import EndpointPolicy
from gateway.session.events import Finished
from gateway.session.growing_window import GrowingWindow
from gateway.session.options import SessionOptions
from gateway.session.segmenter import Position, Segmenter, WindowPolicy
from gateway.session.utterances import UtterancePolicy, Utterances
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest
from shared.ids import PoolName
from shared.transcription.utterances import UtteranceAssembler

SUBJECT = "transcription"
LONGER_LOOKS = 2
"""Under load the audio between two looks is so many times as long."""


class SessionMismatch(BadRequest):
    """The session under this id is of another kind, or belongs to another key."""

    code = "session_mismatch"


class Transcript(msgspec.Struct, frozen=True):
    """The report of a transcription: everything that was said."""

    text: str


class TranscriptionPlan:
    """A `SessionPlan` for speech of any kind, with the options of one client."""

    max_in_flight: int | None = 1
    """The next look begins where the last one's words stand."""
    adaptive = False
    subject = SUBJECT

    def __init__(self, ports: GatewayPorts, options: SessionOptions) -> None:
        self._ports = ports
        self._options = options

    @property
    def detects_speech(self) -> bool:
        return self._options.detect_speech

    def first_position(self, pool: PoolName) -> Position:
        settings = self._ports.settings
        longest = int(settings.utterance_max_s * SAMPLE_RATE)
        if not self._options.detect_speech and not self._options.interim_results:
            return Position(longest, longest)  # no look before there is something to show
        interim_s = settings.interim_s
        if self._ports.quality.of(pool).step >= QualityStep.LONG_WINDOWS:
            interim_s = min(interim_s * LONGER_LOOKS, settings.utterance_max_s)
        return Position(int(interim_s * SAMPLE_RATE), longest)

    def segmenter(self, position: Position, kept_pcm: bytes = b"") -> Segmenter:
        settings, options = self._ports.settings, self._options
        if not options.detect_speech:
            policy = WindowPolicy(settings.silence_dbfs, int(settings.min_rest_s * SAMPLE_RATE))
            return GrowingWindow(position, policy, kept_pcm)
        silence = options.endpoint_ms * SAMPLE_RATE // 1000
        endpoint = EndpointPolicy(options.speech_threshold or settings.vad_threshold, silence)
        return Utterances(position, UtterancePolicy(options.interim_results, endpoint), kept_pcm)

    def interpreter(self) -> TranscriptionInterpreter:
        return TranscriptionInterpreter()

    def restored(self, saved: bytes) -> TranscriptionInterpreter:
        return TranscriptionInterpreter(UtteranceAssembler.restore(saved))

    def mismatch(self) -> SessionMismatch:
        return SessionMismatch(
            "this session was started as something else or with another key; start a new session"
        )

    async def report(self, core: SessionCore) -> Finished:
        """The transcript is complete when every segment has its event; then the audio may be kept."""
        assert isinstance(core.interpreter, TranscriptionInterpreter)
        transcript = core.interpreter.transcript
        words = len(transcript.split())
        return Finished(Transcript(transcript), words, kept=await keep(self._ports, core))
