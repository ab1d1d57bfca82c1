"""The plain form of `WS /v1/realtime`: audio comes by source, `response.create` asks for the text."""
