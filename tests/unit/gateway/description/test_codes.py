"""The error codes of the documents are those of docs/protocol.md and of the sources."""

from __future__ import annotations

import re
from typing import get_args

from gateway.description.codes import ERROR_CODES
from shared.recitation.live.feedback import NoticeCode
from tests.unit.docs.test_protocol_page import CLIENT_PAGES, PAGE, error_codes

NOT_ERRORS = {"code", *get_args(NoticeCode)}


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
    assert documented() - set(ERROR_CODES) == set()


def test_every_code_that_the_sources_write_is_in_the_schema() -> None:
    assert error_codes() - set(ERROR_CODES) == set()


def test_no_code_is_invented() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE + CLIENT_PAGES))
    assert set(ERROR_CODES) - documented() - error_codes() - named - {"not_found"} == set()


def test_codes_are_sorted_and_unique() -> None:
    assert list(ERROR_CODES) == sorted(set(ERROR_CODES))
