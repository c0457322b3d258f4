"""The client: a simulated node, and what runs on it.

fingerprint   the node: what it has, and that it is a simulation
client        which allocations run here, and what the servers are told of them
alloc_runner  one allocation: its tasks in the order of their lifecycle
health_watch  whether it becomes healthy, by its tasks and its checks (health, checks)
task_runner   one task: prepared, started, restarted, stopped (prepare, restarts, logs)
templates/    Go's template language, for what a task finds in its files
drivers/      how a task runs: as a real process, as the mock driver says, or not at all
execs         commands run beside a task
reaper        that nothing of all this outlives the server (reaping)
"""
