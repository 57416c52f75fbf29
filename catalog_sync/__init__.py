"""Reference data for the shops: policy packs now; products and price filings later."""
