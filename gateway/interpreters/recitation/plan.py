"""The plan of a recitation: fixed windows, the state of every word of one passage, the report of a worker."""

from __future__ import annotations

from gateway.dependencies import GatewayPorts
from gateway.interpreters.recitation.interpreter import RecitationInterpreter
from gateway.interpreters.recitation.report import report_of
from gateway.session.core import SessionCore
from gateway.session.events import Finished, FinishFailed
from gateway.session.fixed_windows import FixedWindows
from gateway.session.segmenter import Position, WindowPolicy
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest, StateLost
from shared.ids import PoolName
from shared.recitation.grading.policy import DEFAULT
from shared.recitation.live.follower import Follower
from shared.recitation.reference.passage import Passage


class PassageMismatch(BadRequest):
    """The session belongs to another passage or protocol than the one asked for."""

    code = "passage_mismatch"


class RecitationPlan:
    """A `SessionPlan` for one passage. `window_s`: length of its windows, None: what the load allows now."""

    max_in_flight: int | None = None
    detects_speech = False
    adaptive = True

    def __init__(self, ports: GatewayPorts, passage: Passage, window_s: float | None = None) -> None:
        self.passage = passage
        self._ports = ports
        self._window_s = window_s

    @property
    def subject(self) -> str:
        return str(self.passage.range)

    def first_position(self, pool: PoolName) -> Position:
        window_s = self._window_s or self._ports.quality.of(pool).window_s
        return Position(int(window_s * SAMPLE_RATE), int(self._ports.settings.overlap_s * SAMPLE_RATE))

    def segmenter(self, position: Position, kept_pcm: bytes = b"") -> FixedWindows:
        settings = self._ports.settings
        policy = WindowPolicy(settings.silence_dbfs, int(settings.min_rest_s * SAMPLE_RATE))
        return FixedWindows(position, policy, kept_pcm)

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
        return await report_of(self._ports, core, self.passage, interpreter.finish().feedback)
