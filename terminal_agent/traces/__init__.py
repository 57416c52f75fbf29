"""What passed on a link, masked at the source, for whoever has to find out why it did not work."""
