"""One file per kind of number: `read` returns its one spelling or raises BadCode."""


class BadCode(ValueError):
    """A number that cannot be what it is said to be. The message names the rule, never the number."""
