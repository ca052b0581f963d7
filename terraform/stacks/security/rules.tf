# What is held against the rules of AWS Config, and what is told of as it happens.

locals {
  rules = merge(
    {
      # AWS refuses more than six tags here; these are all but Service.
      required-tags       = { tag1Key = "Environment", tag2Key = "Owner", tag3Key = "CostCenter", tag4Key = "ManagedBy", tag5Key = "Stack" }
      iam-password-policy = { MinimumPasswordLength = "16", MaxPasswordAge = "90", PasswordReusePrevention = "24" }
    },
    { for name in [
      "cloud-trail-enabled", "multi-region-cloud-trail-enabled", "root-account-mfa-enabled", "iam-root-access-key-check",
      "iam-policy-no-statements-with-admin-access", "s3-bucket-public-read-prohibited", "s3-bucket-public-write-prohibited",
      "s3-bucket-ssl-requests-only", "rds-storage-encrypted", "rds-instance-public-access-check",
      "rds-snapshots-public-prohibited", "encrypted-volumes", "ec2-imdsv2-check", "incoming-ssh-disabled",
      "vpc-flow-logs-enabled", "vpc-default-security-group-closed", "alb-waf-enabled", "cmk-backing-key-rotation-enabled",
    ] : name => {} },
  )

  by_call = ["AWS API Call via CloudTrail"]
  who     = { who = "$.detail.userIdentity.arn", from = "$.detail.sourceIPAddress", what = "$.detail.eventName" }
  caller  = "<who> called <what> from <from>."

  notices = {
    break-glass = {
      description = "The emergency role was taken"
      pattern = jsonencode({
        source      = ["aws.sts"]
        detail-type = local.by_call
        detail      = { eventName = ["AssumeRole"], requestParameters = { roleArn = var.watched_roles } }
      })
      sentence = local.caller
      paths    = local.who
    }
    # The console says so in its own way.
    break-glass-console = {
      description = "The emergency role was taken in the console"
      pattern = jsonencode({
        source = ["aws.signin"]
        detail = { eventName = ["SwitchRole"], userIdentity = { sessionContext = { sessionIssuer = { arn = var.watched_roles } } } }
      })
      sentence = local.caller
      paths    = local.who
    }
    root = {
      description = "The root user was at work"
      pattern = jsonencode({
        detail-type = concat(local.by_call, ["AWS Console Sign In via CloudTrail"])
        detail      = { userIdentity = { type = ["Root"], invokedBy = [{ exists = false }] } }
      })
      sentence = local.caller
      paths    = local.who
    }
    witnesses = {
      description = "What watches over the account was changed"
      pattern = jsonencode({
        source      = ["aws.cloudtrail", "aws.config", "aws.guardduty", "aws.access-analyzer"]
        detail-type = local.by_call
        detail = { eventName = [
          "StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors", "StopConfigurationRecorder",
          "DeleteConfigurationRecorder", "DeleteDetector", "UpdateDetector", "DeleteAnalyzer",
        ] }
      })
      sentence = local.caller
      paths    = local.who
    }
    intruder = {
      description = "GuardDuty found something grave"
      pattern = jsonencode({
        source      = ["aws.guardduty"]
        detail-type = ["GuardDuty Finding"]
        detail      = { severity = [{ numeric = [">=", 7] }] }
      })
      sentence = "<title> (severity <severity>, <finding>)."
      paths    = { title = "$.detail.title", severity = "$.detail.severity", finding = "$.detail.id" }
    }
    open-to-strangers = {
      description = "Something of the account is open to strangers"
      pattern = jsonencode({
        source      = ["aws.access-analyzer"]
        detail-type = ["Access Analyzer Finding"]
        detail      = { status = ["ACTIVE"] }
      })
      sentence = "<resource> (finding <finding>)."
      paths    = { resource = "$.detail.resource", finding = "$.detail.id" }
    }
  }
}
