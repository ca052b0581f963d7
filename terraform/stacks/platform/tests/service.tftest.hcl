mock_provider "aws" {
  override_resource {
    target = aws_iam_role.execution
    values = { arn = "arn:aws:iam::123456789012:role/execution" }
  }

  override_resource {
    target = aws_iam_role.task
    values = { arn = "arn:aws:iam::123456789012:role/task" }
  }

  override_resource {
    target = aws_cloudwatch_log_group.this
    values = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/drydock-dev/trading_api" }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/trading/1" }
  }

  override_resource {
    target = aws_iam_role.delivery[0]
    values = { arn = "arn:aws:iam::123456789012:role/delivery" }
  }

  override_resource {
    target = aws_lb_listener_rule.this[0]
    values = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/drydock-dev/1/1/1" }
  }

  override_resource {
    target = aws_lb_listener_rule.trial[0]
    values = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/drydock-dev/1/2/1" }
  }

  override_resource {
    target = aws_ecs_task_definition.template
    values = { arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/drydock-dev-trading_api:1" }
  }
}

override_resource {
  target = aws_appautoscaling_policy.burst[0]
  values = { arn = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1" }
}

variables {
  name                = "trading_api"
  prefix              = "drydock-dev"
  environment         = "dev"
  account_id          = "123456789012"
  region              = "us-east-1"
  vpc_id              = "vpc-1"
  subnet_ids          = ["subnet-1", "subnet-2"]
  security_group_id   = "sg-workload"
  cluster_arn         = "arn:aws:ecs:us-east-1:123456789012:cluster/drydock-dev"
  cluster_name        = "drydock-dev"
  listener_arn        = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/drydock-dev/1/1"
  trial_listener_arn  = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/drydock-dev/1/2"
  repository_url      = "123456789012.dkr.ecr.us-east-1.amazonaws.com/drydock-dev/trading_api"
  repository_arn      = "arn:aws:ecr:us-east-1:123456789012:repository/drydock-dev/trading_api"
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/data"
  database_identifier = "drydock-dev"
  path_patterns       = ["/api/trading", "/api/trading/*"]
  priority            = 10
  port                = 8080
  health_path         = "/health"
  cpu                 = 256
  memory              = 512
  min_count           = 2
  max_count           = 4
  log_retention_days  = 7
}

run "roles_may_do_what_they_need_and_no_more" {
  module {
    source = "../../modules/service"
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Action])) == toset([
      "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
      "logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue", "ssm:GetParameters", "kms:Decrypt",
    ])
    error_message = "to start a task ECS pulls, logs and reads secrets, and may do nothing else"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Sid if contains(statement.Resource, "*")
    ] == ["SignInToRegistry"]
    error_message = "only ecr:GetAuthorizationToken, which knows no resource, may be granted on *"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement :
      can(statement.Condition.StringEquals) if contains(["ReadOwnSecrets", "ReadDatabaseSecret", "DecryptThem"], statement.Sid)
    ])
    error_message = "reading and decrypting secrets must be bound to this environment"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement :
      statement.Condition.StringEquals["aws:ResourceTag/aws:rds:primaryDBInstanceArn"] if statement.Sid == "ReadDatabaseSecret"
    ] == ["arn:aws:rds:us-east-1:123456789012:db:drydock-dev"]
    error_message = "of the secrets that RDS manages, only this database's may be read"
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.execution, aws_iam_role.task] :
      jsondecode(role.assume_role_policy).Statement[0].Principal.Service == "ecs-tasks.amazonaws.com" && jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    ])
    error_message = "only ECS, for this account, may take the roles"
  }

  assert {
    condition     = aws_ecs_task_definition.template.task_role_arn != aws_ecs_task_definition.template.execution_role_arn
    error_message = "the running code must not hold the rights that start it"
  }

  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 100 && aws_ecs_service.this.deployment_maximum_percent == 200
    error_message = "a rolling deployment must never go below the full count"
  }

  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "a release that does not start must be rolled back"
  }

  assert {
    condition     = aws_ecs_service.this.desired_count == 0
    error_message = "the template's image does not exist; the first release sets the count"
  }

  assert {
    condition     = !aws_ecs_service.this.network_configuration[0].assign_public_ip
    error_message = "tasks must have no public address"
  }

  assert {
    condition     = [for strategy in aws_ecs_service.this.capacity_provider_strategy : strategy.capacity_provider] == ["FARGATE"]
    error_message = "without spot every task runs on ordinary capacity"
  }

  assert {
    condition     = tonumber(aws_lb_target_group.this["blue"].deregistration_delay) == 30 && aws_lb_target_group.this["blue"].health_check[0].interval <= 10 && aws_lb_target_group.this["blue"].health_check[0].healthy_threshold == 2
    error_message = "targets must drain for 30 s and be judged quickly"
  }

  assert {
    condition     = length(aws_lb_target_group.this["blue"].name) <= 32 && startswith(aws_lb_target_group.this["blue"].name, "drydock-dev-trading-api-")
    error_message = "the target group's name must fit in AWS's 32 characters"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 7 && aws_cloudwatch_log_group.this.kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/data"
    error_message = "logs must end after the environment's retention, and be encrypted"
  }

  assert {
    condition = alltrue([
      for container in jsondecode(aws_ecs_task_definition.template.container_definitions) :
      container.name == "trading_api" && endswith(container.image, ":unreleased") && container.stopTimeout == 30 && !can(container.environment)
    ])
    error_message = "the template holds the shape only; image tag, environment and secrets belong to a release"
  }

  assert {
    condition = alltrue([
      for container in jsondecode(aws_ecs_task_definition.template.container_definitions) :
      container.readonlyRootFilesystem && container.user == "10001:10001" && [for point in container.mountPoints : point.containerPath] == ["/tmp"]
    ])
    error_message = "a container has a read-only root, is not root, and may write to /tmp alone"
  }
}

