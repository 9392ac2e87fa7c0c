"""How an order becomes fills: one module per venue family."""
