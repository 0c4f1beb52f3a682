"""Models of plain torch that no table knows, and the axes of what is recorded of them. Random weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

nn, F = torch.nn, torch.nn.functional

WIDTH, HEADS = 16, 2


class Attention(torch.nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """Causal self-attention as people write it: by a kernel, or by hand with a softmax."""

    def __init__(self, *, by_hand: bool, is_causal: bool) -> None:
        super().__init__()
        self.mixed, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.by_hand, self.is_causal = by_hand, is_causal
        self.earlier = torch.ones(64, 64, dtype=torch.bool).tril()  # no buffer: it stays where it was made

    def forward(self, x: Any) -> Any:
        """Return [sample, token, hidden]."""
        count = x.shape[1]
        query, key, value = self.mixed(x).view(len(x), count, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        if self.by_hand:
            scores = query @ key.mT / math.sqrt(query.shape[-1])
            if self.is_causal:
                scores = scores.masked_fill(~self.earlier[:count, :count], -math.inf)
            mixed = scores.softmax(-1) @ value
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, is_causal=self.is_causal)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(torch.nn.Module):  # type: ignore[misc]
    """A transformer block."""

    def __init__(self, **options: bool) -> None:
        super().__init__()
        self.norm, self.attn, self.mlp = nn.LayerNorm(WIDTH), Attention(**options), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Any) -> Any:
        """Return [sample, token, hidden]."""
        x = x + self.attn(self.norm(x))
        return x + self.mlp(x)


class Text(torch.nn.Module):  # type: ignore[misc]
    """A small GPT."""

    def __init__(self, *, by_hand: bool) -> None:
        super().__init__()
        self.words, self.places, self.head = nn.Embedding(31, WIDTH), nn.Embedding(64, WIDTH), nn.Linear(WIDTH, 31)
        self.blocks = nn.ModuleList(Block(by_hand=by_hand, is_causal=True) for _ in range(2))

    def forward(self, ids: Any) -> Any:
        """Return logits [sample, token, vocabulary]."""
        x = self.words(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Image(torch.nn.Module):  # type: ignore[misc]
    """A small ViT of images of one size, in the way of timm."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, WIDTH, 8, 8), nn.Linear(WIDTH, 7)
        self.first, self.places = nn.Parameter(torch.zeros(1, 1, WIDTH)), nn.Parameter(torch.zeros(1, 17, WIDTH))
        self.blocks = nn.Sequential(*(Block(by_hand=False, is_causal=False) for _ in range(2)))

    def forward(self, images: Any) -> Any:
        """Return logits [sample, class]."""
        x = self.patches(images).flatten(2).mT
        return self.head(self.blocks(torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.places)[:, 0])


class Translator(torch.nn.Module):  # type: ignore[misc]
    """Torch's own transformer, tokens first."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(31, WIDTH), nn.Linear(WIDTH, 31)
        encoder = nn.TransformerEncoderLayer(WIDTH, HEADS, 24)
        self.both = nn.Transformer(
            WIDTH,
            HEADS,
            num_decoder_layers=2,
            dim_feedforward=24,
            custom_encoder=nn.TransformerEncoder(encoder, 2, enable_nested_tensor=False),
        )

    def forward(self, source: Any, target: Any) -> Any:
        """Return logits [token, sample, vocabulary]."""
        return self.head(self.both(self.words(source), self.words(target)))


class Tagger(torch.nn.Module):  # type: ignore[misc]
    """A recurrent network of tokens."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(31, 8), nn.Linear(12, 5)
        self.lstm = nn.LSTM(8, 6, batch_first=batch_first, bidirectional=True)

    def forward(self, ids: Any) -> Any:
        """Return [sample, token, tag], or tokens first."""
        return self.head(self.lstm(self.words(ids))[0])


class Segmenter(torch.nn.Module):  # type: ignore[misc]
    """A U-Net of one level."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 2, 1)

    def forward(self, x: Any) -> Any:
        """Return [sample, class, height, width]."""
        first = self.down(x).relu()
        return self.out(torch.cat([first, self.up(self.middle(F.max_pool2d(first, 2)))], 1))


class Rows(torch.nn.Module):  # type: ignore[misc]
    """Layers that treat the first two dimensions alike, so that nothing says which one is the sample."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, x: Any) -> Any:
        """Return [any, any, 2]."""
        return self.outer(self.inner(x).relu())


@dataclass(frozen=True, slots=True)
class Own:
    """A model, the shapes of its inputs (of tokens where `is_text`), the profile, and axes by node."""

    build: Callable[[], Any]
    shapes: tuple[tuple[int, ...], ...]
    axes: Mapping[str, str]
    profile: str = "trace"
    is_text: bool = True

    def inputs(self) -> list[Any]:
        """Return the arguments of a call."""
        generator = torch.Generator().manual_seed(0)
        if self.is_text:
            return [torch.randint(0, 31, shape, generator=generator) for shape in self.shapes]
        return [torch.rand(shape, generator=generator) for shape in self.shapes]


_TEXT = {
    "/inputs/token": "sample token",
    "/activations/layer_01": "sample token hidden",
    "/attention/self/layer_01": "sample head token:query token:key",
    "/outputs/logits": "sample token vocabulary",
}
_IMAGE = {
    "/inputs/images": "sample channel height width",
    "/activations/layer_01": "sample token hidden",
    "/attention/self/layer_01": "sample head token:query token:key",
    "/outputs/output": "sample output_unit",
}
_BOTH = {
    "/inputs/source": "source_token sample",
    "/activations/both_encoder_layer_01": "source_token sample both_encoder_layer_hidden",
    "/activations/both_decoder_layer_01": "target_token sample both_decoder_layer_hidden",
    "/attention/self/both_decoder_layer_00": "sample both_decoder_layer_head target_token:query target_token:key",
    "/attention/cross/both_decoder_layer_00": "sample both_decoder_layer_head target_token:query source_token:key",
    "/outputs/output": "target_token sample output_unit",
}
_MAPS = {
    "/activations/down": "sample down_channel height width",
    "/activations/middle": "sample middle_channel middle_height middle_width",
    "/activations/up": "sample up_channel height width",
    "/outputs/output": "sample output_1 height width",
}
OWN: Mapping[str, Own] = {
    "own gpt": Own(lambda: Text(by_hand=False), ((3, 6),), _TEXT, "lm"),
    "own gpt, by hand, one sample": Own(lambda: Text(by_hand=True), ((1, 6),), _TEXT, "lm"),
    "own gpt, as many samples as tokens": Own(lambda: Text(by_hand=False), ((4, 4),), _TEXT, "lm"),
    "own vit": Own(Image, ((2, 3, 32, 32),), _IMAGE, is_text=False),
    "own translator": Own(Translator, ((6, 3), (5, 3)), _BOTH),
    "own tagger": Own(lambda: Tagger(batch_first=True), ((3, 6),), {"/activations/lstm": "sample token lstm_hidden"}),
    "own tagger, tokens first": Own(
        lambda: Tagger(batch_first=False), ((6, 3),), {"/activations/lstm": "token sample lstm_hidden"}
    ),
    "own u-net": Own(Segmenter, ((2, 1, 32, 32),), _MAPS, is_text=False),
}
"""Models of which the first call says the axes."""


def built(name: str) -> Any:
    """Return a model in evaluation mode, of the same weights in every call."""
    torch.manual_seed(0)
    return OWN[name].build().eval()
