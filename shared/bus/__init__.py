"""The bus between services: small Protocols, one memory and one Redis adapter, all keys in one file."""
