# Roles that GitHub Actions takes by its own short-lived tokens, so that no key of the account is
# kept there. Each role names exactly which runs of which repository may take it.

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
  # AWS checks GitHub's certificate by its own trust store; these are GitHub's all the same, so that
  # a plan finds what it wrote.
  thumbprint_list = var.thumbprints
}

resource "aws_iam_role" "ci" {
  for_each = var.roles

  name                 = "${var.name}-ci-${each.key}"
  description          = each.value.description
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          # Alone it is no list: AWS gives it back so.
          "token.actions.githubusercontent.com:sub" = try(one(each.value.subjects), each.value.subjects)
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "ci" {
  for_each = merge([
    for role, given in var.roles : { for name, policy in given.policies : "${role}-${name}" => { role = role, name = name, policy = policy } }
  ]...)

  name   = each.value.name
  role   = aws_iam_role.ci[each.value.role].name
  policy = each.value.policy
}
