"""Goods that come back: what a shop says of a return, and what that does to the record's money."""
