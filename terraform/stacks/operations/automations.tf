# What is done by Systems Manager itself, under a role for each that may do no more than that.

locals {
  services  = "arn:aws:ecs:${var.region}:${var.account_id}:service/${local.name}/*"
  databases = "arn:aws:rds:${var.region}:${var.account_id}:db:${local.name}*"
  caches    = "arn:aws:elasticache:${var.region}:${var.account_id}"

  automations = {
    power = {
      description = "Put ${var.environment} to sleep (no tasks, databases stopped) or wake it."
      parameters = {
        Action = { type = "String", description = "sleep or wake.", allowedValues = ["sleep", "wake"] }
      }
      steps = [{
        name   = "power"
        action = "aws:executeScript"
        # A database that takes longer than a step may is waited for again.
        maxAttempts    = 3
        timeoutSeconds = 600
        inputs = {
          Runtime      = "python3.11"
          Handler      = "handler"
          InputPayload = { action = "{{ Action }}", environment = var.environment, region = var.region }
          Script       = file("${path.module}/power.py")
        }
      }]
      statements = [
        { actions = ["ecs:ListServices", "rds:DescribeDBInstances", "application-autoscaling:DescribeScalableTargets", "ec2:DescribeAddresses", "ec2:DescribeNatGateways"], resources = ["*"] },
        { actions = ["ecs:DescribeServices", "ecs:UpdateService", "ecs:TagResource", "ecs:UntagResource"], resources = [local.services] },
        { actions = ["application-autoscaling:RegisterScalableTarget"], resources = ["arn:aws:application-autoscaling:${var.region}:${var.account_id}:scalable-target/*"] },
        { actions = ["rds:StartDBInstance", "rds:StopDBInstance", "rds:AddTagsToResource", "rds:RemoveTagsFromResource"], resources = [local.databases] },
      ]
    }

    failover-database = {
      description = "Let the standby of a database take over, and wait until it is available."
      parameters  = { Identifier = { type = "String", description = "Identifier of the database.", allowedPattern = "^${local.name}[a-z0-9-]*$", default = local.name } }
      steps = [
        { name = "failover", action = "aws:executeAwsApi", inputs = { Service = "rds", Api = "RebootDBInstance", DBInstanceIdentifier = "{{ Identifier }}", ForceFailover = true } },
        # Its status changes some seconds after the call.
        { name = "begun", action = "aws:sleep", inputs = { Duration = "PT30S" } },
        { name = "available", action = "aws:waitForAwsResourceProperty", timeoutSeconds = 900, inputs = { Service = "rds", Api = "DescribeDBInstances", DBInstanceIdentifier = "{{ Identifier }}", PropertySelector = "$.DBInstances[0].DBInstanceStatus", DesiredValues = ["available"] } },
      ]
      statements = [
        { actions = ["rds:RebootDBInstance"], resources = [local.databases] },
        { actions = ["rds:DescribeDBInstances"], resources = ["*"] },
      ]
    }

    failover-cache = {
      description = "Let a replica of the cache take over, and wait until it is available."
      parameters  = { Identifier = { type = "String", description = "Identifier of the replication group.", allowedPattern = "^${local.name}[a-z0-9-]*$", default = local.name } }
      steps = [
        { name = "failover", action = "aws:executeAwsApi", inputs = { Service = "elasticache", Api = "TestFailover", ReplicationGroupId = "{{ Identifier }}", NodeGroupId = "0001" } },
        { name = "begun", action = "aws:sleep", inputs = { Duration = "PT30S" } },
        { name = "available", action = "aws:waitForAwsResourceProperty", timeoutSeconds = 900, inputs = { Service = "elasticache", Api = "DescribeReplicationGroups", ReplicationGroupId = "{{ Identifier }}", PropertySelector = "$.ReplicationGroups[0].Status", DesiredValues = ["available"] } },
      ]
      statements = [
        { actions = ["elasticache:TestFailover"], resources = ["${local.caches}:replicationgroup:${local.name}*", "${local.caches}:cluster:${local.name}*"] },
        { actions = ["elasticache:DescribeReplicationGroups"], resources = ["*"] },
      ]
    }

    restart-service = {
      description = "Replace all tasks of a service by new ones, a few at a time, and wait until they serve."
      parameters  = { Service = { type = "String", description = "Name of the service in the cluster ${local.name}.", allowedPattern = "^[A-Za-z0-9_-]+$" } }
      steps = [
        { name = "restart", action = "aws:executeAwsApi", inputs = { Service = "ecs", Api = "UpdateService", cluster = local.name, service = "{{ Service }}", forceNewDeployment = true } },
        { name = "served", action = "aws:waitForAwsResourceProperty", timeoutSeconds = 1800, inputs = { Service = "ecs", Api = "DescribeServices", cluster = local.name, services = ["{{ Service }}"], PropertySelector = "$.services[0].deployments[0].rolloutState", DesiredValues = ["COMPLETED"] } },
        # A deployment that was rolled back is completed, too: then there is a failed one beside it.
        { name = "alone", action = "aws:assertAwsResourceProperty", inputs = { Service = "ecs", Api = "DescribeServices", cluster = local.name, services = ["{{ Service }}"], PropertySelector = "$.services[0].deployments[0].failedTasks", DesiredValues = ["0"] } },
      ]
      statements = [{ actions = ["ecs:UpdateService", "ecs:DescribeServices"], resources = [local.services] }]
    }
  }
}
