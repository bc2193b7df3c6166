"""How the service gets to AWS: what the scripts `script/deploy-*` and `script/bill` do."""
