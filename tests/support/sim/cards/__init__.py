"""What stands beside the tills of a world? A card terminal of each kind that the agent knows."""
