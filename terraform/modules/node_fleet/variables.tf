variable "name" {
  description = "Name of the group and of all that it is made of."
  type        = string
  nullable    = false

  validation {
    # The service-linked role is called AWSServiceRoleForAutoScaling_<name>, 64 characters at most.
    condition     = can(regex("^[A-Za-z0-9-]{1,35}$", var.name))
    error_message = "name is \"${var.name}\", which can't end the name of a service-linked role: use up to 35 letters, digits and hyphens."
  }
}

variable "role_tag" {
  description = "Tag Role of the nodes, by which the inventory finds them."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "VPC of the nodes."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets, one per zone."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids has ${length(var.subnet_ids)} entries, so that one zone's outage would take the whole fleet: give the private subnets of two zones at least."
  }
}

variable "image" {
  description = "Image of the nodes: who publishes it and its name. A name with * takes the newest, which then changes with each that is published; an exact one pins it."
  type = object({
    owner = string
    name  = string
  })
  nullable = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.image.owner))
    error_message = "image.owner is \"${var.image.owner}\", which is not an AWS account, and anybody can publish an image under any name: give the 12 digits of the publisher, as a quoted string."
  }
}

variable "instance_types" {
  description = "Instance types in order of preference; with Spot more of them are interrupted less."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.instance_types) > 0 && alltrue([for type in var.instance_types : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", type))])
    error_message = "instance_types is ${jsonencode(var.instance_types)}, which are not all instance types: give at least one, such as r7a.8xlarge."
  }
}

variable "key_name" {
  description = "EC2 key pair for SSH through Session Manager; null for sessions alone."
  type        = string
  default     = null
}

variable "user_data" {
  description = "Script of the first start; no secret may be in it, for every process on the node can read it."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = length(base64encode(var.user_data)) <= 21848 # 16 KiB before encoding
    error_message = "user_data has ${length(var.user_data)} bytes, but EC2 takes 16384: let it fetch the rest."
  }
}

variable "instance_profile_arn" {
  description = "Instance profile of the nodes."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the volumes."
  type        = string
  nullable    = false
}

variable "root_gb" {
  description = "Size of the root volume in GB."
  type        = number
  default     = 50
  nullable    = false
}

variable "volumes" {
  description = "Disks beside the root: what is on it → device name, type (gp3 or io2), GB, IOPS and, for gp3, MB/s."
  type = map(object({
    device     = string
    type       = optional(string, "gp3")
    gb         = number
    iops       = optional(number, 3000)
    throughput = optional(number, 125)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for volume in values(var.volumes) : can(regex("^/dev/sd[f-p]$", volume.device))]) && length(distinct(values(var.volumes)[*].device)) == length(var.volumes)
    error_message = "volumes has the devices ${join(", ", values(var.volumes)[*].device)}: give each its own of /dev/sdf to /dev/sdp, the names that EC2 keeps for data."
  }

  validation {
    condition     = alltrue([for volume in values(var.volumes) : contains(["gp3", "io2"], volume.type)])
    error_message = "volumes has the types ${join(", ", values(var.volumes)[*].type)}, of which a ledger needs gp3 or io2: choose one of those two."
  }

  validation {
    condition = alltrue([for volume in values(var.volumes) : volume.type == "io2" ?
      volume.iops >= 100 && volume.iops <= min(256000, volume.gb * 1000) :
      volume.iops >= 3000 && volume.iops <= min(16000, max(3000, volume.gb * 500)) && volume.throughput >= 125 && volume.throughput <= min(1000, volume.iops / 4)
    ])
    error_message = "volumes asks for what EBS does not make: gp3 has 3000 to 16000 IOPS (500 per GB at most) and 125 to 1000 MB/s (a quarter of the IOPS at most), io2 100 to 256000 IOPS (1000 per GB at most). Correct ${jsonencode(var.volumes)}."
  }
}

