# What the roles of the pipeline may do. Reading is by service and verb, without what people and
# programs keep there: objects, items, records, log lines, secrets. Changing is by name wherever AWS
# lets a name be chosen, and by service and region where it does not.

locals {
  describes = ["Describe*", "List*"]
  gets      = ["Describe*", "Get*", "List*"]

  reads = {
    access-analyzer         = ["Get*", "List*"]
    acm                     = local.describes
    application-autoscaling = local.describes
    autoscaling             = local.describes
    backup                  = local.gets
    budgets                 = ["View*", "Describe*", "List*"]
    ce                      = local.gets
    cloudtrail              = local.gets
    cloudwatch              = local.gets
    config                  = local.gets
    dynamodb                = local.describes
    ec2                     = ["Describe*", "GetEbs*", "GetManagedPrefixList*"]
    ecr                     = ["Describe*", "GetLifecyclePolicy", "GetRepositoryPolicy", "List*"]
    ecs                     = local.describes
    elasticache             = local.describes
    elasticloadbalancing    = local.describes
    events                  = local.describes
    firehose                = local.describes
    globalaccelerator       = local.describes
    guardduty               = local.gets
    iam                     = ["Get*", "List*"]
    kinesis                 = local.describes
    kms                     = ["Describe*", "GetKeyPolicy", "GetKeyRotationStatus", "List*"]
    lambda                  = ["GetFunction*", "GetEventSourceMapping", "GetPolicy", "List*"]
    logs                    = local.describes
    rds                     = local.describes
    route53                 = ["Get*", "List*"]
    s3                      = ["GetAccelerateConfiguration", "GetBucket*", "GetEncryptionConfiguration", "GetLifecycleConfiguration", "GetReplicationConfiguration", "ListAllMyBuckets", "ListBucket"]
    scheduler               = ["Get*", "List*"]
    secretsmanager          = ["Describe*", "GetResourcePolicy", "List*"]
    securityhub             = local.gets
    shield                  = local.describes
    sns                     = ["Get*", "List*"]
    sqs                     = ["GetQueueAttributes", "GetQueueUrl", "List*"]
    ssm                     = ["Describe*", "GetDocument", "GetMaintenanceWindow*", "List*"]
    tag                     = ["Get*"]
    wafv2                   = ["Describe*", "Get*", "List*"]
  }
  # Roles of workloads and nodes use these, the pipeline does not.
  services_that_need_no_reading = ["ec2messages", "sts", "ssmmessages", "xray"]

  named = "${local.name}-*"
  here  = "*:${var.account_id}" # in any region that the boundary leaves
  # What an apply may change, by service: these resources. Where AWS makes up the ids, all of the
  # region's; the boundary keeps it to the environment's regions.
  changes = {
    application-autoscaling = ["*"]
    autoscaling             = ["*"]
    backup                  = ["*"]
    cloudwatch              = ["arn:aws:cloudwatch:${local.here}:alarm:${local.named}", "arn:aws:cloudwatch::${var.account_id}:dashboard/${local.name}*"]
    dynamodb                = ["arn:aws:dynamodb:${local.here}:table/${local.named}"]
    ec2                     = ["*"]
    ecr                     = ["arn:aws:ecr:${local.here}:repository/${local.name}/*"]
    ecs                     = ["*"]
    elasticache             = ["*"]
    elasticloadbalancing    = ["*"]
    events                  = ["arn:aws:events:${local.here}:rule/${local.named}"]
    firehose                = ["arn:aws:firehose:${local.here}:deliverystream/${local.named}"]
    kinesis                 = ["arn:aws:kinesis:${local.here}:stream/${local.named}"]
    kms                     = ["*"]
    lambda                  = ["arn:aws:lambda:${local.here}:function:${local.named}", "arn:aws:lambda:${local.here}:event-source-mapping:*"]
    logs                    = ["arn:aws:logs:${local.here}:log-group:/${local.name}/*", "arn:aws:logs:${local.here}:log-group:/aws/*${local.name}*"]
    rds                     = ["*"]
    scheduler               = ["arn:aws:scheduler:${local.here}:schedule/*/${local.named}", "arn:aws:scheduler:${local.here}:schedule-group/${local.named}"]
    secretsmanager          = ["arn:aws:secretsmanager:${local.here}:secret:${local.name}/*"]
    sns                     = ["arn:aws:sns:${local.here}:${local.named}"]
    sqs                     = ["arn:aws:sqs:${local.here}:${local.named}"]
    ssm                     = ["arn:aws:ssm:${local.here}:parameter/${local.name}/*", "arn:aws:ssm:${local.here}:document/${local.named}", "arn:aws:ssm:${local.here}:maintenancewindow/*"]
    wafv2                   = ["*"]
  }
  # These have no region that a policy could be held to.
  changes_everywhere = {
    budgets           = ["arn:aws:budgets::${var.account_id}:budget/${local.named}"]
    ce                = ["*"]
    globalaccelerator = ["*"]
    route53           = ["*"]
    s3                = ["arn:aws:s3:::${local.named}"]
  }

  roles = "arn:aws:iam::${var.account_id}:role/${local.named}"
  role_actions = [
    for action in ["CreateRole", "DeleteRole", "UpdateRole", "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "PutRolePermissionsBoundary",
    "PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy"] : "iam:${action}"
  ]
  own_roles   = ["arn:aws:iam::${var.account_id}:role/${local.name}-ci-*", module.baseline.break_glass_role_arn]
  run_as      = ["autoscaling", "backup", "ec2", "ecs", "ecs-tasks", "events", "firehose", "lambda", "monitoring.rds", "rds", "s3", "scheduler", "ssm", "vpc-flow-logs"]
  lock_table  = "arn:aws:dynamodb:${var.region}:${var.account_id}:table/${var.lock_table}"
  states      = "arn:aws:s3:::${var.state_bucket}/${var.environment}/*.tfstate"
  state_locks = "arn:aws:s3:::${var.state_bucket}/${var.environment}/*.tflock"

  read_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "HowThingsAre"
        Effect   = "Allow"
        Action   = flatten([for service, verbs in local.reads : [for verb in verbs : "${service}:${verb}"]])
        Resource = "*"
      },
      {
        # Plain settings; a secure one would need its key, which this role may not use for it.
        Sid      = "Parameters"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters"]
        Resource = ["arn:aws:ssm:${local.here}:parameter/${local.name}/*", "arn:aws:ssm:*::parameter/aws/service/*"]
      },
    ]
  })

  # Whoever plans reads the states and holds their locks; whoever applies writes them.
  state_policy = {
    for role, writes in { plan = [], apply = ["s3:PutObject"] } : role => jsonencode({
      Version = "2012-10-17"
      Statement = [
        { Sid = "States", Effect = "Allow", Action = concat(["s3:GetObject"], writes), Resource = local.states },
        { Sid = "StateLocks", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = local.state_locks },
        { Sid = "FindStates", Effect = "Allow", Action = "s3:ListBucket", Resource = "arn:aws:s3:::${var.state_bucket}" },
        { Sid = "Locks", Effect = "Allow", Action = ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"], Resource = local.lock_table },
        { Sid = "KeyOfTheStates", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.state_kms_key_arn },
      ]
    })
  }

  change_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for service, resources in merge(local.changes, local.changes_everywhere) : {
        Effect   = "Allow"
        Action   = "${service}:*"
        Resource = try(one(resources), resources)
      }],
      [
        {
          Sid      = "RolesAndPoliciesByName"
          Effect   = "Allow"
          Action   = concat(local.role_actions, ["iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile"])
          Resource = [local.roles, "arn:aws:iam::${var.account_id}:instance-profile/${local.named}"]
        },
        {
          Sid       = "RunAs"
          Effect    = "Allow"
          Action    = "iam:PassRole"
          Resource  = local.roles
          Condition = { StringEquals = { "iam:PassedToService" = [for service in local.run_as : "${service}.amazonaws.com"] } }
        },
        {
          Sid      = "RolesOfServices"
          Effect   = "Allow"
          Action   = "iam:CreateServiceLinkedRole"
          Resource = "arn:aws:iam::${var.account_id}:role/aws-service-role/*"
        },
        {
          Sid       = "NotWhatBindsIt"
          Effect    = "Deny"
          NotAction = ["iam:Get*", "iam:List*"]
          Resource  = concat(local.own_roles, [module.baseline.permissions_boundary_arn])
        },
        {
          # Emptied or left unlocked, they would hold nothing to go back to.
          Sid    = "StatesAndAuditStay"
          Effect = "Deny"
          Action = ["s3:DeleteBucket*", "s3:PutBucket*", "s3:PutLifecycleConfiguration", "s3:PutEncryptionConfiguration", "s3:DeleteObjectVersion", "dynamodb:DeleteTable", "dynamodb:UpdateTable"]
          Resource = [
            "arn:aws:s3:::${var.state_bucket}", "arn:aws:s3:::${var.state_bucket}/*", "arn:aws:s3:::${local.name}-audit-*", local.lock_table,
          ]
        },
        {
          Sid      = "SecretsAreNotItsBusiness"
          Effect   = "Deny"
          Action   = ["secretsmanager:GetSecretValue", "dynamodb:Scan", "dynamodb:Query", "kinesis:GetRecords"]
          Resource = "*"
        },
      ],
    )
  })

  release_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "SignIn", Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" },
      {
        Sid    = "Images"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = "arn:aws:ecr:${var.region}:${var.account_id}:repository/${local.name}/*"
      },
      {
        # These know no resource.
        Sid    = "Revisions"
        Effect = "Allow"
        Action = [
          "application-autoscaling:DescribeScalableTargets", "cloudwatch:DescribeAlarms", "ecs:DescribeTaskDefinition",
          "ecs:DeregisterTaskDefinition", "ecs:ListTasks", "ecs:RegisterTaskDefinition", "elasticloadbalancing:Describe*",
        ]
        Resource = "*"
      },
      {
        Sid    = "Services"
        Effect = "Allow"
        Action = ["ecs:DescribeServices", "ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions", "ecs:ListServiceDeployments", "ecs:StopServiceDeployment", "ecs:DescribeTasks", "ecs:UpdateService", "ecs:TagResource"]
        Resource = [
          for kind in ["service", "task", "service-deployment", "service-revision"] : "arn:aws:ecs:${var.region}:${var.account_id}:${kind}/${local.name}/*"
        ]
      },
      {
        Sid      = "FewestTasks"
        Effect   = "Allow"
        Action   = "application-autoscaling:RegisterScalableTarget"
        Resource = "arn:aws:application-autoscaling:${var.region}:${var.account_id}:scalable-target/*"
      },
      {
        Sid       = "RunAsTheWorkloads"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = local.roles
        Condition = { StringEquals = { "iam:PassedToService" = ["ecs.amazonaws.com", "ecs-tasks.amazonaws.com"] } }
      },
      {
        Sid      = "WhyATaskFailed"
        Effect   = "Allow"
        Action   = "logs:GetLogEvents"
        Resource = "arn:aws:logs:${var.region}:${var.account_id}:log-group:/${local.name}/*"
      },
      {
        Sid      = "TellPeople"
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = "arn:aws:sns:${var.region}:${var.account_id}:${local.name}-*"
      },
      {
        # The topic's messages are encrypted on their way.
        Sid       = "TellThemByTheirKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "arn:aws:kms:${var.region}:${var.account_id}:key/*"
        Condition = { StringEquals = { "kms:ViaService" = "sns.${var.region}.amazonaws.com" } }
      },
    ]
  })
}
