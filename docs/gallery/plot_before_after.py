"""
Bicubic and innersr, side by side
=================================

A part of the bundled photograph, enlarged twice without being told how it became small. `draft` learns nothing from
the picture; leave the preset out for the default, which does.
"""

import matplotlib.pyplot as plt
from PIL import Image

import innersr

photo = Image.open("../../examples/towers.png").crop((130, 90, 210, 150))
pictures = {
    "the photograph": photo,
    "bicubic": innersr.upscale(photo, method="bicubic"),
    "innersr": innersr.upscale(photo, preset="draft"),
}

figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
for axis, (name, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture, interpolation="nearest")
    axis.set(title=f"{name}, {picture.width} × {picture.height}", xticks=[], yticks=[])
plt.show()
