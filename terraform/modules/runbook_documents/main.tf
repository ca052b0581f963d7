# Every runbook as a command document of Systems Manager: the same playbook, started on the
# operations machine by whoever may send commands, with its inputs typed and its output kept.
# Made from runbooks/meta, so a new runbook has its document with the next provision.

locals {
  folder   = "${path.module}/../../../runbooks/meta"
  runbooks = { for file in fileset(local.folder, "*.yml") : trimsuffix(file, ".yml") => yamldecode(file("${local.folder}/${file}")) }

  # Of every runbook; a check unless it is said otherwise.
  common = {
    Mode = {
      type          = "String"
      description   = "check shows the decision and changes nothing; run acts on it."
      allowedValues = ["check", "run"]
      default       = "check"
    }
    Limit = {
      type           = "String"
      description    = "Host of the inventory that it is for; empty for all that it is written for."
      allowedPattern = "^[A-Za-z0-9_-]*$"
      default        = ""
    }
    Confirm = {
      type           = "String"
      description    = "The environment's name, where the inventory asks for it."
      allowedPattern = "^[a-z]*$"
      default        = ""
    }
  }

  # What a document calls an input: parameters of Systems Manager are in camel case.
  inputs = {
    for runbook, meta in local.runbooks : runbook => {
      for name, option in try(meta.inputs, {}) :
      join("", [for word in split("_", name) : title(word)]) => merge({ name = name }, option)
    }
  }

  # A shell reads these values, so their patterns leave no letter that means something to it.
  patterns = {
    int  = "^[0-9]*$"
    bool = "^(true|false|)$"
    list = "^[A-Za-z0-9_.:/@,-]*$"
    str  = "^[A-Za-z0-9_.:/@-]*$"
  }

  parameters = {
    for runbook, inputs in local.inputs : runbook => {
      for parameter, option in inputs : parameter => {
        for key, value in {
          type           = "String"
          description    = join(" ", split("\n", trimspace(option.description)))
          allowedValues  = try(option.choices, null)
          allowedPattern = can(option.choices) ? null : lookup(local.patterns, option.type, local.patterns.str)
          default        = try(option.required, false) ? null : try(join(",", option.default), tostring(option.default), "")
        } : key => value if value != null
      }
    }
  }
}

resource "aws_ssm_document" "this" {
  for_each = local.runbooks

  name            = "${var.name}-${each.key}"
  document_type   = "Command"
  document_format = "YAML"
  target_type     = "/AWS::EC2::Instance"

  content = yamlencode({
    schemaVersion = "2.2"
    description   = "${each.value.title}. ${trimspace(each.value.purpose)}"
    parameters    = merge(local.common, local.parameters[each.key])
    mainSteps = [{
      name   = "runbook"
      action = "aws:runShellScript"
      precondition = {
        StringEquals = ["platformType", "Linux"]
      }
      inputs = {
        timeoutSeconds   = tostring(var.timeout_seconds)
        workingDirectory = var.project_folder
        runCommand = concat(
          [
            "set -eu",
            "set -- ${join(" ", [for part in concat([""], try(each.value.inventories, [])) : "-i 'inventories/${join("/", compact([part, var.environment]))}'"])} 'runbooks/${each.key}.yml'",
            "if [ '{{ Mode }}' = check ]; then set -- \"$@\" --check; fi",
            "if [ -n '{{ Limit }}' ]; then set -- \"$@\" --limit '{{ Limit }}'; fi",
            "if [ -n '{{ Confirm }}' ]; then set -- \"$@\" -e 'confirm={{ Confirm }}'; fi",
          ],
          [
            for parameter, option in local.inputs[each.key] :
            "if [ -n '{{ ${parameter} }}' ]; then set -- \"$@\" -e '${option.name}={{ ${parameter} }}'; fi"
          ],
          ["exec .venv/bin/ansible-playbook \"$@\""],
        )
      }
    }]
  })
}
