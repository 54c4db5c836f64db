"""What stands between the open network and the services: who may come in, how much, for how long, and its books."""
