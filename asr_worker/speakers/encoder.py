"""Voices as vectors, by an ONNX model: what one person says lies close together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from asr_worker.engines.model_files import ModelNotUsable
from asr_worker.speakers.windows import BANDS

Floats = NDArray[np.float32]

BUNDLED: Final = Path("models") / "voices" / "encoder.onnx"
AT_ONCE: Final = 32
"""Windows that are looked at together: more are hardly faster and need more memory."""


class VoiceEncoder(Protocol):
    """Makes vectors of voices."""

    def voices(self, windows: Sequence[Floats]) -> Floats:
        """A vector of length 1 for each window of `windows.powers`, [windows, dimensions]. Blocking."""
        ...


class OnnxVoiceEncoder:
    """`VoiceEncoder` on the CPU, in the thread that calls it."""

    def __init__(self, model: Path) -> None:
        """`model`: its input is [windows, frames, 40], its output a vector for each window.

        Raises `ModelNotUsable`.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session: Any = onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has an exception class for each kind of failure
            raise ModelNotUsable(f"SPEAKER_MODEL={model} cannot be loaded: {error}") from error
        shapes = [one.shape for one in (*self._session.get_inputs(), *self._session.get_outputs())]
        if [len(shape) for shape in shapes] != [3, 2] or shapes[0][2] != BANDS:
            raise ModelNotUsable(
                f"SPEAKER_MODEL={model} is no voice encoder: it must take [windows, frames, {BANDS}] and "
                "give [windows, dimensions]"
            )
        self._input = self._session.get_inputs()[0].name

    def voices(self, windows: Sequence[Floats]) -> Floats:
        found = [
            self._session.run(None, {self._input: np.stack(windows[start : start + AT_ONCE])})[0]
            for start in range(0, len(windows), AT_ONCE)
        ]
        vectors: Floats = np.concatenate(found).astype(np.float32)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return vectors


def open_encoder(setting: str) -> VoiceEncoder | None:
    """What SPEAKER_MODEL names: a file, `bundled`, or nothing. Raises `ModelNotUsable`."""
    if not setting:
        return None
    return OnnxVoiceEncoder(bundled() if setting == "bundled" else Path(setting).expanduser())


def bundled() -> Path:
    """The bundled model: beside the packages in a checkout, else below the working directory."""
    beside = Path(__file__).resolve().parents[2] / BUNDLED
    return beside if beside.is_file() else Path.cwd() / BUNDLED
