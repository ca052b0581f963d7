variable "name" {
  description = "What the roles' names begin with; they are <name>-ci-<role>."
  type        = string
  nullable    = false
}

variable "repository" {
  description = "Repository whose runs may take the roles: owner/name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository is \"${var.repository}\", which is no GitHub repository: give owner/name, without address and wildcard."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the roles may do."
  type        = string
  nullable    = false
}

variable "thumbprints" {
  description = "SHA-1 thumbprints of GitHub's certificates, 40 hexadecimal digits each."
  type        = list(string)
  default     = ["6938fd4d98bab03faadb97b34396831e3780aea1", "1c58a3a8518e8759bf075b76b750d4f2df264fcd"]
  nullable    = false
}

variable "roles" {
  description = "Roles by the name of what they do: which subjects of GitHub's tokens may take each, and its policies (JSON documents by name)."
  type        = map(object({ description = string, subjects = list(string), policies = map(string) }))
  nullable    = false

  # "repo:owner/name*" would let other repositories in, and "repo:owner/name:*" every branch.
  validation {
    condition = alltrue(flatten([
      for role in var.roles : [
        length(role.subjects) > 0,
        [for subject in role.subjects : startswith(subject, "repo:${var.repository}:") && length(regexall("[*?]", subject)) == 0],
      ]
    ]))
    error_message = "roles may be taken by ${jsonencode([for role in var.roles : role.subjects])}, of which some are not runs of ${var.repository}, or have a wildcard, or there are none: name each branch or environment, for example repo:${var.repository}:ref:refs/heads/main."
  }
}
