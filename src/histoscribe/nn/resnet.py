"""ResNet18 without its pooling and classifier; parameter names are torchvision's, so that its weight files load."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["ResNet18"]

#: ImageNet's mean and sd of RGB in 0-1, which every published ResNet18 of this field was trained with.
_MEAN, _SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        plain = stride == 1 and n_in == n_out
        self.downsample = (
            None if plain else nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Module):
    """``(b, 3, h, w)`` RGB of 0-255 -> ``(b, 512, h / 32, w / 32)``. Source: He et al. 2016, table 1."""

    dim = 512

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        widths = (64, 64, 128, 256, 512)
        for i in range(1, 5):
            first = _Block(widths[i - 1], widths[i], 1 if i == 1 else 2)
            setattr(self, f"layer{i}", nn.Sequential(first, _Block(widths[i], widths[i], 1)))
        self.register_buffer("mean", 255.0 * torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("sd", 255.0 * torch.tensor(_SD).view(3, 1, 1), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def maps(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute the feature map."""
        x = (pixels.float() - self.mean) / self.sd
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute ``(b, 512)`` pooled features."""
        return self.maps(pixels).mean(dim=(2, 3))
