"""The codes of OpenAI's own that its clients know. Where they have none for it, the code is Rattil's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.description.schemas import SCHEMAS

OPENAI_CODES = (
    "input_audio_buffer_commit_empty",
    "input_audio_buffer_full",
    "invalid_api_key",
    "invalid_event",
    "invalid_value",
    "model_not_found",
    "rate_limit_exceeded",
    "unsupported_value",
)

OpenAICode = Annotated[
    str,
    msgspec.Meta(extra_json_schema={"anyOf": [{"enum": OPENAI_CODES}, {"$ref": f"{SCHEMAS}ErrorCode"}]}),
]
"""The code of an error as OpenAI's clients are told it."""
