"""The words and rules that shop, centre and reference data share. Pure: no clock, disk or network."""

__version__ = "0.1.0"
