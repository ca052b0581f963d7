output "function_name" {
  description = "Name of the function, as its metrics name it."
  value       = module.function.name
}
