"""Double entry per funder: which accounts there are, what each event posts, whether it adds up."""
