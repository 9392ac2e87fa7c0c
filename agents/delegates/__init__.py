"""The people behind a governance token: who holds power, who votes when, and for what."""
