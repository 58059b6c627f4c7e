"""The pages that tell at a glance whether all is well."""
