"""What agents learn with: hidden Markov models, from first principles, in compiled kernels."""
