"""A service, its checks, and Consul Connect. How to read the table: see the package."""

TABLE = """
Service
  Name               string
  TaskName           string
  PortLabel          string
  AddressMode        string
  Address            string
  EnableTagOverride  bool
  Tags               []string
  CanaryTags         []string
  Checks             []ServiceCheck
  CheckRestart       *CheckRestart            api
  Connect            *ConsulConnect
  Meta               map[string]string
  CanaryMeta         map[string]string
  TaggedAddresses    map[string]string
  Namespace          string                   server
  OnUpdate           string
  Provider           string
  Cluster            string
  Identity           *WorkloadIdentity
  Kind               string
  Weights            *ServiceWeights
ServiceWeights
  Passing  int
  Warning  int
ServiceCheck
  Name                    string
  Type                    string
  Command                 string
  Args                    []string
  Path                    string
  Protocol                string
  PortLabel               string
  Expose                  bool
  AddressMode             string
  Advertise               string               api
  Interval                time.Duration
  Timeout                 time.Duration
  InitialStatus           string
  Notes                   string
  TLSServerName           string
  TLSSkipVerify           bool
  Method                  string
  Header                  map[string][]string
  CheckRestart            *CheckRestart
  GRPCService             string
  GRPCUseTLS              bool
  TaskName                string
  SuccessBeforePassing    int
  FailuresBeforeCritical  int
  FailuresBeforeWarning   int
  Body                    string
  OnUpdate                string
CheckRestart
  Limit           int
  Grace           *time.Duration
  IgnoreWarnings  bool
ConsulConnect
  Native          bool
  Gateway         *ConsulGateway
  SidecarService  *ConsulSidecarService
  SidecarTask     *SidecarTask
ConsulSidecarService
  Tags                    []string
  Port                    string
  Proxy                   *ConsulProxy
  DisableDefaultTCPCheck  bool
  Meta                    map[string]string
SidecarTask
  Name           string
  Driver         string
  User           string
  Config         map[string]interface {}
  Env            map[string]string
  Resources      *Resources
  Meta           map[string]string
  KillTimeout    *time.Duration
  LogConfig      *LogConfig
  ShutdownDelay  *time.Duration
  KillSignal     string
  VolumeMounts   []*VolumeMount
  Identities     []*WorkloadIdentity
ConsulProxy
  LocalServiceAddress  string
  LocalServicePort     int
  Expose               *ConsulExposeConfig
  ExposeConfig         *ConsulExposeConfig      api
  Upstreams            []*ConsulUpstream
  TransparentProxy     *ConsulTransparentProxy
  Config               map[string]interface {}
ConsulExposeConfig
  Paths  []*ConsulExposePath
  Path   []*ConsulExposePath  api
ConsulExposePath
  Path           string
  Protocol       string
  LocalPathPort  int
  ListenerPort   string
ConsulTransparentProxy
  UID                   string
  OutboundPort          uint16
  ExcludeInboundPorts   []string
  ExcludeOutboundPorts  []uint16
  ExcludeOutboundCIDRs  []string
  ExcludeUIDs           []string
  NoDNS                 bool
ConsulUpstream
  DestinationName       string
  DestinationNamespace  string
  DestinationPeer       string
  DestinationPartition  string
  DestinationType       string
  LocalBindPort         int
  LocalBindSocketPath   string
  LocalBindSocketMode   string
  Datacenter            string
  LocalBindAddress      string
  MeshGateway           *ConsulMeshGateway
  Config                map[string]interface {}
ConsulMeshGateway
  Mode  string
ConsulGateway
  Proxy        *ConsulGatewayProxy
  Ingress      *ConsulIngressConfigEntry
  Terminating  *ConsulTerminatingConfigEntry
  Mesh         *ConsulMeshConfigEntry
ConsulGatewayProxy
  ConnectTimeout                   *time.Duration
  EnvoyGatewayBindTaggedAddresses  bool
  EnvoyGatewayBindAddresses        map[string]*ConsulGatewayBindAddress
  EnvoyGatewayNoDefaultBind        bool
  EnvoyDNSDiscoveryType            string
  Config                           map[string]interface {}
ConsulGatewayBindAddress
  Name     string
  Address  string
  Port     int
ConsulIngressConfigEntry
  TLS        *ConsulGatewayTLSConfig
  Listeners  []*ConsulIngressListener
ConsulGatewayTLSConfig
  Enabled        bool
  TLSMinVersion  string
  TLSMaxVersion  string
  CipherSuites   []string
  SDS            *ConsulGatewayTLSSDSConfig
ConsulGatewayTLSSDSConfig
  ClusterName   string
  CertResource  string
ConsulIngressListener
  Port      int
  Protocol  string
  Services  []*ConsulIngressService
ConsulIngressService
  Name                   string
  Hosts                  []string
  TLS                    *ConsulGatewayTLSConfig
  RequestHeaders         *ConsulHTTPHeaderModifiers
  ResponseHeaders        *ConsulHTTPHeaderModifiers
  MaxConnections         *uint32                     null
  MaxPendingRequests     *uint32                     null
  MaxConcurrentRequests  *uint32                     null
ConsulHTTPHeaderModifiers
  Add     map[string]string
  Set     map[string]string
  Remove  []string
ConsulTerminatingConfigEntry
  Services  []*ConsulLinkedService
ConsulLinkedService
  Name      string
  CAFile    string
  CertFile  string
  KeyFile   string
  SNI       string
ConsulMeshConfigEntry
"""
