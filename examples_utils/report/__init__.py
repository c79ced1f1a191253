"""One page that shows what a night has brought."""
