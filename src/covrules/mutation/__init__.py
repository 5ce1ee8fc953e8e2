"""What the examples of a rule would not notice: branches they do not take, and slips that change nothing they say."""
