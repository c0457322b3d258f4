"""What requests bring besides jobs, type-checked as Nomad's JSON decoding (Go's) does it: one table of bodies.

Two tables, one for each Go package whose name an error shows. How to read a table: see `tables`.
"""

from typing import Final

from herdsman.devnomad.structs import shapes
from herdsman.devnomad.structs.decode import DecodeError
from herdsman.devnomad.structs.shapes import Json, NotBase64, WrongType

_API: Final = """
JobRegisterRequest
  Job                *interface {}
  EnforceIndex       bool
  JobModifyIndex     uint64
  PolicyOverride     bool
  PreserveCounts     bool
  PreserveResources  bool
  EvalPriority       int
  Submission         *JobSubmission
JobSubmission
  Source         string
  Format         string
  VariableFlags  map[string]string
  Variables      string
JobPlanRequest
  Job             *interface {}
  Diff            bool
  PolicyOverride  bool
JobValidateRequest
  Job  *interface {}
JobsParseRequest
  JobHCL        string
  HCLv1         bool
  Variables     string
  Canonicalize  bool
ScalingRequest
  Count           *int64
  Target          map[string]string
  Message         string
  Error           bool
  Meta            map[string]interface {}
  PolicyOverride  bool
  EnforceIndex    bool
  JobModifyIndex  uint64
TagVersionRequest
  Version      *uint64
  Description  string
NodeUpdateDrainRequest
  NodeID        string
  DrainSpec     *DrainSpec
  MarkEligible  bool
  Meta          map[string]string
DrainSpec
  Deadline          time.Duration
  IgnoreSystemJobs  bool
SchedulerConfiguration
  SchedulerAlgorithm             string
  PreemptionConfig               *PreemptionConfig
  MemoryOversubscriptionEnabled  bool
  RejectJobRegistration          bool
  PauseEvalBroker                bool
PreemptionConfig
  SystemSchedulerEnabled    bool
  SysBatchSchedulerEnabled  bool
  BatchSchedulerEnabled     bool
  ServiceSchedulerEnabled   bool
"""
_STRUCTS: Final = """
JobRevertRequest
  JobID                string
  JobVersion           uint64
  EnforcePriorVersion  *uint64
JobStabilityRequest
  JobID       string
  JobVersion  uint64
  Stable      bool
JobDispatchRequest
  JobID             string
  Payload           []uint8
  Meta              map[string]string
  IdPrefixTemplate  string
  Priority          int
JobEvaluateRequest
  JobID        string
  EvalOptions  *EvalOptions
EvalOptions
  ForceReschedule  bool
JobStatusesRequest
  Jobs             []*NamespacedID
  IncludeChildren  bool
NamespacedID
  ID         string
  Namespace  string
AllocRestartRequest
  TaskName  string
  AllTasks  bool
AllocSignalRequest
  Task    string
  Signal  string
EvalDeleteRequest
  EvalIDs  []string
  Filter   string
DeploymentPromoteRequest
  DeploymentID  string
  All           bool
  Groups        []string
DeploymentPauseRequest
  DeploymentID  string
  Pause         bool
DeploymentAllocHealthRequest
  DeploymentID            string
  HealthyAllocationIDs    []string
  UnhealthyAllocationIDs  []string
NodeUpdateEligibilityRequest
  NodeID       string
  Eligibility  string
NodeMetaApplyRequest
  NodeID  string
  Meta    map[string]*string
NodePool
  Name                    string
  Description             string
  Meta                    map[string]string
  NodeIdentityTTL         time.Duration
  SchedulerConfiguration  *NodePoolSchedulerConfiguration
NodePoolSchedulerConfiguration
  SchedulerAlgorithm             string
  MemoryOversubscriptionEnabled  *bool
Namespace
  Name          string
  Description   string
  Quota         string
  Capabilities  *NamespaceCapabilities
  Meta          map[string]string
NamespaceCapabilities
  EnabledTaskDrivers    []string
  DisabledTaskDrivers   []string
  EnabledNetworkModes   []string
  DisabledNetworkModes  []string
VariableDecrypted
  Namespace  string
  Path       string
  Items      map[string]string
  Lock       *VariableLock
VariableLock
  ID         string
  TTL        interface {}
  LockDelay  interface {}
SearchRequest
  Prefix     string
  Context    string
  Namespace  string
FuzzySearchRequest
  Text       string
  Context    string
  Namespace  string
ACLTokenBootstrapRequest
  BootstrapSecret  string
ACLToken
  AccessorID      string
  SecretID        string
  Name            string
  Type            string
  Policies        []string
  Roles           []*ACLTokenRoleLink
  Global          bool
  ExpirationTime  *string
  ExpirationTTL   interface {}
ACLTokenRoleLink
  ID    string
  Name  string
OneTimeTokenExchangeRequest
  OneTimeSecretID  string
ACLPolicy
  Name         string
  Description  string
  Rules        string
  JobACL       *JobACL
JobACL
  Namespace  string
  JobID      string
  Group      string
  Task       string
ACLRole
  ID           string
  Name         string
  Description  string
  Policies     []*ACLRolePolicyLink
ACLRolePolicyLink
  Name  string
"""
_SHAPES: Final = {
    f"{package}.{name}": shape
    for package, table in (("api", _API), ("structs", _STRUCTS))
    for name, shape in shapes.read(table, package=package).items()
}


def decode_body(name: str, value: object) -> Json:
    """The known keys of a body of this type (`structs.JobRevertRequest`), properly spelt; raises DecodeError."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DecodeError(f"json: cannot unmarshal {WrongType(value, name).kind} into Go value of type {name}")
    try:
        return _SHAPES[name].decode(value)
    except WrongType as wrong:
        at = ".".join([wrong.struct, *wrong.path])
        raise DecodeError(f"json: cannot unmarshal {wrong.kind} into Go struct field {at} of type {wrong.go}") from None
    except NotBase64 as error:
        raise DecodeError(str(error)) from None
