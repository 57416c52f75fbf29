"""The only way the books change: one writer, pure steps on loaded rows, one commit for a batch."""
