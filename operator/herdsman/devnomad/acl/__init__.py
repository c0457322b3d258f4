"""Access control: policies read, and what follows from them for the bearer of a token."""
