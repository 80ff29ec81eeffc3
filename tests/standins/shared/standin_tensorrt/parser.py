"""The ONNX parser: reads the model with the onnx package, and says which nodes it does not take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from onnx.shape_inference import InferenceError
from simulated_gpu import Misuse, gpu
from tensorrt._members import ErrorCode, OnnxParserFlag, Severity

from standin_tensorrt.logger import ILogger
from standin_tensorrt.model import Model
from standin_tensorrt.network import INetworkDefinition
from standin_tensorrt.rules import SUPPORTED, Refusal, mixed_types, refusals
from standin_tensorrt.strict import Buffer, ContextManaged, Enumeration, NotConstructible, strict


@strict
class ParserError(NotConstructible):
    """Why a node was not taken."""

    __slots__ = ("_code", "_description", "_refusal")

    def _set_up(self, code: Enumeration, description: str, refusal: Refusal | None) -> None:
        self._code, self._description, self._refusal = code, description, refusal

    def code(self) -> ErrorCode:  # type: ignore[valid-type]
        return self._code

    def desc(self) -> str:
        return self._description

    def file(self) -> str:
        return "ModelImporter.cpp"

    def line(self) -> int:
        return 0

    def func(self) -> str:
        return "parseNode"

    def node(self) -> int:
        return self._refusal.op.index if self._refusal else -1

    def node_name(self) -> str:
        return self._refusal.op.name if self._refusal else ""

    def node_operator(self) -> str:
        return self._refusal.op.kind if self._refusal else ""

    def __str__(self) -> str:
        where = f"In node {self.node()} with name: {self.node_name()} and operator: {self.node_operator()} "
        return f"{where}({self.func()}): {self._code.name}: {self._description}"


@strict
class OnnxParser(ContextManaged):
    """Fills a network from a model."""

    __slots__ = ("_errors", "_flags", "_logger", "_network")

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network, self._logger = network, logger
        self._errors: list[ParserError] = []
        self._flags = 1 << int(OnnxParserFlag.NATIVE_INSTANCENORM)

    def parse(self, model: Buffer, path: str | None = None) -> bool:
        if self._network._model is not None:
            raise Misuse("a second model is parsed into a network")
        errors = list(self._read(bytes(model)))  # type: ignore[call-overload]
        for error in errors:
            self._logger.log(Severity.ERROR, f"ModelImporter.cpp:0: {error}")
        self._errors.extend(errors)
        return not errors

    def parse_from_file(self, model: str) -> bool:
        return self.parse(Path(model).read_bytes())

    def _read(self, data: bytes) -> Iterator[ParserError]:
        try:
            model = Model(data)
        except DecodeError as error:
            yield ParserError._make(
                ErrorCode.MODEL_DESERIALIZE_FAILED, f"Failed to parse the ONNX model: {error}", None
            )
            return
        except InferenceError as error:
            yield ParserError._make(ErrorCode.INVALID_GRAPH, str(error), None)
            return
        scenario = gpu().scenario
        if (fault := scenario.entered("parse", model.name)) is not None:
            yield ParserError._make(ErrorCode.INTERNAL_ERROR, fault.message, None)
        found = list(refusals(model, scenario.unsupported(model.name)))
        if self._network._strongly_typed:
            found.extend(mixed_types(model))
        for refusal in found:
            yield ParserError._make(refusal.code, refusal.description, refusal)
        if not found:
            self._network._model = model

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        if not 0 <= index < len(self._errors):
            raise Misuse(f"get_error({index}) of {len(self._errors)} errors")
        return self._errors[index]

    def clear_errors(self) -> None:
        self._errors.clear()

    def supports_operator(self, op_name: str) -> bool:
        return op_name in SUPPORTED

    @property
    def flags(self) -> int:
        return self._flags

    @flags.setter
    def flags(self, flags: int) -> None:
        self._flags = flags

    def set_flag(self, flag: OnnxParserFlag) -> None:  # type: ignore[valid-type]
        self._flags |= 1 << int(flag)

    def clear_flag(self, flag: OnnxParserFlag) -> None:  # type: ignore[valid-type]
        self._flags &= ~(1 << int(flag))

    def get_flag(self, flag: OnnxParserFlag) -> bool:  # type: ignore[valid-type]
        return bool(self._flags & 1 << int(flag))
