"""From event to answered request: match, plan, claim, prepare, send, judge, record."""
