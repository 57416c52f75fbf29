"""The night: what channels and acquirers say of a day, held against what the shops and the fund say."""
