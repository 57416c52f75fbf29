"""Registers: what must be unique more widely than a programme, in a database that programmes share."""
