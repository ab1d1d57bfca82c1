"""The end of a session that is heard once more: its audio is kept, or it is said why not."""

from __future__ import annotations

from gateway.dependencies import GatewayPorts
from gateway.session.core import SessionCore
from gateway.session.events import NOT_KEPT, Kept
from shared.errors import AudioLost, RattilError
from shared.protocol.segments import TaskOptions
from shared.service.logging import get_logger

_log = get_logger(__name__)


async def keep(ports: GatewayPorts, core: SessionCore, passage: str = "") -> Kept:
    """Hand the session's audio over if its client asked for it. Nothing fails for it.

    `passage`: the verses that were recited, which the job then judges, too.
    """
    if not core.identity.options.enhance_on_end:
        return NOT_KEPT
    kept = await _keep(ports, core, passage)
    if kept.dropped:
        ports.metrics.enhancements.labels("dropped").inc()
    return kept


async def _keep(ports: GatewayPorts, core: SessionCore, passage: str) -> Kept:
    identity = core.identity
    if ports.enhancements is None:
        return Kept(dropped="this service keeps no recordings any more")
    if core.segmenter.received == 0:
        return Kept(dropped="no audio was received")
    pool = ports.models.accurate(identity.pool, recitation=bool(passage))
    asked = identity.options.task
    options = TaskOptions(asked.language, True, asked.prompt, identity.options.speakers)
    try:
        pcm16 = await _audio(ports, core)
        job_id = await ports.enhancements.accept(
            identity.session_id, core.epoch, identity.tenant, pool, pcm16, options, passage
        )
    except RattilError as error:
        _log.warning(
            "enhancement_dropped", session_id=identity.session_id, code=error.code, error=error.message
        )
        return Kept(dropped=error.for_client)
    return Kept(job_id)


async def _audio(ports: GatewayPorts, core: SessionCore) -> bytes:
    """All of it: a hole is a loss, never silence."""
    stretches = await ports.store.audio_from(core.identity.session_id, 0)
    whole = core.audio_complete and len(stretches) == 1 and stretches[0].start_sample == 0
    if not whole or len(stretches[0].pcm) < 2 * core.segmenter.position.cut:
        raise AudioLost("parts of this session's audio are no longer stored")
    return stretches[0].pcm
