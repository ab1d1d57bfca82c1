"""The decoder of uploads, from the gateway's settings."""

from __future__ import annotations

from gateway.metrics import GatewayMetrics
from gateway.settings.uploads import UploadSettings
from shared.audio.decoder_pool import DecoderPool
from shared.audio.decoder_process import Limits


def open_decoder(settings: UploadSettings, metrics: GatewayMetrics) -> DecoderPool:
    """Processes that decode uploads; none is started before the first upload."""
    limits = Limits(
        max_bytes=settings.verify_max_bytes,
        max_seconds=settings.verify_max_s,
        memory_bytes=settings.decode_memory_mb * 1_000_000,
        cpu_s=settings.decode_cpu_s,
    )
    return DecoderPool(
        limits,
        processes=settings.decode_processes,
        timeout_s=settings.decode_timeout_s,
        observe=lambda outcome, took_s: metrics.decoding.labels(outcome).observe(took_s),
    )
