# The one user of the cache. The provider would write a password into the state, so Terraform makes
# the user without one (IAM alone lets it in); rotating its secret gives it passwords, which is why
# they are not Terraform's to look at.

resource "aws_elasticache_user" "this" {
  user_id       = "${var.name}-app"
  user_name     = "${var.name}-app" # IAM asks that both be the same
  engine        = var.engine
  access_string = "on ~* &* +@all -@admin -@dangerous +info"

  authentication_mode {
    type = "iam"
  }

  lifecycle {
    ignore_changes = [authentication_mode]
  }
}

# Without it the cache would make a user default that may do anything without a password.
resource "aws_elasticache_user" "default" {
  user_id              = "${var.name}-default"
  user_name            = "default"
  engine               = var.engine
  access_string        = "off ~* -@all"
  no_password_required = true
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = var.name
  engine        = var.engine
  user_ids      = [aws_elasticache_user.this.user_id, aws_elasticache_user.default.user_id]
}
