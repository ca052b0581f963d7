variable "name" {
  description = "What the rules' names begin with."
  type        = string
  nullable    = false
}

variable "topic_arn" {
  description = "Topic that is told; its policy and its key must let EventBridge publish."
  type        = string
  nullable    = false
}

variable "notices" {
  description = "What is told, by name: the event pattern (JSON), what it means, and a sentence with <names> that paths take out of the event."
  type        = map(object({ description = string, pattern = string, sentence = string, paths = map(string) }))
  nullable    = false

  validation {
    condition     = alltrue([for notice in var.notices : can(jsondecode(notice.pattern).source) || can(jsondecode(notice.pattern).detail)])
    error_message = "notices ${jsonencode(keys(var.notices))}: some have a pattern that is no JSON object with a source or a detail, and so would tell of everything or nothing: mend that pattern."
  }

  validation {
    condition = alltrue(flatten([
      for notice in var.notices : [for name in flatten(regexall("<([a-z_]+)>", notice.sentence)) : contains(keys(notice.paths), name)]
    ]))
    error_message = "notices ${jsonencode({ for name, notice in var.notices : name => notice.sentence })}: some sentence has a <name> that its paths do not give: add the path."
  }
}
