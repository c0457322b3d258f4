"""A job, and the blocks that jobs, groups and tasks share. How to read the table: see the package."""

TABLE = """
Job
  Region                    *string
  Namespace                 *string
  ID                        *string
  Name                      *string
  Type                      *string
  Priority                  *int
  AllAtOnce                 *bool
  Datacenters               []string
  NodePool                  *string
  Constraints               []*Constraint
  Affinities                []*Affinity
  TaskGroups                []*TaskGroup
  Update                    *UpdateStrategy
  Multiregion               *Multiregion
  Spreads                   []*Spread
  Periodic                  *PeriodicConfig
  ParameterizedJob          *ParameterizedJobConfig
  Reschedule                *ReschedulePolicy             api
  Migrate                   *MigrateStrategy              api
  Meta                      map[string]string
  UI                        *JobUIConfig
  Stop                      *bool
  ParentID                  *string
  Dispatched                bool
  DispatchIdempotencyToken  *string
  Payload                   []uint8
  ConsulNamespace           *string
  VaultNamespace            *string
  NomadTokenID              *string
  Status                    *string
  StatusDescription         *string
  Stable                    *bool
  Version                   *uint64
  SubmitTime                *int64
  CreateIndex               *uint64
  ModifyIndex               *uint64
  JobModifyIndex            *uint64
  VersionTag                *JobVersionTag
JobVersionTag
  Name         string
  Description  string
  TaggedTime   int64
JobUIConfig
  Description  string
  Links        []*JobUILink
JobUILink
  Label  string
  URL    string
PeriodicConfig
  Enabled          *bool
  Spec             *string
  Specs            []string
  SpecType         *string
  ProhibitOverlap  *bool
  TimeZone         *string
ParameterizedJobConfig
  Payload       string
  MetaRequired  []string
  MetaOptional  []string
Multiregion
  Strategy  *MultiregionStrategy
  Regions   []*MultiregionRegion
MultiregionStrategy
  MaxParallel  *int
  OnFailure    *string
MultiregionRegion
  Name         string
  Count        *int
  Datacenters  []string
  NodePool     string
  Meta         map[string]string
Constraint
  LTarget  string
  RTarget  string
  Operand  string
Affinity
  LTarget  string
  RTarget  string
  Operand  string
  Weight   *int8
Spread
  Attribute     string
  Weight        *int8
  SpreadTarget  []*SpreadTarget
SpreadTarget
  Value    string
  Percent  uint8
UpdateStrategy
  Stagger           *time.Duration
  MaxParallel       *int
  HealthCheck       *string
  MinHealthyTime    *time.Duration
  HealthyDeadline   *time.Duration
  ProgressDeadline  *time.Duration
  Canary            *int
  AutoRevert        *bool
  AutoPromote       *bool
MigrateStrategy
  MaxParallel      *int
  HealthCheck      *string
  MinHealthyTime   *time.Duration
  HealthyDeadline  *time.Duration
ReschedulePolicy
  Attempts       *int
  Interval       *time.Duration
  Delay          *time.Duration
  DelayFunction  *string
  MaxDelay       *time.Duration
  Unlimited      *bool
RestartPolicy
  Interval         *time.Duration
  Attempts         *int
  Delay            *time.Duration
  Mode             *string
  RenderTemplates  *bool
"""
