"""Whether a simulated market looks like a real one: statistics, targets, replicas, scores."""
