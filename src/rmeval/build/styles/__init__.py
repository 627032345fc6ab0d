"""The third stage: each response in three styles, with the same substance."""
