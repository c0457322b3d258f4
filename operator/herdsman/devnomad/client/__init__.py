"""The client: a simulated node, and what runs on it.

fingerprint   the node: what it has, and that it is a simulation
client        which allocations run here, and what the servers are told of them
alloc_runner  one allocation: its tasks in the order of their lifecycle
task_runner   one task: prepared, started, restarted, stopped
drivers/      how a task runs: as a real process, as the mock driver says, or not at all
"""
