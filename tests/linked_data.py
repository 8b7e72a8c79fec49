"""Reads the JSON-LD of a page, and refuses what schema.org's vocabulary or Google's rules for rich results refuse."""

import json
from enum import Enum
from typing import Any
from xml.etree.ElementTree import Element

import schema_org

Node = dict[str, Any]
ADDRESSES = {"url", "logo", "@id"}
# https://developers.google.com/search/docs/appearance/structured-data: what a rich result cannot do without.
REQUIRED = {
    "Organization": {"name", "url", "logo"},
    "WebSite": {"name", "url"},
    "Service": {"name", "provider", "offers"},
    "Offer": {"price", "url", "availability"},
    "FAQPage": {"mainEntity"},
    "Question": {"name", "acceptedAnswer"},
    "Answer": {"text"},
    "BreadcrumbList": {"itemListElement"},
    "ListItem": {"position", "name", "item"},
}


def read(root: Element) -> list[Node]:
    """The nodes of the page's one block. Raises AssertionError for what is wrong with it."""
    blocks = [e.text or "" for e in root.iter("script") if e.get("type") == "application/ld+json"]
    assert len(blocks) == 1
    document = json.loads(blocks[0])
    assert set(document) == {"@context", "@graph"}
    assert document["@context"] == "https://schema.org"
    nodes: list[Node] = document["@graph"]
    known = {node["@id"]: node for node in nodes if "@id" in node}
    for node in nodes:
        built(node, known)
        check_required(node)
    return nodes


def of_type(nodes: list[Node], kind: str) -> list[Node]:
    return [node for node in nodes if node["@type"] == kind]


def built(node: Node, known: dict[str, Node]) -> Any:
    """The node as an object of schema.org's own class, which takes no unknown property and no value of a wrong kind."""
    if set(node) == {"@id"}:
        assert node["@id"] in known, f"{node['@id']} is not on the page"
        node = known[node["@id"]]
    said = {name: value(name, one, known) for name, one in node.items() if not name.startswith("@")}
    return getattr(schema_org, node["@type"]).model_validate(said)


def value(name: str, said: Any, known: dict[str, Node]) -> Any:
    if isinstance(said, list):
        return [value(name, one, known) for one in said]
    if isinstance(said, dict):
        return built(said, known)
    if name == "availability":
        return enumerated(schema_org.ItemAvailability, said)
    return said


def enumerated(members: type[Enum], said: str) -> Enum:
    return next(member for member in members if said in {member.value, f"https://schema.org/{member.value}"})


def check_required(node: Node) -> None:
    if set(node) == {"@id"}:
        return
    kind = node["@type"]
    assert set(node) >= REQUIRED.get(kind, set()), f"{kind} lacks something: {node}"
    for name, said in node.items():
        assert said not in ("", None, [], {}), f"{kind} says nothing as its {name}"
        if name in ADDRESSES:
            assert str(said).startswith(("http://", "https://")), f"{kind}.{name} is no whole address: {said}"
        for one in said if isinstance(said, list) else [said]:
            if isinstance(one, dict):
                check_required(one)
    if kind == "Offer" and node["price"] != "0":
        assert len(node["priceCurrency"]) == 3
    if kind == "BreadcrumbList":
        positions = [item["position"] for item in node["itemListElement"]]
        assert positions == list(range(1, len(positions) + 1))
        assert len(positions) >= 2, "one page is no trail"
