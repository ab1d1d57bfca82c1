"""The error codes of the documents are those of docs/protocol.md and of the sources."""

from __future__ import annotations

import re
from typing import get_args

from gateway.description.codes import ERROR_CODES, SERVICE_CODES
from gateway.dialects.openai.codes import OPENAI_CODES
from shared.recitation.live.feedback import NoticeCode
from tests.unit.docs.test_protocol_page import CLIENT_PAGES, PAGE, error_codes

NOT_ERRORS = {"code", *get_args(NoticeCode), *SERVICE_CODES}
ALL = {*ERROR_CODES, *OPENAI_CODES}


def documented() -> set[str]:
    """The first column of every table whose heading is `code`, and the codes in the table of refusals."""
    found: set[str] = set()
    for table in re.split(r"\n\n+", PAGE + "\n\n" + CLIENT_PAGES):
        head = table.lstrip().splitlines()[:1]
        if head and re.match(r"\| `?code`? \| meaning", head[0]):
            found |= set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
        if head and head[0].startswith("| status | `code`"):
            found |= set(re.findall(r"^\| \d{3} \| `(\w+)` \|", table, re.MULTILINE))
    return found - NOT_ERRORS


def test_every_code_of_the_docs_is_in_the_schema() -> None:
    assert {"bad_message", "session_mismatch", "too_many_uploads", "host_not_allowed"} <= documented()
    assert documented() - ALL == set()


def test_every_code_that_the_sources_write_is_in_the_schema() -> None:
    assert error_codes() - ALL == set()


def test_no_code_is_invented() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE + CLIENT_PAGES))
    assert ALL - documented() - error_codes() - named - {"not_found"} == set()
    assert named >= set(SERVICE_CODES)


def test_codes_are_sorted_and_unique() -> None:
    for codes in (ERROR_CODES, OPENAI_CODES, SERVICE_CODES):
        assert list(codes) == sorted(set(codes))


def test_codes_of_openai_are_not_rattils() -> None:
    assert set(ERROR_CODES) & set(OPENAI_CODES) == set()
