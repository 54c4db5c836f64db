"""The central server: takes in what handhelds wrote, merges it, signs for it, and sends it on."""
