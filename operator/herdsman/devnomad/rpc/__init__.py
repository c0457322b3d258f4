"""What the server does when it is asked: one file per family of requests, free of HTTP."""
