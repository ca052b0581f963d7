variable "vpc_id" {
  description = "VPC of the environment."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id is \"${var.vpc_id}\", which is not the ID of a VPC: give the foundation stack's output vpc_id."
  }
}

variable "private_subnet_ids" {
  description = "Subnets of the nodes and of their load balancer, in at least two zones."
  type        = list(string)
  nullable    = false
}

variable "security_group_ids" {
  description = "Security groups by what they guard, as the foundation stack puts them out; workloads are the nodes' clients."
  type        = object({ workload = string })
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key for the environment's data at rest."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that the nodes' logs are kept."
  type        = number
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days is ${var.log_retention_days}, which CloudWatch does not offer: choose one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer."
  type        = bool
  default     = true
  nullable    = false
}

variable "force_delete" {
  description = "Delete the group without waiting for its nodes to drain."
  type        = bool
  default     = false
  nullable    = false
}

variable "fleet" {
  description = <<-EOT
    Solana RPC nodes of the environment.
    image_*: publisher's account and name (* takes the newest). instance_types: in order of preference.
    volumes: what is on it → device, type, GB, IOPS, MB/s; empty where the instances bring disks of their own.
    *_size: nodes at least (none given: desired_size, so that an idle fleet is not scaled in to nothing), at most, at first. on_demand_*: how many are not Spot, as a number and as a share of the rest.
    requests_per_second: what one node is to carry; scale_in and predict: see the module node_fleet.
    warmup_seconds: until a new node counts. drain_seconds: for a node that is taken away.
    key_name: EC2 key pair, null for Session Manager alone. peer_cidrs: validators that may connect by themselves.
  EOT
  type = object({
    image_owner    = optional(string, "136693071363") # Debian
    image_name     = optional(string, "debian-12-amd64-*")
    instance_types = optional(list(string), ["r7a.8xlarge", "r6a.8xlarge", "r7i.8xlarge"])
    key_name       = optional(string)
    root_gb        = optional(number, 50)
    volumes = optional(map(object({
      device     = string
      type       = optional(string, "gp3")
      gb         = number
      iops       = optional(number, 3000)
      throughput = optional(number, 125)
      })), {
      # Accounts are read and written at random, the ledger is written in one stream.
      accounts = { device = "/dev/sdf", gb = 500, iops = 16000, throughput = 1000 }
      ledger   = { device = "/dev/sdg", gb = 1000, iops = 8000, throughput = 500 }
    })
    min_size             = optional(number)
    max_size             = optional(number, 3)
    desired_size         = optional(number, 0)
    on_demand_base       = optional(number, 0)
    on_demand_percentage = optional(number, 100)
    warmup_seconds       = optional(number, 3600)
    drain_seconds        = optional(number, 300)
    requests_per_second  = optional(number, 300)
    scale_in             = optional(bool, true)
    predict              = optional(string, "off")
    peer_cidrs           = optional(list(string), [])
  })
  default  = {}
  nullable = false
}
