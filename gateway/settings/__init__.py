"""Settings of the gateway, all from environment variables (docs/configuration.md).

`GatewaySettings` has all of them; each file here is one part.
"""

from gateway.settings.gateway import GatewaySettings

__all__ = ["GatewaySettings"]
