"""The embedded Nomad: a simulation of Nomad's HTTP API for first runs, demos and tests. It imports only `jobspec`.

server     serves it: sockets, signals, the start-up line
agent      puts one cluster together
http/      requests and answers, with Nomad's manners
rpc/       what requests do
state/     tables, one index, watches, events, and the log on disk
leader/    evaluations handed out and worked off; deployments, drains, launches, garbage
scheduler/ where things run: pure functions from a snapshot to a plan
client/    simulated nodes, and the tasks on them
acl/       policies and the rights they give
structs/   jobs as values: defaults, validation, differences
"""