variable "min_size" {
  description = "Nodes at least."
  type        = number
  nullable    = false

  validation {
    condition     = var.min_size >= 0
    error_message = "min_size is ${var.min_size}: give 0 or more nodes."
  }
}

variable "max_size" {
  description = "Nodes at most; a placement group that spreads over racks takes 7 per zone."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_size >= var.min_size && var.max_size <= 7 * length(var.subnet_ids)
    error_message = "max_size is ${var.max_size}, but the group spreads its nodes over racks, 7 in each of ${length(var.subnet_ids)} zones: give min_size (${var.min_size}) to ${7 * length(var.subnet_ids)}."
  }
}

variable "desired_size" {
  description = "Nodes at first; from then on scaling moves between the two others."
  type        = number
  nullable    = false

  validation {
    condition     = var.desired_size >= var.min_size && var.desired_size <= var.max_size
    error_message = "desired_size is ${var.desired_size}, which is not within min_size (${var.min_size}) and max_size (${var.max_size}): choose one that is."
  }
}

variable "on_demand_base" {
  description = "Nodes that are never Spot."
  type        = number
  default     = 0
  nullable    = false
}

variable "on_demand_percentage" {
  description = "Share of the nodes above that base which are not Spot either; 100 for no Spot at all."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.on_demand_percentage >= 0 && var.on_demand_percentage <= 100
    error_message = "on_demand_percentage is ${var.on_demand_percentage}, which is no share: give 0 to 100."
  }
}

variable "grace_seconds" {
  description = "Seconds after a start in which a node is not replaced for being unwell."
  type        = number
  default     = 300
  nullable    = false
}

variable "warmup_seconds" {
  description = "Seconds until a new node's load counts: what it needs to be configured and to catch up."
  type        = number
  default     = 3600
  nullable    = false
}

variable "drain_seconds" {
  description = "Seconds that a node which is taken away has to exit with its state whole."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.drain_seconds >= 30 && var.drain_seconds <= 7200
    error_message = "drain_seconds is ${var.drain_seconds}, but a lifecycle hook waits 30 to 7200 seconds: choose one of those."
  }
}

variable "target_group_arns" {
  description = "Target groups that the nodes are registered in."
  type        = list(string)
  nullable    = false
}

variable "load" {
  description = "What one node is to carry: metric (average over the nodes, dimension AutoScalingGroupName), target, whether a quiet fleet shrinks, and predict: off, forecast (only looked at) or act."
  type = object({
    namespace = string
    metric    = string
    target    = number
    scale_in  = optional(bool, true)
    predict   = optional(string, "off")
  })
  nullable = false

  validation {
    condition     = var.load.target > 0
    error_message = "load.target is ${var.load.target}, so that the fleet would grow without end: give what one node carries, above 0."
  }

  validation {
    condition     = contains(["off", "forecast", "act"], var.load.predict)
    error_message = "load.predict is \"${var.load.predict}\": give off, forecast or act."
  }
}

variable "cluster_ports" {
  description = "Ports of gossip, shreds and transactions (agave-validator's --gossip-port, and behind it --dynamic-port-range, whose last is its first + 26 at least)."
  type        = object({ from = number, to = number })
  nullable    = false

  validation {
    condition     = var.cluster_ports.from >= 1024 && var.cluster_ports.to <= 65535 && var.cluster_ports.to - var.cluster_ports.from >= 27
    error_message = "cluster_ports is ${var.cluster_ports.from} to ${var.cluster_ports.to}, but Agave needs 28 ports in a row above 1023 (one for gossip, and from the next on a range whose last is its first + 26): give a wider range."
  }
}

variable "peer_cidrs" {
  description = "Ranges of validators that may open connections to the nodes; everybody else only answers them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.peer_cidrs : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "peer_cidrs is ${jsonencode(var.peer_cidrs)}: give IPv4 ranges of /8 or narrower; the internet at large is let in by the load balancer only."
  }
}

variable "force_delete" {
  description = "Delete the group without waiting for its nodes to drain."
  type        = bool
  default     = false
  nullable    = false
}
