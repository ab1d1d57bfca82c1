"""The end of a transcription that is transcribed once more: its audio is kept, or it is said why not."""

from __future__ import annotations

from gateway.dependencies import GatewayPorts
from gateway.session.core import SessionCore
from shared.errors import AudioLost, RattilError
from shared.ids import PoolName
from shared.protocol.segments import TaskOptions
from shared.service.logging import get_logger

ACCURATE_POOL = PoolName("accurate")
_log = get_logger(__name__)


async def keep(ports: GatewayPorts, core: SessionCore) -> tuple[str, str]:
    """(id of the job, empty) or (empty, why the recording was not kept). Nothing fails for it."""
    identity = core.identity
    if ports.enhancements is None:
        return "", "this service keeps no recordings any more"
    if core.segmenter.received == 0:
        return "", "no audio was received"
    # Where there is no better model, that of the session is asked: whole, and with more around each word.
    pool = ACCURATE_POOL if ACCURATE_POOL in ports.models.names else identity.pool
    asked = identity.options.task
    options = TaskOptions(asked.language, True, asked.prompt)
    try:
        pcm16 = await _audio(ports, core)
        job_id = await ports.enhancements.accept(
            identity.session_id, core.epoch, identity.tenant, pool, pcm16, options
        )
    except RattilError as error:
        _log.warning(
            "enhancement_dropped", session_id=identity.session_id, code=error.code, error=error.message
        )
        return "", error.for_client
    return job_id, ""


async def _audio(ports: GatewayPorts, core: SessionCore) -> bytes:
    """All of it: a hole is a loss, never silence."""
    stretches = await ports.store.audio_from(core.identity.session_id, 0)
    whole = core.audio_complete and len(stretches) == 1 and stretches[0].start_sample == 0
    if not whole or len(stretches[0].pcm) < 2 * core.segmenter.position.cut:
        raise AudioLost("parts of this session's audio are no longer stored")
    return stretches[0].pcm
