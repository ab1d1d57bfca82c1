"""Where speech is in the audio of live sessions."""
