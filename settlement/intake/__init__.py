"""What the shops report: taken in exactly once, judged against the fund's own promise."""
