"""How the till talks to the agent: local HTTP, loopback only."""
