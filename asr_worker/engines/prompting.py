"""What the decoder is asked, and how its tokens become text: one model's vocabulary and prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tokenizers
from faster_whisper.tokenizer import Tokenizer

from asr_worker.engines.model_files import ModelCard, ModelNotUsable
from shared.errors import BadRequest
from shared.protocol.segments import TaskOptions

MAX_PROMPT_TOKENS = 223
"""Whisper keeps half of its 448 text positions, less one, for what was said before."""


ENGLISH = "en"
"""What models that know one language and do not say which were trained on."""


class Prompter:
    """Turns a session's options into prompt tokens, and generated tokens into text.

    The prompt is the model's own property: a card may state it, stock checkpoints get Whisper's.
    """

    def __init__(self, directory: Path, card: ModelCard, *, multilingual: bool) -> None:
        self._card = card
        self._vocabulary = _load(directory)
        self._multilingual = multilingual
        self.words = Tokenizer(self._vocabulary, multilingual=False)
        self._eot = self._id("<|endoftext|>")
        self._start = tuple(self._id(token) for token in card.prompt)

    def tokens(self, options: TaskOptions) -> list[int]:
        """The prompt of one item. Raises `BadRequest` for a language the model does not know."""
        return [*self._before(options.prompt), *(self._start or self._stock_start(options.language))]

    def task_tokens(self, options: TaskOptions) -> list[int]:
        """The prompt without what was said before, as the aligner wants it."""
        return list(self._start) or self._stock_start(options.language)

    def asks_for_language(self, options: TaskOptions) -> bool:
        """Whether the model has to be asked which language it hears, before there can be a prompt."""
        return not options.language and self._multilingual and not self._start

    def language(self, options: TaskOptions) -> str:
        """The language the text will be in: the model's own if it has only one."""
        if len(self._card.languages) == 1:
            return self._card.languages[0]
        return options.language or ENGLISH

    def text(self, tokens: Sequence[int]) -> str:
        """Generated tokens as text, without special tokens and outer spaces."""
        return str(self._vocabulary.decode([token for token in tokens if token < self._eot])).strip()

    def _stock_start(self, language: str) -> list[int]:
        start = [self._id("<|startoftranscript|>")]
        if self._multilingual:
            known = self._vocabulary.token_to_id(f"<|{language}|>")
            if known is None:
                raise BadRequest(f"the model has no language {language!r}; use a code it knows, such as 'ar'")
            start += [known, self._id("<|transcribe|>")]
        return [*start, self._id("<|notimestamps|>")]

    def _before(self, prompt: str | None) -> list[int]:
        previous = self._vocabulary.token_to_id("<|startofprev|>")
        if not prompt or previous is None:
            return []
        encoded = self._vocabulary.encode(" " + prompt.strip(), add_special_tokens=False).ids
        return [previous, *encoded[-MAX_PROMPT_TOKENS:]]

    def _id(self, token: str) -> int:
        known: int | None = self._vocabulary.token_to_id(token)
        if known is None:
            raise ModelNotUsable(f"the model's tokenizer has no {token}; it is not a Whisper tokenizer")
        return known


def _load(directory: Path) -> tokenizers.Tokenizer:
    path = directory / "tokenizer.json"
    if not path.is_file():
        raise ModelNotUsable(f"{path} is missing; copy it from the original checkpoint beside model.bin")
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:
        # The Rust library raises bare Exception objects.
        raise ModelNotUsable(f"{path} is not a tokenizer: {error}") from error
