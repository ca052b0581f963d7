mock_provider "aws" {
  mock_data "aws_ami" {
    defaults = { id = "ami-1", name = "debian-12-amd64-1", root_device_name = "/dev/xvda" }
  }

  mock_data "aws_default_tags" {
    defaults = { tags = { Environment = "dev", Owner = "platform" } }
  }

  mock_resource "aws_iam_service_linked_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling_drydock-dev-solana" }
  }

  mock_resource "aws_launch_template" {
    defaults = { id = "lt-1", latest_version = 3 }
  }

  mock_resource "aws_security_group" {
    defaults = { id = "sg-node" }
  }
}

variables {
  name                 = "drydock-dev-solana"
  role_tag             = "solana_rpc"
  vpc_id               = "vpc-1"
  subnet_ids           = ["subnet-1", "subnet-2"]
  image                = { owner = "136693071363", name = "debian-12-amd64-*" }
  instance_types       = ["r7a.8xlarge", "r6a.8xlarge"]
  instance_profile_arn = "arn:aws:iam::123456789012:instance-profile/drydock-dev-solana-node"
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/data"
  target_group_arns    = ["arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/rpc/1"]
  cluster_ports        = { from = 8000, to = 8030 }
  load                 = { namespace = "Drydock/Solana", metric = "RpcRequestsPerSecond", target = 300 }
  min_size             = 2
  max_size             = 4
  desired_size         = 2
  volumes = {
    accounts = { device = "/dev/sdf", gb = 500, iops = 16000, throughput = 1000 }
    ledger   = { device = "/dev/sdg", gb = 1000, type = "io2", iops = 20000 }
  }
}

run "a_node_is_closed_and_its_disks_are_encrypted" {
  module {
    source = "../../modules/node_fleet"
  }

  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_launch_template.this.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "credentials of the node must be had by IMDSv2 only, and by the node alone"
  }

  assert {
    condition     = aws_launch_template.this.network_interfaces[0].associate_public_ip_address == "false"
    error_message = "a node must have no public address"
  }

  assert {
    condition = alltrue([
      for disk in aws_launch_template.this.block_device_mappings : disk.ebs[0].encrypted == "true" && endswith(disk.ebs[0].kms_key_id, "key/data")
    ])
    error_message = "every disk must be encrypted with the environment's key"
  }

  assert {
    condition = join(" ", [
      for disk in aws_launch_template.this.block_device_mappings : "${disk.device_name}:${disk.ebs[0].volume_type}"
    ]) == "/dev/xvda:gp3 /dev/sdf:gp3 /dev/sdg:io2"
    error_message = "accounts and ledger must have disks of their own"
  }

  assert {
    condition     = aws_launch_template.this.block_device_mappings[1].ebs[0].throughput == 1000 && aws_launch_template.this.block_device_mappings[2].ebs[0].iops == 20000
    error_message = "gp3 takes a throughput, io2 takes IOPS"
  }

  assert {
    condition     = alltrue([for rule in concat(values(aws_vpc_security_group_ingress_rule.fleet), values(aws_vpc_security_group_ingress_rule.peer)) : rule.cidr_ipv4 == null]) && length(aws_vpc_security_group_ingress_rule.peer) == 0
    error_message = "nobody outside the fleet may open a connection to a node"
  }

  assert {
    condition     = aws_autoscaling_group.this.service_linked_role_arn == aws_kms_grant.autoscaling.grantee_principal
    error_message = "the role that launches must be the one that may use the key"
  }
}

run "the_group_keeps_what_has_caught_up" {
  module {
    source = "../../modules/node_fleet"
  }

  assert {
    condition     = length(aws_autoscaling_group.this.instance_refresh) == 0 && contains(aws_autoscaling_group.this.suspended_processes, "AZRebalance")
    error_message = "neither a new template nor an uneven zone may end a node"
  }

  assert {
    condition     = aws_autoscaling_group.this.health_check_type == "EC2"
    error_message = "a node that lags must not be replaced by one that lags more"
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.drain.lifecycle_transition == "autoscaling:EC2_INSTANCE_TERMINATING" && aws_placement_group.this.strategy == "spread"
    error_message = "nodes must end in their own time, and stand on racks of their own"
  }

  assert {
    condition = alltrue([
      for key, value in { Environment = "dev", Owner = "platform", Name = "drydock-dev-solana", Role = "solana_rpc" } :
      contains([for tag in aws_autoscaling_group.this.tag : "${tag.key}=${tag.value}" if tag.propagate_at_launch], "${key}=${value}")
    ])
    error_message = "nodes must carry the stack's tags and the one that the inventory looks for"
  }

  assert {
    condition     = alltrue([for spec in aws_launch_template.this.tag_specifications : spec.tags.Owner == "platform"]) && length(aws_launch_template.this.tag_specifications) == 2
    error_message = "their disks and network cards must carry the stack's tags too"
  }

  assert {
    condition     = !aws_autoscaling_group.this.capacity_rebalance && aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 100
    error_message = "unless it is asked for, no node may be Spot"
  }
}

