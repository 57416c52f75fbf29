"""One sale, from the till's request to its record: decide, hold, pay, record, in that order."""
