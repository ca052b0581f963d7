# Services that look for trouble by themselves: intruders (GuardDuty), what is open to strangers
# (Access Analyzer), and, where it is worth its price, one list of all that is found (Security Hub).

resource "aws_guardduty_detector" "this" {
  #checkov:skip=CKV2_AWS_3: it asks for an organisation's settings; an environment is one account in one region here
  enable                       = true
  finding_publishing_frequency = "FIFTEEN_MINUTES"
}

resource "aws_guardduty_detector_feature" "this" {
  for_each = var.guardduty_features

  detector_id = aws_guardduty_detector.this.id
  name        = each.value
  status      = "ENABLED"
}

resource "aws_accessanalyzer_analyzer" "this" {
  analyzer_name = var.name
  type          = "ACCOUNT"
}

resource "aws_securityhub_account" "this" {
  count = var.security_hub ? 1 : 0

  enable_default_standards  = false
  control_finding_generator = "SECURITY_CONTROL"
  auto_enable_controls      = true
}

resource "aws_securityhub_standards_subscription" "this" {
  for_each = var.security_hub ? var.standards : []

  standards_arn = "arn:aws:securityhub:${var.region}::standards/${each.value}"

  depends_on = [aws_securityhub_account.this]
}
