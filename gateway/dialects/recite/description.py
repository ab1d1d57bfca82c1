"""What `/ws/recite` takes and says, for the AsyncAPI document."""

from __future__ import annotations

from typing import get_args

from gateway.description.dialect import AUDIO, DialectDescription, Message, Parameter, words
from gateway.dialects.enhance_on_end import PARAMETER as ENHANCE_ON_END
from gateway.dialects.query import MAX_NUMBER
from gateway.dialects.recite import messages
from gateway.dialects.recite.commands import COMMANDS
from gateway.dialects.recite.dialect import PATH
from shared.audio.formats import SAMPLE_RATE
from shared.ids import SESSION_ID_PATTERN

PASSAGE = (
    Parameter("surah", {"type": "integer", "minimum": 1, "maximum": 114}, "Number of the sura.", True),
    Parameter("ayah", {"type": "integer", "minimum": 1, "maximum": 286}, "First verse.", True),
    Parameter(
        "to",
        {"type": "integer", "minimum": 1, "maximum": 286},
        "Last verse, of the same sura; the first one if it is absent.",
    ),
)
"""Which verses are recited."""

MODEL = Parameter(
    "model",
    {"type": "string", "default": "default"},
    "A pool of POOLS, or the model that it runs; `default` is the default pool.",
)
"""Which model hears."""

SESSION = (
    Parameter(
        "session_id",
        {"type": "string", "pattern": SESSION_ID_PATTERN},
        "The session to resume; whoever knows it may resume it.",
    ),
    Parameter(
        "last_seq",
        {"type": "integer", "minimum": -1, "maximum": MAX_NUMBER, "default": -1},
        "Resume: `seq` of the last event that was seen.",
    ),
    Parameter(
        "offset",
        {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER, "default": 0},
        "Resume: the last acknowledged sample.",
    ),
)
"""How a client comes back to its session."""

TAKES = (
    AUDIO,
    *words(COMMANDS),
    Message(
        "peek",
        "The reciter looked at this hidden word (from 0).",
        {
            "type": "object",
            "properties": {"type": {"const": "peek"}, "word_index": {"type": "integer", "minimum": 0}},
            "required": ["type", "word_index"],
        },
    ),
)

DESCRIPTION = DialectDescription(
    name="recite",
    title="Live recitation",
    text=(
        "Binary frames of PCM, 16 kHz, 16-bit little-endian, mono, and commands go in; one judgement of all "
        "words for each window of audio comes out. After a broken connection any gateway goes on with the "
        "session, without a lost or a doubled event: docs/protocol.md says how."
    ),
    address=PATH,
    parameters=(
        *PASSAGE,
        *SESSION,
        MODEL,
        ENHANCE_ON_END,
        Parameter("sample_rate", {"const": SAMPLE_RATE}, "A statement: anything else is refused."),
        Parameter(
            "window",
            {"type": "number", "minimum": 0.5, "maximum": 30},
            "Length of a window, seconds, within WS_WINDOW_MIN and WS_WINDOW_MAX; adaptive if it is absent.",
        ),
    ),
    takes=TAKES,
    says=get_args(messages.ServerEvent),
)
