"""Files that the centre reads: keys, and reference data until it comes by other ways."""
