"""What tenants use: counted here, added up in Redis by day, told by `GET /v1/usage`."""
