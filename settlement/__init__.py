"""The centre's half: the fund's promises, its books, and everything the shops report."""
