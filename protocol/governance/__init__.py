"""How rules change: proposals and their states, votes, bounded routes, the guardian."""
