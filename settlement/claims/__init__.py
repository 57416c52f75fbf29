"""Merchants' claims on the fund: how one is built, paid, corrected, and how money comes back."""
