"""The state store: tables, one raft-like index, watches for blocking queries, and the event ring."""
