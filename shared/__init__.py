"""What every service shares: messages, bus, recitation domain, audio, errors. Imports no service."""
