"""The fields of a job in the form of Nomad's API, up to Nomad 2.0, block by block: name, type, what it is for.

Types: text, bool, duration and the whole numbers int, int8, uint8 … · Block, [Block] a list of them, {Block} a mapping
by name · {text} texts by key, {[text]} lists of texts by key · {any} free · server: kept by Nomad, never written here.
After `=` stand the values that Nomad documents; others are passed on, for Nomad to judge. `!` marks what must be there.

Sources: https://developer.hashicorp.com/nomad/api-docs/json-jobs and
https://developer.hashicorp.com/nomad/docs/job-specification
"""

from typing import Final

JOB: Final = """
Job: a Nomad job
  ID                       text  the job's ID; comes from metadata.name
  Name                     text  the job's name; comes from metadata.name
  Namespace                text  the namespace it lives in; comes from metadata.namespace
  Region                   text  the region it runs in
  Type                     text=service|batch|system|sysbatch  how it is scheduled: service runs for good, batch to its end, system and sysbatch on every node
  Priority                 int   who goes first when room is short: 1 to 100, default 50
  AllAtOnce                bool  place all of its tasks at once or none
  Datacenters              [text]  datacenters that it may run in, with * for any text
  NodePool                 text  the node pool that it runs in
  Constraints              [Constraint]  what a node must have
  Affinities               [Affinity]  what a node should have
  Spreads                  [Spread]  how allocations are spread over nodes
  TaskGroups               [TaskGroup]!  groups of tasks; the tasks of one group run on one node
  Update                   Update  how a change is rolled out, for all groups
  Migrate                  Migrate  how allocations leave a draining node, for all groups
  Reschedule               Reschedule  when failed allocations move to another node, for all groups
  Multiregion              Multiregion  deploy to several regions (Enterprise)
  Periodic                 Periodic  run by a schedule
  ParameterizedJob         Parameterized  a template that runs when it is dispatched
  Meta                     {text}  metadata; any change of it replaces all allocations
  UI                       UI    what Nomad's web pages show beside it
  Stop                     bool  registered but stopped
  ConsulNamespace          text  Consul namespace (Enterprise)
  VaultNamespace           text  Vault namespace (Enterprise)
  ParentID                 server
  Dispatched               server
  DispatchIdempotencyToken server
  Payload                  server
  NomadTokenID             server
  ConsulToken              server
  VaultToken               server
  Status                   server
  StatusDescription        server
  Stable                   server
  Version                  server
  VersionTag               server
  SubmitTime               server
  CreateIndex              server
  ModifyIndex              server
  JobModifyIndex           server
UI: what Nomad's web pages show beside a job
  Description              text  a text in Markdown
  Links                    [UILink]  links that belong to the job
UILink: a link
  Label                    text  its words
  URL                      text  its address
Periodic: run by a schedule
  Enabled                  bool  whether the schedule is on
  Spec                     text  one schedule, like 0 3 * * *
  Specs                    [text]  several schedules
  SpecType                 text=cron  how schedules are written
  ProhibitOverlap          bool  do not start while the last run goes on
  TimeZone                 text  time zone of the schedules, like Europe/Berlin
Parameterized: what a dispatch brings along
  Payload                  text=optional|required|forbidden  whether it brings a payload
  MetaRequired             [text]  metadata that it must bring
  MetaOptional             [text]  metadata that it may bring
Multiregion: deploy to several regions (Enterprise)
  Strategy                 MultiregionStrategy  how the regions follow one another
  Regions                  [MultiregionRegion]  the regions, in order
MultiregionStrategy: how regions follow one another
  MaxParallel              int   regions at once
  OnFailure                text=fail_all|fail_local  what a failure stops
MultiregionRegion: one region
  Name                     text  its name
  Count                    int   allocations of groups that have no count
  Datacenters              [text]  its datacenters
  NodePool                 text  its node pool
  Meta                     {text}  metadata there
Constraint: what a node must have
  LTarget                  text  an attribute, like ${attr.kernel.name}
  RTarget                  text  what it is compared with
  Operand                  text==|!=|>|>=|<|<=|regexp|set_contains|set_contains_any|version|semver|distinct_hosts|distinct_property|is_set|is_not_set  how
Affinity: what a node should have
  LTarget                  text  an attribute, like ${node.datacenter}
  RTarget                  text  what it is compared with
  Operand                  text==|!=|>|>=|<|<=|regexp|set_contains_all|set_contains_any|version|semver  how
  Weight                   int8  from -100 (away) to 100 (towards)
Spread: how allocations are spread
  Attribute                text  over the values of which attribute, like ${node.datacenter}
  Weight                   int8  how much it counts, 0 to 100
  SpreadTarget             [SpreadTarget]  shares of single values; left out: evenly
SpreadTarget: the share of one value
  Value                    text  the value
  Percent                  uint8  its share in percent
Update: how a change is rolled out
  Stagger                  duration  time between batches, for system jobs
  MaxParallel              int   allocations replaced at once
  HealthCheck              text=checks|task_states|manual  what health is judged by
  MinHealthyTime           duration  how long an allocation must be healthy
  HealthyDeadline          duration  by when an allocation must be healthy
  ProgressDeadline         duration  by when the next allocation must be healthy
  Canary                   int   allocations of the new version that run beside the old ones first
  AutoRevert               bool  go back to the last stable version on failure
  AutoPromote              bool  promote canaries by itself once all are healthy
Migrate: how allocations leave a draining node
  MaxParallel              int   allocations moved at once
  HealthCheck              text=checks|task_states  what health is judged by
  MinHealthyTime           duration  how long a new allocation must be healthy
  HealthyDeadline          duration  by when it must be healthy
Reschedule: when failed allocations move to another node
  Attempts                 int   how often within the interval
  Interval                 duration  the interval
  Delay                    duration  time before the first move
  DelayFunction            text=constant|exponential|fibonacci  how the delay grows
  MaxDelay                 duration  the longest delay
  Unlimited                bool  as often as it takes
Restart: when failed tasks start again on their node
  Attempts                 int   how often within the interval
  Interval                 duration  the interval
  Delay                    duration  time before a restart
  Mode                     text=fail|delay  what happens after the last attempt
  RenderTemplates          bool  render templates anew on a restart
"""  # noqa: E501  one field, one line

