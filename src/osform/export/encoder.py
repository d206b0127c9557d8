"""A model of sentence-transformers, loaded and checked for what an ML node can do with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osform.core.closeness import pair_of
from osform.core.models import NO_SPACE, SERVER_MAX_LENGTH, FunctionName
from osform.errors import ExportError
from osform.export import projections, sources
from osform.export.jobs import Job

if TYPE_CHECKING:
    import numpy
    import torch
    from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder

EXAMPLE = "An example of ordinary length; what is traced with it holds for any other."
# sentence-transformers' similarity functions, as k-NN calls them.
SPACES = {"cosine": "cosinesimil", "dot": "innerproduct", "euclidean": "l2", "manhattan": "l1"}
# ML Commons' names of poolings, where sentence-transformers has others.
POOLINGS = {"weighted_mean": "weightedmean", "last_token": "lasttoken"}


@dataclass(frozen=True)
class Encoder:
    """A model in memory, in fp32, and the number of tokens that it reads of a text, or of a pair."""

    model: SentenceTransformer | CrossEncoder | SparseEncoder
    max_length: int
    function_name: FunctionName = "text_embedding"

    @property
    def model_type(self) -> str:
        """The architecture as transformers calls it: ``bert``, ``roberta``, ``mpnet`` ..."""
        return str(self.model[0].auto_model.config.model_type)

    @property
    def space_type(self) -> str:
        """The k-NN space that suits the similarity that the model was trained for."""
        return SPACES[str(self.model.similarity_fn_name)] if self.function_name == "text_embedding" else NO_SPACE

    @property
    def backend_tokenizer(self) -> Any:
        """The tokenizer as ``tokenizers`` knows it, with whatever transformers changed in it."""
        return self.model.tokenizer.backend_tokenizer

    def example(self) -> torch.Tensor:
        """Token ids of an ordinary text, int64 of shape (1, tokens), to trace with."""
        import torch

        # Of a model that reads little, the example is as long as it reads.
        return torch.tensor([self.backend_tokenizer.encode(EXAMPLE).ids[: self.max_length]])

    def features(self, *tensors: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the model is called with: ids, mask, and token types where it has any use for them."""
        return dict(zip(("input_ids", "attention_mask", "token_type_ids")[: self._reads], tensors, strict=False))

    @property
    def _reads(self) -> int:
        embeddings = getattr(self.model[0].auto_model.base_model, "embeddings", None)
        table = getattr(embeddings, "token_type_embeddings", None)
        return 3 if table is not None and table.num_embeddings > 1 else 2

    def encode(self, texts: Sequence[str]) -> list[numpy.ndarray[Any, Any]]:
        """sentence-transformers' own answers of shape (dimension,), each text by itself as on the server.

        A cross-encoder's is its logit: the server has no function that would follow. A sparse encoder's has no weights
        for the tokenizer's special tokens, since the server leaves them out.
        """
        import torch

        match self.function_name:
            case "text_embedding":
                return [self.model.encode([text], batch_size=1, show_progress_bar=False)[0] for text in texts]
            case "text_similarity":
                raw = torch.nn.Identity()
                pairs = [pair_of(text) for text in texts]
                return [self.model.predict([p], activation_fn=raw, show_progress_bar=False) for p in pairs]
            case "sparse_encoding":
                kept = kept_tokens(self.backend_tokenizer, self.model[0].auto_model.config.vocab_size)
                how = {"convert_to_sparse_tensor": False, "show_progress_bar": False}
                return [self.model.encode([text], batch_size=1, **how)[0].numpy() * kept for text in texts]


def load(job: Job, *, attention: str | None = None) -> Encoder:
    """Load the job's source; ``attention`` is transformers' implementation, None for its own choice.

    Raises ExportError for a source that can't be loaded, or that the server could not serve truthfully.
    """
    from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder

    classes = {"text_embedding": SentenceTransformer, "text_similarity": CrossEncoder, "sparse_encoding": SparseEncoder}
    folder = Path(job.source)
    options = {"attn_implementation": attention} if attention else {}
    sources.refuse_code(folder)
    try:
        model = classes[job.function_name](
            str(folder), device="cpu", local_files_only=True, trust_remote_code=False, model_kwargs=options
        )
    except Exception as error:  # Rust's libraries raise plain ones, Python's whatever a file makes of them
        raise unreadable("sentence-transformers", folder, error) from error
    model = model.float().eval().requires_grad_(False)
    if not hasattr(model[0], "auto_model") or not getattr(model.tokenizer, "is_fast", False):
        raise ExportError(f"{folder}: expected a transformer with a tokenizer.json, found {type(model[0]).__name__}")
    if model.default_prompt_name and model.prompts.get(model.default_prompt_name):
        raise ExportError(
            f"{folder}: the model puts the prompt {model.default_prompt_name!r} before a text, the server none",
            hint="only models without a default prompt can be exported",
        )
    match job.function_name:
        case "text_embedding":
            _pool(model, job)
            if job.projection is not None:
                projections.append(model, job.projection, sources.digest(folder))
        case "text_similarity":
            _check_cross_encoder(model, folder)
        case "sparse_encoding":
            _check_sparse_encoder(model, folder)
    return Encoder(model, _limit(model, job), job.function_name)


