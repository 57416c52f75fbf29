"""The pool: what is put in, what is promised, and how a promise ends."""
