# Provider default tags do not reach what a group launches.
data "aws_default_tags" "of_stack" {}

data "aws_ami" "this" {
  most_recent = true
  owners      = [var.image.owner]

  filter {
    name   = "name"
    values = [var.image.name]
  }
}

locals {
  tags = merge(data.aws_default_tags.of_stack.tags, { Name = var.name, Role = var.role_tag })
}

# A rack for each: one that fails takes one node with it.
resource "aws_placement_group" "this" {
  name         = var.name
  strategy     = "spread"
  spread_level = "rack"
}

resource "aws_launch_template" "this" {
  name                   = var.name
  description            = "A node of ${var.name}"
  image_id               = data.aws_ami.this.id
  instance_type          = var.instance_types[0]
  key_name               = var.key_name
  ebs_optimized          = true
  update_default_version = true
  user_data              = base64encode(var.user_data)

  iam_instance_profile {
    arn = var.instance_profile_arn
  }

  # Nothing on a node asks for credentials over more than one hop.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "enabled"
  }

  monitoring {
    enabled = true
  }

  network_interfaces {
    device_index                = 0
    associate_public_ip_address = false
    delete_on_termination       = true
    security_groups             = [aws_security_group.node.id]
  }

  block_device_mappings {
    device_name = data.aws_ami.this.root_device_name

    ebs {
      volume_type           = "gp3"
      volume_size           = var.root_gb
      encrypted             = true
      kms_key_id            = var.kms_key_arn
      delete_on_termination = true
    }
  }

  # A disk for each thing that would slow another down. They go with the node: what they
  # hold comes from the cluster again.
  dynamic "block_device_mappings" {
    for_each = var.volumes

    content {
      device_name = block_device_mappings.value.device

      ebs {
        volume_type           = block_device_mappings.value.type
        volume_size           = block_device_mappings.value.gb
        iops                  = block_device_mappings.value.iops
        throughput            = block_device_mappings.value.type == "gp3" ? block_device_mappings.value.throughput : null
        encrypted             = true
        kms_key_id            = var.kms_key_arn
        delete_on_termination = true
      }
    }
  }

  dynamic "tag_specifications" {
    for_each = ["volume", "network-interface"]

    content {
      resource_type = tag_specifications.value
      tags          = local.tags
    }
  }
}

# Auto Scaling opens the encrypted volumes by a role of this group's own, because what the
# account's common one may do can't be said here.
resource "aws_iam_service_linked_role" "autoscaling" {
  aws_service_name = "autoscaling.amazonaws.com"
  custom_suffix    = var.name
  description      = "Auto Scaling of ${var.name}"
}

resource "aws_kms_grant" "autoscaling" {
  name              = "${var.name}-autoscaling"
  key_id            = var.kms_key_arn
  grantee_principal = aws_iam_service_linked_role.autoscaling.arn

  operations = [
    "CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo",
  ]
}

# Without instance_refresh: a node takes hours to catch up, so a new template is for the next
# node, and those that run are changed in place, one at a time, by playbooks.
resource "aws_autoscaling_group" "this" {
  name                    = var.name
  min_size                = var.min_size
  max_size                = var.max_size
  desired_capacity        = var.desired_size
  vpc_zone_identifier     = var.subnet_ids
  placement_group         = aws_placement_group.this.name
  target_group_arns       = var.target_group_arns
  service_linked_role_arn = aws_iam_service_linked_role.autoscaling.arn
  termination_policies    = ["OldestLaunchTemplate", "NewestInstance"]
  enabled_metrics         = ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupTerminatingInstances"]
  force_delete            = var.force_delete

  # A machine that died is replaced; a node that lags is cured, which is quicker than a new one.
  health_check_type         = "EC2"
  health_check_grace_period = var.grace_seconds
  default_instance_warmup   = var.warmup_seconds

  # Zones are not evened out at the price of a node that has caught up.
  suspended_processes = ["AZRebalance"]
  capacity_rebalance  = var.on_demand_percentage < 100

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = var.on_demand_base
      on_demand_percentage_above_base_capacity = var.on_demand_percentage
      on_demand_allocation_strategy            = "prioritized"
      spot_allocation_strategy                 = "price-capacity-optimized"
    }

    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.this.id
        version            = aws_launch_template.this.latest_version
      }

      dynamic "override" {
        for_each = var.instance_types

        content {
          instance_type = override.value
        }
      }
    }
  }

  dynamic "tag" {
    for_each = local.tags

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    ignore_changes = [desired_capacity] # the scaling policies' and runbooks' own
  }

  depends_on = [aws_kms_grant.autoscaling]
}

# The node ends in its own time: what it serves is drained, the process exits with its state whole.
resource "aws_autoscaling_lifecycle_hook" "drain" {
  name                   = "drain"
  autoscaling_group_name = aws_autoscaling_group.this.name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = var.drain_seconds
  default_result         = "CONTINUE"
}
