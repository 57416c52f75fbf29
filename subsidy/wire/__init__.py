"""What crosses between shop and centre, to the byte."""
