"""The decoder's vocabulary: bare letters, a space, and Whisper's special tokens."""

from __future__ import annotations

from dataclasses import dataclass

LETTERS = tuple("ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي")
SPACE = "\u2581"
"""Printed for a space in the vocabulary, as SentencePiece does."""
SPECIALS = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|transcribe|>"),
    *("<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
)
TIMESTAMP_STEP_S = 0.02
LONGEST_S = 30.0
TIMESTAMPS = tuple(
    f"<|{index * TIMESTAMP_STEP_S:.2f}|>" for index in range(round(LONGEST_S / TIMESTAMP_STEP_S) + 1)
)
UNKNOWN = "<|unk|>"
VOCABULARY = (UNKNOWN, SPACE, *LETTERS, *SPECIALS, *TIMESTAMPS)

TOKEN_ID = {token: index for index, token in enumerate(VOCABULARY)}
END = TOKEN_ID["<|endoftext|>"]
START = TOKEN_ID["<|startoftranscript|>"]
NO_TIMESTAMPS = TOKEN_ID["<|notimestamps|>"]
NO_SPEECH = TOKEN_ID["<|nospeech|>"]
LONGEST_TARGET = 440
"""Letters that fit into Whisper's 448 text positions with the special tokens."""
FIRST_TIMESTAMP = TOKEN_ID[TIMESTAMPS[0]]
PROMPT = ("<|startoftranscript|>", "<|notimestamps|>")
IGNORED = -100
"""Target that carries no loss."""


@dataclass(frozen=True, slots=True)
class Target:
    """Decoder input and, shifted by one, what it should say next."""

    inputs: list[int]
    outputs: list[int]


def letters_of(text: str) -> list[int]:
    """Token ids of bare text; characters that are no letter are dropped."""
    return [TOKEN_ID[SPACE if sign == " " else sign] for sign in text if sign == " " or sign in LETTERS]


def text_of(tokens: list[int]) -> str:
    """The text of token ids, special ones left out."""
    signs = [VOCABULARY[token] for token in tokens if 0 < token < 2 + len(LETTERS)]
    return "".join(" " if sign == SPACE else sign for sign in signs).strip()


def target(text: str | None, end_s: float, timestamps: bool) -> Target:
    """What to say for a window; ``None`` means unknown text, which carries no loss."""
    letters = letters_of(text or "")
    if len(letters) > LONGEST_TARGET:
        letters, text = [], None
    if timestamps and letters:
        last = FIRST_TIMESTAMP + round(min(end_s, LONGEST_S) / TIMESTAMP_STEP_S)
        tokens = [START, FIRST_TIMESTAMP, *letters, last, END]
    else:
        tokens = [START, NO_TIMESTAMPS, *letters, END]
    outputs = tokens[1:]
    if not letters:
        outputs[0] = NO_SPEECH
    if text is None:
        outputs = [IGNORED] * len(outputs)
    return Target(tokens[:-1], outputs)
