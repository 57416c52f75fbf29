"""What does one seed make of the whole? See README.md."""
