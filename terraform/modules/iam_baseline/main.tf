# What holds for everybody in the account: passwords, how far any role may go at most, the way in
# when nothing else works, and who may read parameters.

locals {
  account  = "arn:aws:iam::${var.account_id}"
  boundary = "${local.account}:policy/${var.name}-boundary"
}

resource "aws_iam_account_password_policy" "this" {
  minimum_password_length        = 16
  require_lowercase_characters   = true
  require_uppercase_characters   = true
  require_numbers                = true
  require_symbols                = true
  allow_users_to_change_password = true
  max_password_age               = 90
  password_reuse_prevention      = 24
}

# A ceiling, not a grant: a role may do what its own policies allow and this does not forbid.
resource "aws_iam_policy" "boundary" {
  name        = "${var.name}-boundary"
  description = "The most that any role made for ${var.name} may do"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ServicesOfThePlatform"
        Effect   = "Allow"
        Action   = [for service in var.services : "${service}:*"]
        Resource = "*"
      },
      {
        # Services without a region answer from us-east-1.
        Sid      = "HereOnly"
        Effect   = "Deny"
        Action   = [for service in var.regional_services : "${service}:*"]
        Resource = "*"
        Condition = {
          StringNotEquals = { "aws:RequestedRegion" = var.regions }
        }
      },
      {
        Sid    = "NoPeople"
        Effect = "Deny"
        Action = [
          "iam:CreateUser", "iam:CreateLoginProfile", "iam:UpdateLoginProfile", "iam:CreateAccessKey",
          "iam:DeactivateMFADevice", "iam:DeleteAccountPasswordPolicy", "iam:UpdateAccountPasswordPolicy",
        ]
        Resource = "*"
      },
      {
        Sid    = "NoWayOut"
        Effect = "Deny"
        Action = [
          "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion",
          "iam:DeleteRolePermissionsBoundary",
        ]
        Resource = [local.boundary, "${local.account}:role/*"]
      },
      {
        Sid       = "OnlyUnderTheSameCeiling"
        Effect    = "Deny"
        Action    = ["iam:CreateRole", "iam:PutRolePermissionsBoundary"]
        Resource  = "*"
        Condition = { StringNotEquals = { "iam:PermissionsBoundary" = local.boundary } }
      },
      {
        Sid    = "TheWitnessesStay"
        Effect = "Deny"
        Action = [
          "cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "config:StopConfigurationRecorder",
          "config:DeleteConfigurationRecorder", "guardduty:DeleteDetector", "securityhub:DisableSecurityHub",
          "access-analyzer:DeleteAnalyzer", "organizations:LeaveOrganization", "account:CloseAccount",
        ]
        Resource = "*"
      },
    ]
  })
}

# For the day on which nothing else works. An hour at most, with a second factor that is fresh; the
# security stack tells of each use.
resource "aws_iam_role" "break_glass" {
  #checkov:skip=CKV_AWS_274: administrator for an hour is what this role is for; its use needs MFA and is told at once
  name                 = "${var.name}-break-glass"
  description          = "Administrator for an emergency: MFA, one hour, each use is told"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = local.break_glass_principals }
      Action    = "sts:AssumeRole"
      Condition = {
        Bool            = { "aws:MultiFactorAuthPresent" = "true" }
        NumericLessThan = { "aws:MultiFactorAuthAge" = "3600" }
      }
    }]
  })
}

locals {
  principals = length(var.break_glass_principals) > 0 ? var.break_glass_principals : ["${local.account}:root"]
  # Alone it is no list: AWS gives it back so.
  break_glass_principals = try(one(local.principals), local.principals)
}

resource "aws_iam_role_policy_attachment" "break_glass" {
  #checkov:skip=CKV_AWS_274: see the role
  role       = aws_iam_role.break_glass.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}

# Parameters hold settings of the environment. Who may take this role, IAM says in the account.
resource "aws_iam_role" "parameter_reader" {
  name                 = "${var.name}-parameter-reader"
  description          = "Reads the parameters of ${var.name}, and nothing else"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.boundary.arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "${local.account}:root" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "parameter_reader" {
  name = "read-parameters"
  role = aws_iam_role.parameter_reader.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ParametersOfThisEnvironment"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:GetParameterHistory"]
        Resource = "arn:aws:ssm:${var.region}:${var.account_id}:parameter/${var.name}/*"
      },
      {
        Sid       = "SecureOnesThroughSsm"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:${var.region}:${var.account_id}:key/*"
        Condition = { StringEquals = { "kms:ViaService" = "ssm.${var.region}.amazonaws.com" } }
      },
    ]
  })
}
