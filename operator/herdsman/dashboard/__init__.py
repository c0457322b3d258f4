"""Server-rendered pages over the same use cases as API and CLI."""
