"""CTranslate2's model with counters, for tests of what the engine asks of it."""

from __future__ import annotations

from typing import Any


class CountingModel:
    """The model with a count of the windows that were encoded, and that its decoder was asked about."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.asked = 0
        self.encoded: list[int] = []

    def encode(self, features: Any) -> Any:
        self.encoded.append(features.shape[0])
        return self._model.encode(features)

    def generate(self, encoded: Any, prompts: Any, **options: Any) -> Any:
        self.asked += len(prompts)
        return self._model.generate(encoded, prompts, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
