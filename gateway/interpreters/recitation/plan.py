"""The plan of a recitation: its windows, the state of every word of one passage, the report of a worker."""

from __future__ import annotations

import dataclasses

import msgspec

from gateway.dependencies import GatewayPorts
from gateway.enhancement.keeping import keep
from gateway.interpreters.recitation.interpreter import RecitationInterpreter
from gateway.interpreters.recitation.report import report_of
from gateway.session.core import SessionCore
from gateway.session.endpointer import EndpointPolicy
from gateway.session.events import Finished, FinishFailed
from gateway.session.fixed_windows import FixedWindows
from gateway.session.options import SessionOptions
from gateway.session.segmenter import Position, Segmenter, WindowPolicy
from gateway.session.utterances import UtterancePolicy, Utterances
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest, StateLost
from shared.ids import PoolName
from shared.recitation.grading.policy import DEFAULT
from shared.recitation.live.follower import Follower
from shared.recitation.reference.passage import Passage


class PassageMismatch(BadRequest):
    """The session belongs to another passage or protocol than the one asked for."""

    code = "passage_mismatch"


class Looks(msgspec.Struct, frozen=True):
    """How a recitation is listened to where windows follow the voice: seconds of new audio between two looks
    at the same window, of the longest window, and of what two windows share while the voice goes on."""

    step_s: float = 1.0
    window_s: float = 5.0
    overlap_s: float = 0.5


class RecitationPlan:
    """A `SessionPlan` for one passage. Windows follow the audio alone, or, with `looks`, the voice."""

    def __init__(
        self,
        ports: GatewayPorts,
        passage: Passage,
        window_s: float | None = None,
        *,
        looks: Looks | None = None,
        options: SessionOptions | None = None,
    ) -> None:
        """`window_s`: length of the windows without `looks`, None: what the load allows now. `options`: of
        the session, as far as they say where speech is."""
        self.passage = passage
        self._ports = ports
        self._window_s = window_s
        self._looks = looks
        self._options = options or SessionOptions()

    @property
    def max_in_flight(self) -> int | None:
        """While a look is not answered, the next one waits and takes in more."""
        return None if self._looks is None else 1

    @property
    def detects_speech(self) -> bool:
        return self._looks is not None

    @property
    def adaptive(self) -> bool:
        return self._looks is None

    @property
    def subject(self) -> str:
        return str(self.passage.range)

    def first_position(self, pool: PoolName) -> Position:
        if self._looks is not None:
            return Position(int(self._looks.step_s * SAMPLE_RATE), int(self._looks.window_s * SAMPLE_RATE))
        window_s = self._window_s or self._ports.quality.of(pool).window_s
        return Position(int(window_s * SAMPLE_RATE), int(self._ports.settings.overlap_s * SAMPLE_RATE))

    def segmenter(self, position: Position, kept_pcm: bytes = b"") -> Segmenter:
        settings = self._ports.settings
        if self._looks is not None:
            return Utterances(position, self._utterances(self._looks), kept_pcm)
        policy = WindowPolicy(settings.silence_dbfs, int(settings.min_rest_s * SAMPLE_RATE))
        return FixedWindows(position, policy, kept_pcm)

    def _utterances(self, looks: Looks) -> UtterancePolicy:
        options = self._options
        threshold = options.speech_threshold or self._ports.settings.vad_threshold
        endpoint = EndpointPolicy(threshold, options.endpoint_ms * SAMPLE_RATE // 1000)
        return UtterancePolicy(options.interim_results, endpoint, int(looks.overlap_s * SAMPLE_RATE))

    def interpreter(self) -> RecitationInterpreter:
        return RecitationInterpreter(Follower(self.passage))

    def restored(self, saved: bytes) -> RecitationInterpreter:
        try:
            return RecitationInterpreter(Follower.restore(self.passage, DEFAULT, saved))
        except BadRequest as error:
            raise StateLost(f"the saved state of the words cannot be read ({error.message})") from error

    def mismatch(self) -> PassageMismatch:
        return PassageMismatch(
            "this session was started with other verses, another protocol or another key; "
            "resume it with the same ones, or start a new session"
        )

    async def report(self, core: SessionCore) -> Finished | FinishFailed:
        interpreter = core.interpreter
        assert isinstance(interpreter, RecitationInterpreter)
        states = interpreter.close()
        told = await report_of(self._ports, core, self.passage, states.feedback)
        kept = await keep(self._ports, core, str(self.passage.range))
        return dataclasses.replace(told, finding=states, kept=kept)
