"""A task. How to read the table: see the package."""

TABLE = """
Task
  Name             string
  Driver           string
  User             string
  Lifecycle        *TaskLifecycle
  Config           map[string]interface {}
  Constraints      []*Constraint
  Affinities       []*Affinity
  Env              map[string]string
  Services         []*Service
  Resources        *Resources
  RestartPolicy    *RestartPolicy
  Meta             map[string]string
  KillTimeout      *time.Duration
  LogConfig        *LogConfig
  Artifacts        []*TaskArtifact
  Vault            *Vault
  Consul           *Consul
  Templates        []*Template
  DispatchPayload  *DispatchPayloadConfig
  VolumeMounts     []*VolumeMount
  CSIPluginConfig  *TaskCSIPluginConfig       parse
  Leader           bool
  ShutdownDelay    time.Duration
  KillSignal       string
  Kind             string
  ScalingPolicies  []*ScalingPolicy
  Identity         *WorkloadIdentity
  Identities       []*WorkloadIdentity
  Actions          []*Action
  Schedule         *TaskSchedule
  Secrets          []*Secret
TaskLifecycle
  Hook     string
  Sidecar  bool
LogConfig
  MaxFiles       *int
  MaxFileSizeMB  *int
  Enabled        *bool  api
  Disabled       *bool
DispatchPayloadConfig
  File  string
TaskCSIPluginConfig
  ID                   string
  Type                 string
  MountDir             string
  StagePublishBaseDir  string
  HealthTimeout        time.Duration
VolumeMount
  Volume           *string
  Destination      *string
  ReadOnly         *bool
  PropagationMode  *string
  SELinuxLabel     *string
TaskArtifact
  GetterSource    *string
  GetterOptions   map[string]string
  GetterHeaders   map[string]string
  GetterMode      *string
  GetterInsecure  *bool
  RelativeDest    *string
  Chown           bool
Template
  SourcePath     *string
  DestPath       *string
  EmbeddedTmpl   *string
  ChangeMode     *string
  ChangeScript   *ChangeScript
  ChangeSignal   *string
  Once           *bool
  Splay          *time.Duration
  Perms          *string
  Uid            *int            null
  Gid            *int            null
  LeftDelim      *string
  RightDelim     *string
  Envvars        *bool
  VaultGrace     *time.Duration
  Wait           *WaitConfig
  ErrMissingKey  *bool
ChangeScript
  Command           *string
  Args              []string
  Timeout           *time.Duration
  FailOnError       *bool
  RunOnFirstRender  *bool
WaitConfig
  Min  *time.Duration  null
  Max  *time.Duration  null
Vault
  Policies              []string
  Role                  string
  Namespace             *string
  Cluster               string
  Env                   *bool
  DisableFile           *bool
  ChangeMode            *string
  ChangeSignal          *string
  AllowTokenExpiration  *bool
WorkloadIdentity
  Name          string
  Audience      []string
  ChangeMode    string
  ChangeSignal  string
  Env           bool
  File          bool
  Filepath      string
  ServiceName   string
  TTL           time.Duration
  ExtraClaims   map[string]string
Action
  Name     string
  Command  string
  Args     []string
TaskSchedule
  Cron  *TaskScheduleCron
TaskScheduleCron
  Start     string
  End       string
  Timezone  string
Secret
  Name      string
  Provider  string
  Path      string
  Config    map[string]interface {}
  Env       map[string]string
Resources
  CPU          *int
  Cores        *int
  MemoryMB     *int
  MemoryMaxMB  *int
  DiskMB       *int
  IOPS         *int
  SecretsMB    *int
  Networks     []*NetworkResource
  Devices      []*RequestedDevice
  NUMA         *NUMAResource
RequestedDevice
  Name         string
  Count        *uint64
  Constraints  []*Constraint
  Affinities   []*Affinity
NUMAResource
  Affinity  string
  Devices   []string
"""
