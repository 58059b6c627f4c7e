"""SMS gateways, one module a vendor's wire."""
