"""`/ws/stream`, protocol 1.0: a recitation in JSON messages `{type, data, timestamp}`, audio in base64."""
