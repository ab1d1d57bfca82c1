"""The end of a recitation: the final report of a worker over the whole audio, or why there is none."""

from __future__ import annotations

import asyncio

from gateway.connection.bus_retry import BusRetry
from gateway.dependencies import GatewayPorts
from gateway.session.core import SessionCore
from gateway.session.events import Finished, FinishFailed
from shared.audio.formats import SAMPLE_RATE
from shared.errors import RattilError
from shared.protocol.jobs import job_time_s
from shared.recitation.live.feedback import Feedback
from shared.recitation.reference.passage import Passage
from shared.recitation.report.live_states import live_report, with_live_states
from shared.recitation.report.report import VerifyReport
from shared.service.logging import get_logger

_LOST = ("audio_lost", "state_lost")
"""Codes that mean: the recording is not stored any more."""

_log = get_logger(__name__)


async def report_of(
    ports: GatewayPorts, core: SessionCore, passage: Passage, live: Feedback
) -> Finished | FinishFailed:
    """On the whole recording, with what was settled live; where it is lost, on what was judged live.

    Never raises for a failed report: the client gets a hint instead.

    Raises `EndConnection` when the control Redis stays away: a resume asks for the same report.
    """
    identity = core.identity
    model = ports.models.model_of(identity.pool)
    missing = _no_audio(ports, core)
    if missing is not None:
        return _instead(missing, passage, live, model)
    patience = BusRetry(ports.clock, ports.metrics, ports.settings.bus_grace_s)
    try:
        samples = core.segmenter.position.cut
        async with asyncio.timeout(job_time_s(ports.settings.batch_timeout_s, samples)):
            report = await patience.call(
                lambda: ports.batch.verify_session(
                    identity.session_id,
                    core.epoch,
                    str(passage.range),
                    samples=samples,
                    pools=ports.models.judges(identity.pool),
                )
            )
    except TimeoutError:
        return FinishFailed("verify_timeout", "the final report did not come in time")
    except RattilError as error:
        _log.warning("final_failed", session_id=identity.session_id, code=error.code, error=error.message)
        return _instead(FinishFailed(error.code, error.for_client), passage, live, model)
    return _finished(with_live_states(passage, report, live))


def _finished(report: VerifyReport) -> Finished:
    return Finished(
        report, sum(word.status not in ("pending", "not_judged") for word in report.word_analysis)
    )


def _instead(failed: FinishFailed, passage: Passage, live: Feedback, model: str) -> Finished | FinishFailed:
    """What was judged live, by `model`, if the recording itself is lost and anything was judged."""
    judged = any(word.status not in ("pending", "not_judged") for word in live.words)
    return _finished(live_report(passage, live, model)) if failed.code in _LOST and judged else failed


def _no_audio(ports: GatewayPorts, core: SessionCore) -> FinishFailed | None:
    """The report needs all of the session's audio."""
    settings = ports.settings
    if core.segmenter.received == 0:
        return FinishFailed("no_audio", "no audio was received")
    kept_s = {"session": settings.session_limit_s, "tail": settings.store_audio_tail_s, "off": 0.0}
    if not core.audio_complete or core.segmenter.received > kept_s[settings.store_audio] * SAMPLE_RATE:
        return FinishFailed("audio_lost", "the beginning of this session's audio is no longer stored")
    return None
