# Who may do what in the account, before anything is built in it.
#
# A person applies this stack: the roles of the pipeline may not change what binds them.

locals {
  name = "drydock-${var.environment}"

  repository = "repo:${var.github.repository}"
  # GitHub sets the environment's claim only after its rules let the run in: reviewers, branches.
  protected = ["${local.repository}:environment:${var.environment}"]
  reviewed  = ["${local.repository}:pull_request", "${local.repository}:ref:refs/heads/${var.github.branch}"]
}

module "baseline" {
  source = "../../modules/iam_baseline"

  name                   = local.name
  account_id             = var.account_id
  region                 = var.region
  regions                = distinct([var.region, var.recovery_region])
  services               = concat(keys(local.reads), local.services_that_need_no_reading)
  regional_services      = keys(local.changes)
  break_glass_principals = var.break_glass_principals
}

module "github" {
  source = "../../modules/github_oidc"

  name                     = local.name
  repository               = var.github.repository
  permissions_boundary_arn = module.baseline.permissions_boundary_arn

  roles = {
    plan = {
      description = "Plans changes of ${var.environment}: reads, and changes nothing"
      subjects    = concat(local.reviewed, local.protected)
      policies    = { read = local.read_policy, state = local.state_policy["plan"] }
    }
    apply = {
      description = "Applies approved plans to ${var.environment}"
      subjects    = local.protected
      policies    = { read = local.read_policy, state = local.state_policy["apply"], change = local.change_policy }
    }
    deploy = {
      description = "Releases images of workloads to ${var.environment}"
      subjects    = local.protected
      policies    = { state = local.state_policy["plan"], release = local.release_policy }
    }
  }
}