run "it_follows_the_load" {
  module {
    source = "../../modules/node_fleet"
  }

  variables {
    load = { namespace = "Drydock/Solana", metric = "RpcRequestsPerSecond", target = 300, scale_in = false, predict = "act" }
  }

  assert {
    condition     = aws_autoscaling_policy.load.target_tracking_configuration[0].target_value == 300 && aws_autoscaling_policy.load.target_tracking_configuration[0].disable_scale_in
    error_message = "the target and whether to shrink are the caller's"
  }

  assert {
    condition     = aws_autoscaling_policy.load.target_tracking_configuration[0].customized_metric_specification[0].metric_name == "RpcRequestsPerSecond"
    error_message = "the fleet must follow the nodes' own metric"
  }

  assert {
    condition     = aws_autoscaling_policy.forecast[0].predictive_scaling_configuration[0].mode == "ForecastAndScale"
    error_message = "predict = act must act"
  }
}

run "spot_by_variable" {
  module {
    source = "../../modules/node_fleet"
  }

  variables {
    on_demand_base       = 1
    on_demand_percentage = 50
  }

  assert {
    condition     = aws_autoscaling_group.this.capacity_rebalance && aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].on_demand_base_capacity == 1
    error_message = "with Spot a node at risk must be replaced before it goes"
  }

  assert {
    condition     = length(aws_autoscaling_policy.forecast) == 0
    error_message = "without being asked for there must be no forecast"
  }
}

run "a_named_peer_is_let_in_on_cluster_ports" {
  module {
    source = "../../modules/node_fleet"
  }

  variables {
    peer_cidrs = ["198.51.100.0/24"]
  }

  assert {
    condition = alltrue([
      for rule in values(aws_vpc_security_group_ingress_rule.peer) : rule.cidr_ipv4 == "198.51.100.0/24" && rule.from_port == 8000 && rule.to_port == 8030
    ]) && length(aws_vpc_security_group_ingress_rule.peer) == 2
    error_message = "a peer may reach the cluster's ports by TCP and UDP, and no others"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/node_fleet"
  }

  variables {
    name                 = "drydock-environment-with-a-long-name"
    subnet_ids           = ["subnet-1"]
    image                = { owner = "amazon", name = "*" }
    instance_types       = ["big"]
    volumes              = { accounts = { device = "/dev/xvda", gb = 500, type = "gp2" }, ledger = { device = "/dev/sdg", gb = 10, iops = 16000 } }
    on_demand_percentage = 101
    drain_seconds        = 5
    load                 = { namespace = "Drydock/Solana", metric = "m", target = 0, predict = "maybe" }
    cluster_ports        = { from = 8000, to = 8026 }
  }

  expect_failures = [
    var.name, var.subnet_ids, var.image, var.instance_types, var.volumes, var.on_demand_percentage, var.drain_seconds,
    var.load, var.cluster_ports,
  ]
}

run "the_fewest_ports_that_agave_takes_are_enough" {
  command = plan

  module {
    source = "../../modules/node_fleet"
  }

  variables {
    cluster_ports = { from = 8000, to = 8027 }
  }

  assert {
    condition     = alltrue([for rule in values(aws_vpc_security_group_ingress_rule.peer) : rule.to_port == 8027])
    error_message = "the ports given are not those that peers reach"
  }
}

run "the_internet_is_no_peer" {
  command = plan

  module {
    source = "../../modules/node_fleet"
  }

  variables {
    peer_cidrs = ["0.0.0.0/0"]
    min_size   = -1
  }

  expect_failures = [var.peer_cidrs, var.min_size]
}

run "more_nodes_than_racks_are_refused" {
  command = plan

  module {
    source = "../../modules/node_fleet"
  }

  variables {
    max_size = 15
  }

  expect_failures = [var.max_size]
}

run "more_nodes_than_the_most_are_refused" {
  command = plan

  module {
    source = "../../modules/node_fleet"
  }

  variables {
    desired_size = 5
  }

  expect_failures = [var.desired_size]
}
