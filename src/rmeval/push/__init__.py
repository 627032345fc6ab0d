"""Results for hubs, trackers and exchange formats; nothing is sent unless a user names the target."""