GROUP: Final = """
TaskGroup: tasks that run together on one node
  Name                     text! its name within the job
  Count                    int   how many allocations
  Constraints              [Constraint]  what a node must have
  Affinities               [Affinity]  what a node should have
  Spreads                  [Spread]  how allocations are spread over nodes
  Tasks                    [Task]  its tasks
  Volumes                  {Volume}  volumes that its tasks may mount, by name
  RestartPolicy            Restart  when failed tasks start again on their node
  ReschedulePolicy         Reschedule  when failed allocations move to another node
  Disconnect               Disconnect  what happens when the node loses its servers
  EphemeralDisk            EphemeralDisk  the disk that the allocation gets
  Update                   Update  how a change is rolled out
  Migrate                  Migrate  how allocations leave a draining node
  Networks                 [Network]  network and ports of the allocation
  Meta                     {text}  metadata; any change of it replaces the group's allocations
  Services                 [Service]  services that are registered for the group
  ShutdownDelay            duration  time between deregistering services and stopping tasks
  StopAfterClientDisconnect duration  superseded by Disconnect.StopOnClientAfter
  MaxClientDisconnect      duration  superseded by Disconnect.LostAfter
  PreventRescheduleOnLost  bool  superseded by Disconnect
  MaxRunDuration           duration  stop an allocation that runs longer
  Scaling                  Scaling  bounds for an autoscaler; the count is then its business
  Consul                   Consul  which Consul the group talks to
Disconnect: what happens when a node loses its servers
  LostAfter                duration  after this time an allocation counts as lost
  StopOnClientAfter        duration  after this time the node stops it by itself
  Replace                  bool  whether it is replaced meanwhile
  Reconcile                text=keep_original|keep_replacement|best_score|longest_running  which one stays when the node is back
EphemeralDisk: the disk that an allocation gets
  Sticky                   bool  keep it over updates where possible
  Migrate                  bool  copy it to the next node
  SizeMB                   int   its size in MB
Scaling: bounds for an autoscaler
  Min                      int   the smallest count
  Max                      int   the largest count
  Enabled                  bool  whether it is on
  Type                     text=horizontal|vertical_cpu|vertical_mem  what is scaled
  Target                   {text}  what is scaled; filled in by Nomad
  Policy                   {any}  what the autoscaler reads
  ID                       server
  Namespace                server
  CreateIndex              server
  ModifyIndex              server
Volume: a volume that a group asks for
  Name                     text  its name within the group
  Type                     text=host|csi  its sort
  Source                   text  its name on the node or in the cluster
  ReadOnly                 bool  mounted without the right to write
  Sticky                   bool  an allocation keeps its volume over updates
  AccessMode               text=single-node-reader-only|single-node-writer|multi-node-reader-only|multi-node-single-writer|multi-node-multi-writer  who may use it at once
  AttachmentMode           text=file-system|block-device  how it is attached
  MountOptions             MountOptions  how it is mounted
  PerAlloc                 bool  one volume per allocation: the index becomes part of its name
MountOptions: how a CSI volume is mounted
  FSType                   text  its file system
  MountFlags               [text]  flags for mount
Network: network and ports of an allocation
  Mode                     text=host|bridge|none  host, bridge, none, or cni/ and a name
  Device                   text  a network device
  CIDR                     text  its address range
  IP                       text  its address
  Hostname                 text  the host name in the allocation's network
  MBits                    int   no longer used
  DNS                      DNS   how names are resolved
  ReservedPorts            [Port]  ports with fixed numbers
  DynamicPorts             [Port]  ports whose numbers Nomad chooses
  CNI                      CNI   arguments for CNI plugins
DNS: how names are resolved
  Servers                  [text]  name servers
  Searches                 [text]  search domains
  Options                  [text]  options of the resolver
CNI: arguments for CNI plugins
  Args                     {text}  by name
Port: a port
  Label                    text  its name, which services and ${NOMAD_PORT_label} use
  Value                    int   its number on the node, for reserved ports
  To                       int   its number inside the allocation's network
  HostNetwork              text  which of the node's networks
  IgnoreCollision          bool  allow it to be in use already
Consul: which Consul a group or task talks to
  Namespace                text  Consul namespace (Enterprise)
  Cluster                  text  Consul cluster (Enterprise)
  Partition                text  Consul admin partition (Enterprise)
"""  # noqa: E501  one field, one line

