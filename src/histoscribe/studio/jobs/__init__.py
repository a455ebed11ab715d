"""Long work in processes of their own: predict, evaluate, run a paper."""
