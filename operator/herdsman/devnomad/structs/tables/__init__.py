"""The shape of a job, block by block: every key of Nomad's JSON API with its Go type.

One line per key: name, type, and how the server keeps it. Without a note a value is kept under the same key, with
the type's zero where the request said nothing. The notes:

    null    kept as null where the request said nothing (the server keeps a pointer too)
    omit    left out of the server's answer while it is zero
    parse   left out of a parsed job while it is null
    api     known to requests only; the server folds it into other keys or forgets it
    server  known to the server only
"""

from herdsman.devnomad.structs.tables import group, job, service, task

ALL = job.TABLE + group.TABLE + task.TABLE + service.TABLE
