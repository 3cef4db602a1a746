"""One question put to many networks: proved answers beside sampled ones."""
