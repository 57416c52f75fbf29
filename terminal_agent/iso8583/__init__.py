"""ISO 8583 messages: pure, no socket, clock or file."""
