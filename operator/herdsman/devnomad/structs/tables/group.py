"""A group. How to read the table: see the package."""

TABLE = """
TaskGroup
  Name                       *string
  Count                      *int
  Constraints                []*Constraint
  Affinities                 []*Affinity
  Tasks                      []*Task
  Spreads                    []*Spread
  Volumes                    map[string]*VolumeRequest
  RestartPolicy              *RestartPolicy
  Disconnect                 *DisconnectStrategy
  ReschedulePolicy           *ReschedulePolicy
  EphemeralDisk              *EphemeralDisk
  Update                     *UpdateStrategy
  Migrate                    *MigrateStrategy
  Networks                   []*NetworkResource
  Meta                       map[string]string
  Services                   []*Service
  ShutdownDelay              *time.Duration               null
  StopAfterClientDisconnect  *time.Duration               null
  MaxClientDisconnect        *time.Duration               null
  MaxRunDuration             *time.Duration               null
  Scaling                    *ScalingPolicy
  Consul                     *Consul
  PreventRescheduleOnLost    *bool
DisconnectStrategy
  LostAfter          *time.Duration
  StopOnClientAfter  *time.Duration  null
  Replace            *bool           null
  Reconcile          *string
EphemeralDisk
  Sticky   *bool
  Migrate  *bool
  SizeMB   *int
ScalingPolicy
  ID           string
  Namespace    string                  api
  Type         string
  Target       map[string]string
  Policy       map[string]interface {}
  Min          *int64
  Max          *int64
  Enabled      *bool
  CreateIndex  uint64
  ModifyIndex  uint64
VolumeRequest
  Name            string
  Type            string
  Source          string
  ReadOnly        bool
  Sticky          bool
  AccessMode      string
  AttachmentMode  string
  MountOptions    *CSIMountOptions
  PerAlloc        bool
CSIMountOptions
  FSType      string
  MountFlags  []string
NetworkResource
  Mode           string       omit
  Device         string       omit
  CIDR           string       omit
  IP             string       omit
  Hostname       string       omit
  MBits          *int         omit
  DNS            *DNSConfig   omit
  ReservedPorts  []Port       omit
  DynamicPorts   []Port       omit
  CNI            *CNIConfig   omit
DNSConfig
  Servers   []string
  Searches  []string
  Options   []string
CNIConfig
  Args  map[string]string
Port
  Label            string
  Value            int     omit
  To               int     omit
  HostNetwork      string  omit
  IgnoreCollision  bool    omit
Consul
  Namespace  string
  Cluster    string
  Partition  string
"""
