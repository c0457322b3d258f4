"""An entry as one namespace sees it: with ranges no wider than its limits, and defaults inside of them."""

from dataclasses import replace
from math import ceil, floor

from herdsman.core.catalog.values import interval
from herdsman.model.catalog import Entry, Kind, Limits, Parameter, Range, Resource


def narrow(entry: Entry, limits: Limits) -> Entry:
    """The same entry under *limits*. A range that they leave nothing of stays empty: `resolve` refuses every value."""
    groups = {
        group: {key: _narrowed(parameter, limits) for key, parameter in parameters.items()}
        for group, parameters in entry.groups.items()
    }
    return replace(entry, groups=groups)


def _narrowed(parameter: Parameter, limits: Limits) -> Parameter:
    if parameter.resource is None:
        return parameter
    if parameter.resource is Resource.GPU_MODEL:
        return _among(parameter, limits.gpu_models)
    limit = limits.range(parameter.resource)
    if limit == Range():
        return parameter
    allowed = parameter.rule.range.within(limit)
    if parameter.rule.kind is Kind.INT:
        allowed = Range(*(end and cut(end) for cut, end in ((ceil, allowed.low), (floor, allowed.high))))
    rule = replace(parameter.rule, range=allowed)
    default = parameter.default if allowed.empty else allowed.nearest(parameter.default)
    where = f"the namespace {limits.namespace}" if limits.namespace else "this namespace"
    return replace(parameter, rule=rule, default=default, note=f"{where} allows {interval(limit)}")


def _among(parameter: Parameter, models: tuple[str, ...] | None) -> Parameter:
    """One of the models that there are, or none in particular."""
    if models is None:
        return parameter
    options = tuple(dict.fromkeys((parameter.default, "", *models)))
    return replace(parameter, rule=replace(parameter.rule, options=options))
