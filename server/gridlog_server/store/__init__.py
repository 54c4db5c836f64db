"""The database behind the services. Only `service` may know it."""
