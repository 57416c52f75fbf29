"""The demo's story: real processes, told and counted from outside, over HTTP and files only."""