def unreadable(library: str, folder: Path, error: Exception) -> ExportError:
    """What to say of a folder that a library stumbled over."""
    # What is wanting where it imports something is no extra of osform: a tokenizer's sentencepiece, say.
    cut = "compare its files with where they are from: one may be cut off, or a pointer of Git LFS"
    hint = None if isinstance(error, ImportError) else cut
    return ExportError(f"{library} can't load {folder}: {type(error).__name__}: {error}", hint=hint)


def kept_tokens(tokenizer: Any, count: int) -> numpy.ndarray[Any, Any]:
    """1 for each token whose weight the server tells, 0 for those that it reads as nothing: special tokens."""
    import numpy

    return numpy.array([1.0 if tokenizer.decode([token]) else 0.0 for token in range(count)], dtype=numpy.float32)


def _check_cross_encoder(model: CrossEncoder, folder: Path) -> None:
    if model.num_labels != 1:
        raise ExportError(
            f"{folder}: a cross-encoder with {model.num_labels} labels, expected one: a score",
            hint="reranking needs one number for a pair; take a model that was trained for that",
        )


def _check_sparse_encoder(model: SparseEncoder, folder: Path) -> None:
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    if not isinstance(model[-1], SpladePooling) or len(model) != 2:
        found = ", ".join(type(module).__name__ for module in model)
        raise ExportError(
            f"{folder}: the modules {found}, expected a masked language model and SpladePooling",
            hint="a part that looks tokens up in a table (SparseStaticEmbedding) is not exported",
        )


def _pool(model: SentenceTransformer, job: Job) -> None:
    """Take pooling from model.yaml where the source says nothing of it; else both have to say the same."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    if not (Path(job.source) / "modules.json").is_file():
        if job.pooling is None:
            raise ExportError(
                f"{job.source} has no modules.json, so nothing says how token vectors become one",
                hint="write it into model.yaml: `pooling: mean` (or cls, max ...) and `normalize: true` or false",
            )
        model[1] = Pooling(model[1].embedding_dimension, POOLINGS.get(job.pooling, job.pooling))
        if job.normalize:
            model.append(Normalize())
        return
    modes = [module.pooling_mode for module in model if isinstance(module, Pooling)]
    normalizes = any(isinstance(module, Normalize) for module in model)
    mode = next((ours for ours, theirs in POOLINGS.items() if [theirs] == modes), modes[0] if modes else None)
    for key, asked, found in (("pooling", job.pooling, mode), ("normalize", job.normalize, normalizes)):
        if asked is not None and asked != found:
            raise ExportError(
                f"model.yaml says {key}: {asked}, the source's modules.json {found}", hint=f"leave {key} out"
            )


def _limit(model: SentenceTransformer, job: Job) -> int:
    """Tokens that the model reads: model.yaml's number, else the source's own, as far as the server goes along."""
    own = min((int(n) for n in (model.max_seq_length, _positions(model)) if n is not None and n < 10**6), default=None)
    if job.max_length is not None and own is not None and job.max_length > own:
        raise ExportError(f"model.yaml says max_length: {job.max_length}, but the source reads {own} tokens at most")
    limit = job.max_length or own
    if limit is None or limit > SERVER_MAX_LENGTH:
        found = "no limit" if limit is None else f"up to {limit} tokens"
        raise ExportError(
            f"the source reads {found} of a text, ML Commons {SERVER_MAX_LENGTH} at most",
            hint=f"accept it in model.yaml: `max_length: {SERVER_MAX_LENGTH}`",
        )
    model.max_seq_length = limit
    return limit


def _positions(model: SentenceTransformer) -> int | None:
    """Positions that the architecture has room for; the RoBERTa family uses some of them for itself."""
    config = model[0].auto_model.config
    count = getattr(config, "max_position_embeddings", None)
    if count is None or count < 0:
        return None
    table = getattr(getattr(model[0].auto_model.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return int(count) - (padding + 1 if padding is not None else 0)
