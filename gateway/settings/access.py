"""The part of the gateway's settings that says who may enter, from where, and how often."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

from gateway.auth.api_keys import parse_api_keys
from gateway.auth.entry_policy import EntryPolicy
from shared.service.loopback import is_loopback


class AccessSettings(BaseSettings):
    """Keys, origins, hosts, and what one address and one tenant may hold."""

    host: str = Field(default="127.0.0.1", validation_alias="HOST", description="Address to listen on.")
    api_keys: str = Field(
        default="",
        validation_alias="API_KEYS",
        repr=False,
        description="Comma-separated entries tenant=key, or key alone (tenant default). The first = ends the "
        "tenant's name; a key alone that contains =, and any key with a comma, stands in double quotation "
        'marks: "c2VjcmV0LWtleTE=" or school=c2VjcmV0LWtleTE=. Empty lets all in, on a loopback HOST only.',
    )
    allow_anonymous: bool = Field(
        default=False,
        validation_alias="ALLOW_ANONYMOUS",
        description="Serve without API_KEYS on a HOST that other machines reach.",
    )
    allowed_origins: str = Field(
        default="",
        validation_alias="WS_ALLOWED_ORIGINS",
        description="Comma-separated Origin values of web pages that may use this service, by WebSocket "
        "and POST; * allows every page. Empty: every page where API_KEYS are set, else only pages of this "
        "service and of this machine.",
    )
    allowed_hosts: str = Field(
        default="",
        validation_alias="ALLOWED_HOSTS",
        description="Comma-separated names (without port) by which clients may call this service; * allows "
        "every name. Empty: every name where API_KEYS or ALLOW_ANONYMOUS are set, else only IP addresses, "
        "localhost, HOST and "
        "the name of this machine.",
    )
    max_sessions_per_address: int = Field(
        default=100,
        validation_alias="WS_MAX_SESSIONS_PER_ADDRESS",
        ge=0,
        description="Sessions of one client address on this gateway; 0: no bound. Behind a proxy set "
        "FORWARDED_ALLOW_IPS to the proxy's address, or all clients count as one.",
    )
    max_sessions_per_tenant: int = Field(
        default=0,
        validation_alias="WS_MAX_SESSIONS_PER_TENANT",
        ge=0,
        description="Sessions of one tenant on this gateway; 0: no bound.",
    )

    @field_validator("api_keys")
    @classmethod
    def _understood(cls, text: str) -> str:
        parse_api_keys(text)
        return text

    @model_validator(mode="after")
    def _closed_to_the_network(self) -> Self:
        if not self.api_keys and not self.allow_anonymous and not is_loopback(self.host):
            raise ValueError(
                "HOST is an address that other machines reach and API_KEYS is empty: everybody could use "
                "this service. Set API_KEYS, or ALLOW_ANONYMOUS=true if that is meant"
            )
        return self

    def entry_policy(self) -> EntryPolicy:
        return EntryPolicy.of(
            self.allowed_origins,
            self.allowed_hosts,
            host=self.host,
            keyed=bool(self.api_keys),
            any_host=self.allow_anonymous,
        )
