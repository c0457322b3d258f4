# What Herdsman needs of Nomad, and nothing more. For the job in this folder, whose workload identity is its token:
#
#   nomad acl policy apply -namespace default -job herdsman -group herdsman -task herdsman herdsman policy.hcl
#
# or, for a Herdsman elsewhere, to a token of its own:
#
#   nomad acl policy apply herdsman policy.hcl
#   nomad acl token create -name herdsman -policy herdsman
#
# Nomad lets management tokens alone make and remove namespaces: with this policy, specs of kind Namespace are refused.

# In every namespace: list jobs, read them and follow their events, understand HCL, dry-run and write; and the variables
# that jobs read, for specs of kind Variable and the secrets of deployments. Where Herdsman is to write in some namespaces
# only, name those in blocks of their own, and leave "*" list-jobs and read-job.
namespace "*" {
  capabilities = ["list-jobs", "read-job", "parse-job", "submit-job"]

  variables {
    path "nomad/jobs/*" {
      capabilities = ["list", "read", "write", "destroy"]
    }
  }
}

# The same again, because the most specific rule counts alone. The variables say whose each fleet's name is.
namespace "default" {
  capabilities = ["list-jobs", "read-job", "parse-job", "submit-job"]

  variables {
    path "herdsman/*" {
      capabilities = ["read", "write"]
    }

    path "nomad/jobs/*" {
      capabilities = ["list", "read", "write", "destroy"]
    }
  }
}

# The version of the agent that answers (GET /v1/agent/self); without it, only that is not known.
agent {
  policy = "read"
}

# What nodes have and how full they are, for /v1/stats/cluster; without it, only that is not known.
node {
  policy = "read"
}

# Jobs that mount host volumes or CSI volumes need these as well:
#
#   host_volume "*" { policy = "write" }
#   csi-mount-volume among the capabilities, and plugin { policy = "read" }
