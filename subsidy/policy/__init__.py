"""Who gets how much: the packs as data, the facts of one purchase, the decision on them."""