run "spot_keeps_one_ordinary_task_and_no_database_no_secret" {
  module {
    source = "../../modules/service"
  }

  variables {
    spot                = true
    database_identifier = null
  }

  assert {
    condition     = { for strategy in aws_ecs_service.this.capacity_provider_strategy : strategy.capacity_provider => strategy.base } == { FARGATE = 1, FARGATE_SPOT = 0 }
    error_message = "with spot one task must stay on ordinary capacity"
  }

  assert {
    condition = !anytrue([
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Sid == "ReadDatabaseSecret"
    ])
    error_message = "a workload without a database must not be able to read its secret"
  }
}

run "autoscaling_owns_the_count_within_limits" {
  module {
    source = "../../modules/service"
  }

  assert {
    condition     = aws_appautoscaling_target.this.max_capacity == 4 && aws_appautoscaling_target.this.resource_id == "service/drydock-dev/trading_api"
    error_message = "the service must scale up to its own limit"
  }

  assert {
    condition     = aws_ecs_service.this.desired_count == 0 && aws_appautoscaling_target.this.min_capacity == 0
    error_message = "autoscaling must not start a service before its first release"
  }

  assert {
    condition     = aws_appautoscaling_policy.cpu.target_tracking_scaling_policy_configuration[0].target_value == 70 && aws_appautoscaling_policy.cpu.target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type == "ECSServiceAverageCPUUtilization"
    error_message = "the service must scale to hold its CPU at 70 %"
  }
}

run "a_burst_is_met_by_steps" {
  module {
    source = "../../modules/service"
  }

  variables {
    burst = { cpu = 80, add_percent = 50 }
    schedules = {
      open = { schedule = "cron(0 13 ? * MON-FRI *)", min_count = 3, max_count = 4 }
    }
  }

  assert {
    condition = { for step in aws_appautoscaling_policy.burst[0].step_scaling_policy_configuration[0].step_adjustment : tonumber(step.metric_interval_lower_bound) => step.scaling_adjustment } == {
      0  = 50
      10 = 100
    }
    error_message = "the nearer the CPU is to its end, the more must be added"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.burst[0].threshold == 80 && aws_cloudwatch_metric_alarm.burst[0].alarm_actions == toset(["arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1"])
    error_message = "the alarm must lead to the policy, and wake nobody"
  }

  assert {
    condition     = length(aws_appautoscaling_scheduled_action.this) == 0
    error_message = "no clock may start a service before its first release"
  }
}

run "releases_can_take_turns" {
  module {
    source = "../../modules/service"
  }

  assert {
    condition     = length(aws_ecs_service.this.deployment_controller) == 0 && aws_ecs_service.this.desired_count == 0
    error_message = "the service must be ECS's own to release, and stand without a task until then"
  }

  assert {
    condition     = [aws_lb_listener_rule.this[0].listener_arn, aws_lb_listener_rule.trial[0].listener_arn] == [var.listener_arn, var.trial_listener_arn]
    error_message = "clients and trials must come by listeners of their own"
  }

  assert {
    condition     = length(distinct([for group in aws_lb_target_group.this : group.name])) == 2
    error_message = "two target groups must take turns"
  }

  assert {
    condition     = alltrue([for rule in [aws_lb_listener_rule.this[0], aws_lb_listener_rule.trial[0]] : sort([for group in rule.action[0].forward[0].target_group : group.weight]) == tolist(["0", "100"])])
    error_message = "both groups must be the rules' from the start, or the idle one's targets would not be checked"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.delivery[0].policy).Statement : statement.Sid if contains(statement.Resource, "*")
    ] == ["LookAround"]
    error_message = "only actions that know no resource may be granted on *"
  }

  assert {
    condition     = jsondecode(aws_iam_role.delivery[0].assume_role_policy).Statement[0].Principal.Service == "ecs.amazonaws.com" && jsondecode(aws_iam_role_policy.delivery[0].policy).Statement[0].Resource == [output.client_rule_arn, output.trial_rule_arn]
    error_message = "ECS alone may turn the clients, and by these two rules"
  }

  assert {
    condition     = output.service_name == "trading_api" && output.target_group_arn != null && output.alternate_target_group_arn != null && output.delivery_role_arn == "arn:aws:iam::123456789012:role/delivery"
    error_message = "a release must find service, groups, rules and role"
  }
}

