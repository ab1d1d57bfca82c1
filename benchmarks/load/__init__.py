"""The load generator: many paced reciters in one cheap process, on an absolute schedule."""
