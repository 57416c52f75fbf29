"""What moves money or decides for good: proposed by one person, approved by another."""
