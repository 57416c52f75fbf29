"""A card terminal that talks to its acquirer through us, unchanged: bytes pass, and are understood."""
