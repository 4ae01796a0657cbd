"""The docstrings are complete: a reference made from them has no gap, and its maker has nothing to complain about."""

from __future__ import annotations

import inspect
import logging
import re
from functools import cache

import griffe
import pytest

import openrouter_files
from openrouter_files import emulator

ROOMS = {"openrouter_files": openrouter_files, "openrouter_files.emulator": emulator}
PUBLIC = [(room, name) for room, module in ROOMS.items() for name in module.__all__]


@cache
def package():
    return griffe.load("openrouter_files", docstring_parser="google", resolve_aliases=True)


def documented_thing(room, name):
    """What a public name stands for, as a maker of references sees it."""
    module = package() if room == "openrouter_files" else package()["emulator"]
    return resolved(module[name])


def text_of(thing):
    """The docstring of a function or attribute; of a class, those of its bases and of its constructor, too."""
    texts = [thing.docstring.value] if thing.docstring else []
    if thing.is_class:
        texts += [base.docstring.value for base in thing.mro() if base.docstring]
        constructor = thing.members.get("__init__")
        texts += [constructor.docstring.value] if constructor is not None and constructor.docstring else []
    return "\n\n".join(texts)


def names_in(text):
    """What a docstring speaks of: the entries of its sections, and what it has in backticks at its start."""
    sections = re.findall(r"^ +((?:\w+, )*\w+): ", text, re.MULTILINE)
    return {name for entry in sections for name in entry.split(", ")} | set(re.findall(r"``\**(\w+)", text))


def referred_to(text):
    """The public things whose descriptions a docstring points to: ``uploading``, ``FilesClient.download_to``."""
    for name in re.findall(r"``([\w.]+)``", text):
        first, _, rest = name.partition(".")
        if first in openrouter_files.__all__:
            thing = documented_thing("openrouter_files", first)
            yield (
                thing.all_members[rest].final_target
                if rest and thing.all_members[rest].is_alias
                else (thing.all_members[rest] if rest else thing)
            )


def described(thing, depth=3):
    """All that the docstring of a thing describes, by itself or by pointing to another."""
    text = text_of(thing)
    names = names_in(text)
    if depth:
        names = names.union(*(described(other, depth - 1) for other in referred_to(text) if other is not thing))
    return names


def own_members(thing):
    members = thing.all_members.items() if thing.is_class else ()
    return [(name, resolved(member)) for name, member in members if not name.startswith("_")]


def resolved(thing):
    return thing.final_target if thing.is_alias else thing


def parameters_of(thing):
    """What a caller gives to a function or a class; a class that is raised or returned, not called, takes nothing."""
    if thing.is_class:
        constructor = thing.all_members.get("__init__")
        made = constructor is not None and constructor.docstring and constructor.docstring.value.startswith("Made by")
        if made or thing.name.endswith(("Error", "NotMet", "NotPlayed")):
            return []
    return [p for p in thing.parameters if p.name != "self"] if thing.is_class or thing.is_function else []


def gaps(thing):
    """What a reader of the reference would look for in vain."""
    if not thing.docstring:
        return [f"{thing.path} has no docstring"]
    known = described(thing)
    parameters = [p.name.lstrip("*") for p in parameters_of(thing)]
    missing = [f"{thing.path}: parameter {name}" for name in parameters if name not in known]
    for name, member in own_members(thing):
        if member.is_attribute and not member.docstring and name not in known:
            missing.append(f"{thing.path}: attribute {name}")
        elif not member.is_attribute:
            missing += gaps(member)
    return missing


@pytest.mark.parametrize(("room", "name"), PUBLIC)
def test_every_public_name_is_described(room, name):
    """Each public thing has a docstring, and so has all that can be given to it or read from it."""
    assert gaps(documented_thing(room, name)) == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_maker_of_references_has_no_complaint(room, caplog):
    """griffe, which reads docstrings for mkdocstrings, parses all of them without a warning."""
    caplog.set_level(logging.WARNING)
    for name in ROOMS[room].__all__:
        thing = documented_thing(room, name)
        for one in [thing, *(member for _, member in own_members(thing))]:
            if one.docstring:
                one.docstring.parse("google", warnings=True)
    assert caplog.messages == []


@pytest.mark.parametrize(("room", "name"), PUBLIC)
def test_what_a_signature_names_is_public(room, name):
    """The types of this package in public signatures are public, so that callers can name them."""
    thing = documented_thing(room, name)
    things = [thing, *(member for _, member in own_members(thing) if member.is_function)]
    annotations = [one.returns for one in things if one.is_function]
    annotations += [parameter.annotation for one in things for parameter in parameters_of(one)]
    parts = [part for one in annotations if isinstance(one, griffe.Expr) for part in one.iterate()]
    ours = {
        p.name for p in parts if isinstance(p, griffe.ExprName) and p.canonical_path.startswith("openrouter_files.")
    }
    assert ours - {name for _, name in PUBLIC} == set()


def test_the_help_of_python_shows_them():
    """`help()` finds the docstrings, although the public names are imported when they are first used."""
    for room, name in PUBLIC:
        value = getattr(ROOMS[room], name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name
