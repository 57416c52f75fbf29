"""Copies of the books, and proofs that a copy is one: backups, restores, moves, books made anew from the events."""
