"""Who bears what a failing account cannot: funds, the vault, the other side, everybody."""
