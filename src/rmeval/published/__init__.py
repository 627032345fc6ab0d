"""Published results and facts about models, with source and date."""
