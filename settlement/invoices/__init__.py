"""Invoices: which sales have a verified one, and what that lets go."""
