"""From live traffic to a cassette: tap, redaction at write, import and export."""
