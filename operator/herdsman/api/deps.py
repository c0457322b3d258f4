"""What every route is given."""

from typing import Annotated

from fastapi import Depends, Request

from herdsman.usecases import Operator


def _operator(request: Request) -> Operator:
    operator: Operator = request.app.state.operator
    return operator


Op = Annotated[Operator, Depends(_operator)]
"""The use cases."""
