"""One torch thread a process: spinning threads on busy cores turn milliseconds into seconds."""

import torch

torch.set_num_threads(1)