run "a_workload_without_clients_checks_itself" {
  # Its own state: where a service's clients are led is ignored once it stands.
  state_key = "without_clients"

  module {
    source = "../../modules/service"
  }

  variables {
    name           = "consumer"
    path_patterns  = []
    priority       = null
    health_path    = null
    health_command = ["CMD", "python", "/srv/consumer/healthcheck.py"]
    permissions = [
      { actions = ["kinesis:GetRecords"], resources = ["arn:aws:kinesis:us-east-1:123456789012:stream/drydock-dev-events"] },
      { actions = ["sqs:SendMessage"], resources = ["arn:aws:sqs:us-east-1:123456789012:drydock-dev-events-retry-dead"] },
    ]
    database_secret = true
  }

  assert {
    condition     = length(aws_lb_target_group.this) + length(aws_lb_listener_rule.this) + length(aws_lb_listener_rule.trial) + length(aws_iam_role.delivery) == 0 && length(aws_ecs_service.this.load_balancer) == 0
    error_message = "nothing may lead clients to a workload that has none"
  }

  assert {
    condition     = output.target_group_arn == null && output.alternate_target_group_arn_suffix == null && output.client_rule_arn == null && output.delivery_role_arn == null
    error_message = "what looks for its target group must be told that there is none"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].healthCheck.command == ["CMD", "python", "/srv/consumer/healthcheck.py"] && aws_ecs_service.this.health_check_grace_period_seconds == null
    error_message = "its container must check itself; ECS takes a grace period only with a load balancer"
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.task[0].policy).Statement : statement.Sid => statement.Action } == {
      Granted1           = ["kinesis:GetRecords"]
      Granted2           = ["sqs:SendMessage"]
      ReadDatabaseSecret = ["secretsmanager:GetSecretValue"]
      UseTheirKey        = ["kms:Decrypt", "kms:GenerateDataKey"]
    }
    error_message = "the running code may do what it is granted, and use the key of that"
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.task[0].policy).Statement : statement.Condition.StringEquals["kms:ViaService"] if statement.Sid == "UseTheirKey"
    ])) == toset(["kinesis.us-east-1.amazonaws.com", "secretsmanager.us-east-1.amazonaws.com", "sqs.us-east-1.amazonaws.com"])
    error_message = "the key may be used through the granted services alone"
  }
}

run "a_workload_that_is_granted_nothing_may_do_nothing" {
  module {
    source = "../../modules/service"
  }

  assert {
    condition     = length(aws_iam_role_policy.task) == 0 && !can(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].healthCheck)
    error_message = "without permissions the task's role must be empty, and with clients the load balancer checks"
  }
}

run "a_secret_needs_its_database" {
  command = plan

  module {
    source = "../../modules/service"
  }

  variables {
    database_identifier = null
    database_secret     = true
  }

  expect_failures = [var.database_secret]
}

run "no_task_at_all_is_refused" {
  command = plan

  module {
    source = "../../modules/service"
  }

  variables {
    min_count = 0
  }

  expect_failures = [var.min_count]
}

run "limits_the_wrong_way_round_are_refused" {
  command = plan

  module {
    source = "../../modules/service"
  }

  variables {
    max_count = 1
  }

  expect_failures = [var.max_count]
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/service"
  }

  variables {
    path_patterns        = ["api/trading"]
    health_command       = ["python", "check.py"]
    permissions          = [{ actions = ["kinesis:*"], resources = ["*"] }]
    priority             = 0
    port                 = 80800
    health_path          = "health"
    health_grace_seconds = -1
    cpu                  = 300
    stop_timeout         = 600
    log_retention_days   = 8
    burst                = { cpu = 50, add_percent = 50 }
    schedules            = { open = { schedule = "13:00", min_count = 4, max_count = 2 } }
  }

  expect_failures = [
    var.path_patterns,
    var.health_command,
    var.permissions,
    var.priority,
    var.port,
    var.health_path,
    var.health_grace_seconds,
    var.cpu,
    var.stop_timeout,
    var.log_retention_days,
    var.burst,
    var.schedules,
  ]
}

run "memory_must_go_with_cpu" {
  command = plan

  module {
    source = "../../modules/service"
  }

  variables {
    cpu    = 256
    memory = 4096
  }

  expect_failures = [var.memory]
}

run "a_name_must_fit_everywhere" {
  command = plan

  module {
    source = "../../modules/service"
  }

  variables {
    name = "Trading API"
  }

  expect_failures = [var.name]
}
