"""Documents built to explode are refused by measure, in time linear in the document (API-3)."""

from __future__ import annotations

import pytest
from graphql import DocumentNode, parse

from planner import limits
from planner.limits import DocumentTooLarge, check_document


def fan_out(levels: int, width: int) -> str:
    """A document of fragments that each spread the next one several times."""
    lines = ["{ node(id: 1) { ...f0 } }"]
    for level in range(levels):
        inner = " ".join(f"a{n}: partner {{ ...f{level + 1} }}" for n in range(width))
        lines.append(f"fragment f{level} on Node {{ {inner} }}")
    return "\n".join([*lines, f"fragment f{levels} on Node {{ id }}"])


def test_fragment_fan_out_is_measured_once_a_fragment(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = 0
    original = limits._Meter.selection

    def counted(self: limits._Meter, selection_set: object) -> object:
        nonlocal visits
        visits += 1
        return original(self, selection_set)  # type: ignore[arg-type]

    monkeypatch.setattr(limits._Meter, "selection", counted)
    document = parse(fan_out(17, 2))
    with pytest.raises(DocumentTooLarge):
        check_document(document)
    assert visits < 200


@pytest.mark.parametrize(
    "source",
    [
        fan_out(25, 1),
        "{ a " + "{ a " * 30 + "}" * 30 + "}",
        "{ " + "viewer { kind } " * 40 + "}",
        "{ " + " ".join(f"a{n}: viewer {{ kind }}" for n in range(40)) + "}",
        "{ viewer { " + "kind " * 60 + "} }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "{ viewer { kind " + "@include(if: true) " * 300 + "} }",
        "{ viewer { " + " ".join(f"a{n}: kind" for n in range(2_000)) + "} }",
    ],
    ids=["deep fragments", "deep", "roots", "aliases", "same key", "circle", "directives", "wide"],
)
def test_documents_beyond_a_limit(source: str) -> None:
    document: DocumentNode = parse(source)
    with pytest.raises(DocumentTooLarge):
        check_document(document)


def test_an_ordinary_document_passes() -> None:
    check_document(parse("{ partners { nodes { installs { nodes { invoices { nodes { number } } } } } } }"))
