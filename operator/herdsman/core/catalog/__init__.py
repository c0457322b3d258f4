"""What a catalog entry means: from its three files to a job, without touching the world.

    entry = parse_entry("modules", "hello-web", files, folder="catalog/modules/hello-web", outline=outline)
    entry = find(catalog, "modules/hello-web")
    rendered = render(entry, {"general": {"title": "Mine"}}, facts=facts, site=site, limits=limits)

`entry` reads the files (`forms` knows the keys, `rules` what fits together); `lookup` finds an entry by its name;
`limits` narrows it for a namespace; `resolve` puts what a user gave over the defaults (`values` checks one value);
`render` makes HCL2 variables of it; `schema` tells it to forms and clients; `lint` tries an entry out (`probes` says
with what, `taint` where texts end up) before anybody else does.
"""

from herdsman.core.catalog.entry import parse_entry
from herdsman.core.catalog.limits import narrow
from herdsman.core.catalog.lint import Lint, lint
from herdsman.core.catalog.lookup import find
from herdsman.core.catalog.render import fact_faults, render, variables_for
from herdsman.core.catalog.resolve import applies, resolve, told
from herdsman.core.catalog.schema import parameters_config, parameters_schema

__all__ = [
    "Lint",
    "applies",
    "fact_faults",
    "find",
    "lint",
    "narrow",
    "parameters_config",
    "parameters_schema",
    "parse_entry",
    "render",
    "resolve",
    "told",
    "variables_for",
]
