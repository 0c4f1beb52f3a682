"""From a running PyTorch model to an archive. Only the modules that `record` imports when it is called import torch."""
