"""The `rattil` command: the all-in-one launcher, the services, the reference client."""
