output "function_name" {
  description = "Name of the function that rotates, as its metrics name it."
  value       = module.function.name
}
