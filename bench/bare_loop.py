"""A minimal script that times resnet50 with OpenVINO: the reference for the driver's memory."""

import time

import numpy as np
import openvino as ov
import timm
import torch

model = timm.create_model("resnet50").eval()
pixels = np.random.default_rng(0).random((8, 3, 224, 224), np.float32)
with torch.no_grad():
    converted = ov.convert_model(torch.export.export(model, (torch.from_numpy(pixels),)))
converted.reshape(list(pixels.shape))
queue = ov.AsyncInferQueue(ov.Core().compile_model(converted, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"}))
start_s = time.perf_counter()
samples = 0
while time.perf_counter() - start_s < 2:
    for _ in range(8):
        queue.start_async(pixels, share_inputs=True)
    queue.wait_all()
    samples += 64
print(samples / (time.perf_counter() - start_s), "samples/sec")
