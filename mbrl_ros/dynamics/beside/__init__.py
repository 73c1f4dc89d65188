"""What is learned from the same transitions beside the dynamics: rewards, actions, gaps. One small file each."""
