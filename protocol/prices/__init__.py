"""What the venue believes about prices, and what they may be used for."""
