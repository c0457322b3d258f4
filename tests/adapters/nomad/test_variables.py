"""Variables of any namespace, on a Nomad that answers."""

from collections.abc import Iterator

import pytest

from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.errors import Conflict, Refused
from herdsman.model.keys import variable_key


@pytest.fixture
def real(nomad_address: str) -> Iterator[NomadCluster]:
    """A cluster with the namespace team."""
    cluster = NomadCluster(NomadConfig(address=nomad_address), sleep=lambda _: None)
    cluster.put_namespace({"Name": "team"})
    yield cluster
    cluster.close()


def test_a_variable_lives_in_its_namespace_from_write_to_removal(real: NomadCluster) -> None:
    """Written, listed with its index, changed and removed, each by compare-and-set."""
    key = variable_key("team", "nomad/jobs/web")
    first = real.put_variable(key.name, {"a": "1"}, if_index=0, namespace="team")
    assert first.create_index == first.index > 0
    assert real.variables()[key] == first.index
    assert real.variable(key.name).index == 0, "not in the namespace default"

    with pytest.raises(Conflict) as lost:
        real.put_variable(key.name, {"a": "sesame"}, if_index=0, namespace="team")
    assert "sesame" not in str(lost.value)
    second = real.put_variable(key.name, {"a": "2"}, if_index=first.index, namespace="team")
    assert (second.create_index, second.index > first.index) == (first.create_index, True)
    assert real.variable(key.name, namespace="team").items == {"a": "2"}

    with pytest.raises(Conflict):
        real.delete_variable(key.name, if_index=first.index, namespace="team")
    real.delete_variable(key.name, if_index=second.index, namespace="team")
    assert key not in real.variables()
    assert real.variable(key.name, namespace="team").index == 0


def test_a_variable_of_no_namespace_is_refused(real: NomadCluster) -> None:
    """And so looked at again when its spec changes, or its namespace is there."""
    with pytest.raises(Refused):
        real.put_variable("a", {"a": "1"}, if_index=0, namespace="nobody-has-this")
