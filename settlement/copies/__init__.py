"""Copies of the books, and the proof that a copy is one: backups, restores, moves, books made anew."""
