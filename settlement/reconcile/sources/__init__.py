"""The files of the other sides: one reader per layout, each strict."""
