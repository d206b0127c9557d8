"""How many pictures find room at a time on a device, from the sizes of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osform.caption.engines import Loading
from osform.images import checkpoints

MOST = 256
"""More rows a batch gain next to nothing: the vision transformer is bound by arithmetic long before."""
_MOST_ON_A_CPU = 64
_SHARE = 0.7
_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
_AT_ONCE = 24  # widths of a token's activations that live at the same time, attention's included; chosen with room


def batch_for(folder: Path, loading: Loading, copies: int = 1) -> int:
    """The batch for the memory that is free now, less what the weights of ``copies`` will take. At least 1."""
    free = _free(loading.device) // copies - sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    most = MOST if loading.device.startswith("cuda") else _MOST_ON_A_CPU
    fit = int(free * _SHARE / bytes_a_picture(checkpoints.settings(folder, "config.json"), loading))
    return max(1, min(most, 1 << (fit.bit_length() - 1) if fit > 0 else 1))


def bytes_a_picture(config: dict[str, Any], loading: Loading) -> int:
    """Memory that a picture takes at most: activations of the vision model, keys and values of the language model."""
    vision, text = config.get("vision_config", {}), config.get("text_config", {})
    size, patch = int(vision.get("image_size", 384)), int(vision.get("patch_size", 16))
    patches = (size // patch) ** 2 + 1
    width, heads = int(vision.get("hidden_size", 1408)), int(vision.get("num_attention_heads", 16))
    seeing = patches * width * _AT_ONCE + patches * patches * heads
    layers = int(text.get("num_hidden_layers") or text.get("num_layers") or 24)
    inner = int(text.get("hidden_size") or text.get("d_model") or 2560)
    tokens = int(config.get("num_query_tokens", 0)) + 64 + loading.max_new_tokens
    saying = tokens * inner * (2 * layers + _AT_ONCE) + int(text.get("vocab_size", 50304)) * 4
    return (seeing + saying) * _BYTES[loading.precision]


def _free(device: str) -> int:
    """Bytes that are free on a device."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 4 << 30
