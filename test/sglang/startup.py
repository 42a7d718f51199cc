"""The server's own start-up checks that need neither a GPU nor weights.

They are the wheel's code, run in the wheel's order on a real ServerArgs. Left out, because they
ask the device or read weights: memory settings, choice of attention backend, quantization.
"""

import functools
import importlib
import re
import types

from inert import Inert

# (method of ServerArgs, function of sglang.srt.arg_groups that replaced it in later wheels).
STEPS = (
    ("_handle_deprecated_dp_attention", "parallel_hook.handle_deprecated_dp_attention"),
    ("_handle_deprecated_args", "serving_hook.handle_deprecated_args"),
    ("_handle_missing_default_values", "serving_hook.handle_missing_default_values"),
    ("_handle_cuda_graph_config", "cuda_graph_hook.handle_cuda_graph_config"),
    ("_handle_model_specific_adjustments", "model_hook.handle_model_specific_adjustments"),
    ("_handle_data_parallelism", "parallel_hook.handle_data_parallelism"),
    ("_handle_a2a_moe", "moe_hook.handle_a2a_moe"),
    ("_handle_speculative_decoding", "speculative_hook.handle_speculative_decoding"),
    ("check_server_args", "validation_hook.check_server_args"),
)
# Steps that not every wheel has: the flags they resolve came later.
OPTIONAL = frozenset({"_handle_deprecated_dp_attention", "_handle_cuda_graph_config"})


class Checkpoint(Inert):
    """ModelConfig as the checks see it: fields of config.json, anything else inert."""

    def __init__(self, fields):
        super().__init__("ModelConfig")
        self.hf_config = types.SimpleNamespace(**fields)
        self.hf_text_config = self.hf_config


def step(server_args, method, function):
    if hasattr(server_args, method):
        return getattr(server_args, method)
    module, name = function.split(".")
    try:
        return getattr(importlib.import_module(f"sglang.srt.arg_groups.{module}"), name)
    except ModuleNotFoundError:
        if method in OPTIONAL:
            return lambda args: None
        raise


def prepared(server_args, parsed, checkpoint):
    server_args.__post_init__ = lambda self: None
    args = server_args.from_cli_args(parsed)
    args._resolved_overrides = []
    args.model_config = args._model_config = Checkpoint(checkpoint)
    args.device = "cuda"
    if args.chunked_prefill_size is None:
        args.chunked_prefill_size = -1  # the server would choose a size its own check admits
    if args.page_size is None:
        args.page_size = 1  # the server's default on CUDA
    return args


@functools.cache
def has_model(source, architecture):
    files = (source / "sglang" / "srt" / "models").glob("*.py")
    return any(re.search(rf"\b{architecture}\b", file.read_text()) for file in files)


def start_up_error(source, server_args, parsed, checkpoint):
    """Why the server would stop at start-up, or None."""
    architecture = checkpoint["architectures"][0]
    if not has_model(source, architecture):
        return f"this version has no model class {architecture}"
    args = prepared(server_args, parsed, checkpoint)
    try:
        for method, function in STEPS:
            step(server_args, method, function)(args)
    except (AssertionError, ValueError) as error:
        return str(error) or type(error).__name__
    return None
