"""The centre's HTTP: what shops, operators and monitors call."""
