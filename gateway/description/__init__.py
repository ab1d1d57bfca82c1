"""What the gateway says of its own interface: OpenAPI of its HTTP routes, AsyncAPI of its dialects."""
