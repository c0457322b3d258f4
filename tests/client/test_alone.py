"""The package stands alone: a script that uses it needs urllib3 and nothing else, and its types are the API's."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel

from herdsman.api import platform, schemas, stats
from herdsman.api.routes.whoami import WhoamiOut
from herdsman.client import shapes

PAIRS: list[tuple[Any, type[BaseModel]]] = [
    (shapes.Deployment, platform.DeploymentOut),
    (shapes.Resources, platform.ResourcesOut),
    (shapes.Metadata, platform.MetadataOut),
    (shapes.Preview, platform.PreviewOut),
    (shapes.Planned, platform.PlanOut),
    (shapes.Refreshed, platform.RefreshedOut),
    (shapes.Restarted, platform.RestartedOut),
    (shapes.Change, platform.DeploymentChange),
    (shapes.Spec, schemas.SpecOut),
    (shapes.Specs, schemas.SpecsOut),
    (shapes.Condition, schemas.ConditionOut),
    (shapes.Description, schemas.DescriptionOut),
    (shapes.Plan, schemas.PlanOut),
    (shapes.Resync, schemas.ResyncOut),
    (shapes.Record, schemas.RecordOut),
    (shapes.Event, schemas.EventOut),
    (shapes.Version, schemas.VersionOut),
    (shapes.Trace, schemas.TraceOut),
    (shapes.RolledBack, schemas.RollbackOut),
    (shapes.Overview, schemas.OverviewOut),
    (shapes.Whoami, WhoamiOut),
    (shapes.Amounts, stats.AmountsOut),
    (shapes.Used, stats.UsedOut),
    (shapes.UsageRow, stats.UsageRowOut),
    (shapes.Usage, stats.UsageOut),
    (shapes.Summary, stats.SummaryOut),
    (shapes.Node, stats.NodeOut),
    (shapes.ClusterSum, stats.ClusterSumOut),
    (shapes.Cluster, stats.ClusterOut),
]


@pytest.mark.parametrize(("shape", "model"), PAIRS, ids=lambda one: one.__name__)
def test_a_type_has_the_fields_that_are_answered(shape: Any, model: type[BaseModel]) -> None:
    """A field that the API gains or loses shows here."""
    sent = {field.serialization_alias or field.alias or name for name, field in model.model_fields.items()}

    assert set(shape.__required_keys__ | shape.__optional_keys__) == sent


def test_orders_have_the_fields_that_are_taken() -> None:
    """All that can be ordered, besides the entry, which is named by itself."""
    taken = set(platform.DeploymentIn.model_fields) - {"catalog"}

    assert set(shapes.Order.__optional_keys__) == taken


def test_it_imports_urllib3_and_nothing_else() -> None:
    """No framework is loaded by a script that only asks."""
    code = "import sys, herdsman.client; print('\\n'.join(sorted({name.split('.')[0] for name in sys.modules})))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    bare = subprocess.run(
        [sys.executable, "-c", code.replace(", herdsman.client", ", urllib3")],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip

    assert set(found) - set(bare) - set(sys.stdlib_module_names) == {"herdsman"}