TASK: Final = """
Task: one process, container or machine
  Name                     text! its name within the group
  Driver                   text! what runs it: docker, exec, raw_exec, java, qemu, podman …
  User                     text  the user that it runs as
  Kind                     text  what it is to Consul Connect; mostly filled in by Nomad
  Leader                   bool  when it ends, the group's other tasks are stopped
  Lifecycle                Lifecycle  when it runs within the group's life
  Config                   {any}  what the driver wants to know
  Env                      {text}  environment variables
  Meta                     {text}  metadata; any change of it replaces the allocation
  Resources                Resources  what it may use
  Constraints              [Constraint]  what a node must have
  Affinities               [Affinity]  what a node should have
  Services                 [Service]  services that are registered for the task
  RestartPolicy            Restart  when it starts again after a failure
  KillTimeout              duration  time between the signal and the kill
  KillSignal               text  the signal that asks it to end, like SIGINT
  ShutdownDelay            duration  time between deregistering its services and stopping it
  LogConfig                LogConfig  how its output is kept
  Artifacts                [Artifact]  what is downloaded before it starts
  Templates                [Template]  files that are rendered for it
  Vault                    Vault  what it may read from Vault
  Consul                   Consul  which Consul it talks to
  Identity                 Identity  its default workload identity
  Identities               [Identity]  more workload identities, by name
  DispatchPayload          DispatchPayload  where the payload of a dispatch goes
  VolumeMounts             [VolumeMount]  where the group's volumes appear
  CSIPluginConfig          CSIPlugin  it is a CSI plugin
  ScalingPolicies          [Scaling]  bounds for vertical scaling (Enterprise)
  Actions                  [Action]  commands that people may run in it
  Schedule                 Schedule  hours in which it runs (Enterprise)
  Secrets                  [Secret]  values that are fetched before it starts
Lifecycle: when a task runs within its group's life
  Hook                     text=prestart|poststart|poststop  before, after the start of, or after the main tasks
  Sidecar                  bool  it runs as long as they do
Resources: what a task may use
  CPU                      int   MHz
  Cores                    int   whole cores, instead of MHz
  MemoryMB                 int   memory in MB
  MemoryMaxMB              int   memory that it may use while the node has some to spare
  DiskMB                   int   no longer used: see the group's EphemeralDisk
  IOPS                     int   no longer used
  SecretsMB                int   size of the directory for secrets
  Networks                 [Network]  no longer used: see the group's Networks
  Devices                  [Device]  devices, like GPUs
  NUMA                     NUMA  where its cores and devices should be
Device: a device that a task asks for
  Name                     text  type, vendor/type or vendor/type/model, like nvidia/gpu
  Count                    uint64  how many
  Constraints              [Constraint]  what the device must have
  Affinities               [Affinity]  what the device should have
NUMA: where cores and devices should be
  Affinity                 text=none|prefer|require  how much it matters that they are near one another
  Devices                  [text]  devices that must be near
LogConfig: how output is kept
  MaxFiles                 int   how many files
  MaxFileSizeMB            int   how large each may grow
  Disabled                 bool  keep nothing
  Enabled                  bool  no longer used: see Disabled
DispatchPayload: where the payload of a dispatch goes
  File                     text  a path below the task's local directory
VolumeMount: where a volume appears
  Volume                   text  the volume's name within the group
  Destination              text  the path in the task
  ReadOnly                 bool  without the right to write
  PropagationMode          text=private|host-to-task|bidirectional  whether mounts show on the other side
  SELinuxLabel             text  a label for SELinux, like z
CSIPlugin: a task that is a CSI plugin
  ID                       text  the plugin's ID
  Type                     text=controller|node|monolith  its sort
  MountDir                 text  where it makes its socket
  StagePublishBaseDir      text  where it mounts volumes
  HealthTimeout            duration  by when it must answer
Artifact: what is downloaded before a task starts
  GetterSource             text  its address
  GetterMode               text=any|file|dir  what it is expected to be
  GetterOptions            {text}  options, like checksum
  GetterHeaders            {text}  HTTP headers
  GetterInsecure           bool  do not verify TLS
  RelativeDest             text  where it goes, below the task's directory
  Chown                    bool  make it the task's user's
Template: a file that is rendered for a task
  EmbeddedTmpl             text  the template itself
  SourcePath               text  or where it is
  DestPath                 text  where the result goes, below the task's directory
  ChangeMode               text=noop|restart|signal|script  what happens when the result changes
  ChangeSignal             text  the signal, for signal
  ChangeScript             ChangeScript  the script, for script
  Once                     bool  render once, then never again
  Splay                    duration  a random wait before ChangeMode, so that not all act at once
  Perms                    text  mode of the file, in octal and in quotes: "644"
  Uid                      int   owner of the file
  Gid                      int   group of the file
  LeftDelim                text  what begins an action, {{ if left out
  RightDelim               text  what ends an action, }} if left out
  Envvars                  bool  read the result as environment variables
  ErrMissingKey            bool  fail on a missing key
  VaultGrace               duration  no longer used
  Wait                     Wait  wait for more changes before rendering
ChangeScript: a script that runs when a template changed
  Command                  text  the program in the task
  Args                     [text]  its arguments
  Timeout                  duration  by when it must end
  FailOnError              bool  kill the task if it fails
  RunOnFirstRender         bool  run it on the first rendering too
Wait: wait for more changes before rendering
  Min                      duration  at least
  Max                      duration  at most
Vault: what a task may read from Vault
  Role                     text  the role that it takes
  Policies                 [text]  policies, where Vault is used without workload identity
  Namespace                text  Vault namespace (Enterprise)
  Cluster                  text  Vault cluster (Enterprise)
  Env                      bool  put the token into VAULT_TOKEN
  DisableFile              bool  put the token into no file
  ChangeMode               text=noop|restart|signal  what happens when the token changes
  ChangeSignal             text  the signal, for signal
  AllowTokenExpiration     bool  do not renew the token
Identity: a workload identity
  Name                     text  its name
  Audience                 [text]  who should believe it
  ChangeMode               text=noop|restart|signal  what happens when it is renewed
  ChangeSignal             text  the signal, for signal
  Env                      bool  put it into the environment
  File                     bool  put it into a file
  Filepath                 text  which file
  ServiceName              text  the service that it is for
  TTL                      duration  how long it is good
  ExtraClaims              {text}  claims to add
Action: a command that people may run in a task
  Name                     text  its name
  Command                  text  the program
  Args                     [text]  its arguments
Schedule: hours in which a task runs (Enterprise)
  Cron                     ScheduleCron  by cron
ScheduleCron: hours by cron
  Start                    text  when it starts
  End                      text  when it ends
  Timezone                 text  in which time zone
Secret: a value that is fetched before a task starts
  Name                     text  its name, for ${secret.name.key}
  Provider                 text  who has it: nomad, vault, or a plugin
  Path                     text  where it is there
  Config                   {any}  what the provider wants to know
  Env                      {text}  environment variables of a plugin
"""

