"""A long run of the real product under load while its processes die; `make soak`."""
