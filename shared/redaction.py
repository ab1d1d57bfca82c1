"""What must not be told: credentials to nobody, addresses of other services to no client. Pure."""

from __future__ import annotations

import re

HIDDEN = "***"
SOMEWHERE = "(internal address)"

_USER_INFO = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/?#]*@", re.IGNORECASE)
_SECRET_FIELD = re.compile(
    r"(?P<name>\b(?:password|passwd|token|api_?keys?|x-api-key|secret)=)(?!<key>)[^\s&,;'\"]+", re.IGNORECASE
)
_BEARER = re.compile(r"(?P<name>\bbearer\s+|\brattil\.key\.)(?!<key>)[!-~]+", re.IGNORECASE)
# In our own sentences `<key>` stands for the key that is to be sent.

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s,;'\")]+", re.IGNORECASE)
_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b")
_IPV6 = re.compile(r"\[[0-9a-f:.]*:[0-9a-f:.]*\](?::\d{1,5})?", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"\b(?=[\w.-]*[A-Za-z])[\w.-]+:\d{4,5}\b")
"""Four digits at least: `112:1` is a verse."""


def without_credentials(text: str) -> str:
    """The text with user and password cut from every URL, and the value from every secret parameter."""
    if "://" in text:
        text = _USER_INFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    if "=" in text:
        text = _SECRET_FIELD.sub(rf"\g<name>{HIDDEN}", text)
    return _BEARER.sub(rf"\g<name>{HIDDEN}", text)


def without_addresses(text: str) -> str:
    """The text without URLs, IP addresses and `host:port`: for clients."""
    for pattern in (_URL, _IPV6, _IPV4, _HOST_AND_PORT):
        text = pattern.sub(SOMEWHERE, text)
    return without_credentials(text)
