"""Makes samples.h: small files written by torch.save itself, in both of its forms, as C arrays.

Usage: python3 make_samples.py > samples.h   (needs PyTorch; samples.h was made with 2.x)

Each holds conv1_1.weight [2, 3, 1, 1] = -4/8, -3/8, ..., 1/8 and conv1_1.bias [2] = (0.25, -2), values that every type
can hold.
"""
import collections
import io
import warnings

import torch

warnings.simplefilter("ignore")


def state(dtype=torch.float32):
    weight = torch.arange(6, dtype=torch.float32).reshape(2, 3, 1, 1) / 8 - 0.5
    result = collections.OrderedDict()
    result["conv1_1.weight"] = weight.to(dtype)
    result["conv1_1.bias"] = torch.tensor([0.25, -2.0]).to(dtype)
    result._metadata = {"": {"version": 1}}
    return result


def transposed(weight):
    """The same values, with the strides of the transposed matrix and an offset into a larger storage."""
    storage = torch.zeros(4, 2)
    storage[1:] = weight.reshape(2, 3).t()
    return storage[1:].t().unsqueeze(2).unsqueeze(3)


class Hostile:
    def __reduce__(self):
        import os
        return os.system, ("false",)


def save(value, **options):
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


LEGACY = {"_use_new_zipfile_serialization": False}
SAMPLES = {
    "sample_zip": save(state()),
    "sample_legacy": save(state(), **LEGACY),
    "sample_zip_half": save(state(torch.float16)),
    "sample_legacy_bfloat16": save(state(torch.bfloat16), **LEGACY),
    "sample_legacy_double": save(state(torch.float64), **LEGACY),
    "sample_legacy_strided": save({**state(), "conv1_1.weight": transposed(state()["conv1_1.weight"])}, **LEGACY),
    "sample_zip_checkpoint": save({"epoch": 3, "rate": 0.5, "state_dict": state()}),
    "sample_legacy_parameter": save({k: torch.nn.Parameter(v) for k, v in state().items()}, **LEGACY),
    "sample_zip_protocol4": save(state(), pickle_protocol=4),
    "sample_zip_hostile": save({"conv1_1.weight": Hostile()}),
}

print("/* samples.h: files written by torch.save, made by make_samples.py. */")
print("#ifndef WEIGHTS_SAMPLES_H\n#define WEIGHTS_SAMPLES_H\n\n/* clang-format off */")
for name, data in SAMPLES.items():
    print(f"static const unsigned char {name}[{len(data)}] = {{")
    for i in range(0, len(data), 24):
        print("    " + ",".join(str(b) for b in data[i:i + 24]) + ",")
    print("};")
print("/* clang-format on */\n\n#endif")
