"""The admission desk: knows which workers live, how full they are, and who may start a session."""
