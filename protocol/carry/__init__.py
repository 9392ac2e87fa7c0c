"""What holding a position costs or pays: funding between traders, borrowing from a pool."""
