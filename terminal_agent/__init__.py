"""The shop's half: from the till's request to a durable record of what was paid."""
