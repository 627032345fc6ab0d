"""The viewer: leaderboard, models, items and comparisons of run folders as pages (extra `app`)."""
