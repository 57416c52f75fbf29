"""What the shop knows, durably: sales, attempts, the outbox and its chain, in one SQLite file."""
