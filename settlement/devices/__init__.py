"""The shops' installations: how one is enrolled, and how one is frozen."""
