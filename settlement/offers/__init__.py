"""Offers of banks and channels: their own money, never the pool's."""
