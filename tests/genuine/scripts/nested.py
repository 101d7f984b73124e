import torch


class Module(torch.nn.Module):
    def __init__(self, count, text):
        super().__init__()
        self.inner = torch.nn.ModuleList([torch.nn.Identity() for _ in range(count)])
        for module in self.inner:
            module._neuron_artifact = text

    def forward(self, x):
        return x


class Holder(torch.nn.Module):
    def __init__(self, *buffers):
        super().__init__()
        for index, buffer in enumerate(buffers):
            self.register_buffer(f"p{index}", buffer)

    def forward(self, x):
        return x