SERVICE: Final = """
Service: a service that is registered
  Name                     text  its name
  Provider                 text=consul|nomad  who keeps the register
  PortLabel                text  the port's label, or its number in quotes
  AddressMode              text=auto|host|alloc|driver  which address is registered
  Address                  text  an address of your own
  TaskName                 text  the task that it belongs to, for a group's service
  Tags                     [text]  tags
  CanaryTags               [text]  tags while it is a canary
  EnableTagOverride        bool  leave tags that others changed in Consul
  Meta                     {text}  metadata in the register
  CanaryMeta               {text}  metadata while it is a canary
  TaggedAddresses          {text}  addresses by tag
  Checks                   [Check]  health checks
  CheckRestart             CheckRestart  restart the task on failing checks, for all checks
  Connect                  Connect  Consul's service mesh
  OnUpdate                 text=require_healthy|ignore_warnings|ignore  how checks count in a rollout
  Cluster                  text  Consul cluster (Enterprise)
  Identity                 Identity  how it proves itself to Consul
  Kind                     text  the sort of service that Consul sees
  Weights                  Weights  weights in answers of Consul's DNS
  Namespace                server
Weights: weights in answers of Consul's DNS
  Passing                  int   while healthy
  Warning                  int   while in warning
Check: a health check
  Name                     text  its name
  Type                     text=http|tcp|grpc|script  how it asks
  Command                  text  the program, for script
  Args                     [text]  its arguments
  Path                     text  the path, for http
  Method                   text  the method, for http
  Protocol                 text=http|https  for http
  Header                   {[text]}  HTTP headers
  Body                     text  what is sent
  PortLabel                text  the port's label, or its number in quotes
  AddressMode              text=auto|host|alloc|driver  which address is asked
  Advertise                text  an address of your own
  Expose                   bool  let it through the mesh proxy
  Interval                 duration  how often
  Timeout                  duration  how long an answer may take
  InitialStatus            text=passing|warning|critical  before the first answer
  Notes                    text  a note in Consul
  TLSServerName            text  the name that the certificate must bear
  TLSSkipVerify            bool  do not verify the certificate
  CheckRestart             CheckRestart  restart the task when it fails
  GRPCService              text  which service, for grpc
  GRPCUseTLS               bool  with TLS, for grpc
  TaskName                 text  the task that runs the script
  SuccessBeforePassing     int   good answers before it passes
  FailuresBeforeCritical   int   bad answers before it is critical
  FailuresBeforeWarning    int   bad answers before it warns
  OnUpdate                 text=require_healthy|ignore_warnings|ignore  how it counts in a rollout
CheckRestart: restart a task on failing checks
  Limit                    int   failures in a row
  Grace                    duration  time after a start in which they do not count
  IgnoreWarnings           bool  whether warnings are no failures
Connect: Consul's service mesh
  Native                   bool  the task speaks it itself
  SidecarService           SidecarService  a proxy beside the tasks
  SidecarTask              SidecarTask  how the proxy runs
  Gateway                  Gateway  a gateway into or out of the mesh
SidecarService: a proxy beside the tasks
  Tags                     [text]  tags
  Port                     text  its port's label
  Proxy                    Proxy  how it is set up
  DisableDefaultTCPCheck   bool  without the check that is added by default
  Meta                     {text}  metadata in the register
SidecarTask: how the proxy runs
  Name                     text  the task's name
  Driver                   text  what runs it
  User                     text  the user that it runs as
  Config                   {any}  what the driver wants to know
  Env                      {text}  environment variables
  Resources                Resources  what it may use
  Meta                     {text}  metadata
  KillTimeout              duration  time between the signal and the kill
  KillSignal               text  the signal that asks it to end
  ShutdownDelay            duration  time before it is stopped
  LogConfig                LogConfig  how its output is kept
  VolumeMounts             [VolumeMount]  where volumes appear
  Identities               [Identity]  workload identities
Proxy: how the proxy is set up
  LocalServiceAddress      text  where the service listens
  LocalServicePort         int   and on which port
  Upstreams                [Upstream]  services that the tasks call through it
  Expose                   Expose  paths that are open to callers outside the mesh
  ExposeConfig             Expose  an older name of Expose
  TransparentProxy         TransparentProxy  all traffic goes through it
  Config                   {any}  what it should know besides
Expose: paths that are open to callers outside the mesh
  Paths                    [ExposePath]  the paths
  Path                     [ExposePath]  an older name of Paths
ExposePath: an open path
  Path                     text  the path
  Protocol                 text=http|http2  its protocol
  LocalPathPort            int   the service's port
  ListenerPort             text  the label of the port that is opened
TransparentProxy: all traffic goes through the proxy
  UID                      text  the user ID of the proxy, in quotes
  OutboundPort             uint16  the port that outgoing traffic is led to
  ExcludeInboundPorts      [text]  incoming ports that are left alone
  ExcludeOutboundPorts     [uint16]  outgoing ports that are left alone
  ExcludeOutboundCIDRs     [text]  address ranges that are left alone
  ExcludeUIDs              [text]  users that are left alone
  NoDNS                    bool  leave name resolution alone
Upstream: a service that tasks call through the proxy
  DestinationName          text  its name
  DestinationNamespace     text  its Consul namespace (Enterprise)
  DestinationPeer          text  the cluster peering that it is behind
  DestinationPartition     text  its admin partition (Enterprise)
  DestinationType          text=service|prepared_query  what the name means
  LocalBindAddress         text  where tasks reach it
  LocalBindPort            int   and on which port
  LocalBindSocketPath      text  or by which socket
  LocalBindSocketMode      text  mode of the socket
  Datacenter               text  the datacenter that it is in
  MeshGateway              MeshGateway  how the way leads through gateways
  Config                   {any}  what the proxy should know besides
MeshGateway: how the way leads through gateways
  Mode                     text=local|remote|none  which gateways
Gateway: a gateway into or out of the mesh
  Proxy                    GatewayProxy  how its proxy is set up
  Ingress                  Ingress  into the mesh
  Terminating              Terminating  out of the mesh
  Mesh                     Mesh  between meshes
GatewayProxy: how a gateway's proxy is set up
  ConnectTimeout           duration  how long a connection may take
  EnvoyGatewayBindTaggedAddresses bool  listen on the tagged addresses
  EnvoyGatewayBindAddresses {BindAddress}  listen on these addresses, by name
  EnvoyGatewayNoDefaultBind bool  do not listen on the default address
  EnvoyDNSDiscoveryType    text=STRICT_DNS|LOGICAL_DNS  how names are resolved
  Config                   {any}  what it should know besides
BindAddress: an address to listen on
  Name                     text  its name
  Address                  text  the address
  Port                     int   the port
Ingress: into the mesh
  TLS                      GatewayTLS  with TLS
  Listeners                [IngressListener]  what it listens to
IngressListener: what a gateway listens to
  Port                     int   the port
  Protocol                 text=tcp|http|http2|grpc  its protocol
  Services                 [IngressService]  where it leads
IngressService: where a listener leads
  Name                     text  the service, or * for all
  Hosts                    [text]  host names that it answers to
  TLS                      GatewayTLS  with TLS
  RequestHeaders           HeaderChanges  what is done to headers of requests
  ResponseHeaders          HeaderChanges  what is done to headers of answers
  MaxConnections           uint32  connections at once
  MaxPendingRequests       uint32  requests that wait
  MaxConcurrentRequests    uint32  requests at once
GatewayTLS: TLS of a gateway
  Enabled                  bool  whether it is on
  TLSMinVersion            text  the oldest version
  TLSMaxVersion            text  the newest version
  CipherSuites             [text]  ciphers
  SDS                      GatewaySDS  where certificates come from
GatewaySDS: where certificates come from
  ClusterName              text  the SDS cluster
  CertResource             text  the certificate there
HeaderChanges: what is done to headers
  Add                      {text}  added
  Set                      {text}  set
  Remove                   [text]  removed
Terminating: out of the mesh
  Services                 [LinkedService]  the services outside
LinkedService: a service outside the mesh
  Name                     text  its name in Consul
  CAFile                   text  file with the authority that is trusted
  CertFile                 text  file with a certificate of its own
  KeyFile                  text  file with its key
  SNI                      text  the name in the TLS greeting
Mesh: between meshes
"""

TABLE: Final = JOB + GROUP + TASK + SERVICE
