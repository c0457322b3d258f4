"""The scheduler: a snapshot of the world in, a plan out. Nothing in here writes, waits or reads a clock.

reconcile   what should change: which allocations stop, stay, change in place, are replaced, are placed
groups      the same for each group of the job
buckets     its allocations, sorted by what they need
system      the same for jobs that run on every node
feasible    which nodes may hold a group: constraints, drivers, devices, networks, volumes
fit         what a group takes of a node, and whether that is left
rank        which of the nodes that may hold it is best
place       placements, one after the other, onto nodes
process     one evaluation from beginning to end
"""
