"""Pure functions over jobs as plain dicts in the form of Nomad's JSON API.

A job comes in three forms. As sent: any keys, any of them missing (`decode.decode_job` checks the types and drops what
is unknown). Parsed: every key of a request there, unsaid ones null (`canonical.canonicalize_api` adds the defaults that
the parser's answer shows). Stored: every key that the server answers (`canonical.canonicalize`, from either of the
others); what the server keeps by itself is zero in it. Everything else here takes stored jobs:

    validate.validate       refused? doubtful? `error_text` and `warning_text` make Nomad's texts of it
    changed.spec_changed    does a register make a new version?
    changed.settle_policies what the store fills into scaling policies, each time it stores a version
    jobdiff.diff, annotate  the difference of two jobs in Nomad's words
    updates.needs_replacement  in place, or by new allocations?
    cron.next_launch        when a periodic job runs next
    filters.compile_filter  a filter expression as a predicate over whatever a list endpoint lists

Jobs are values: no function changes its argument (but `annotate`), and results share parts with what they were made of.
`tables` describes every block once, `shapes` makes it work.
"""
