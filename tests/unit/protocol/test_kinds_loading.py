"""A kind file with a mistake is refused with its place and reason, in both languages."""

import pytest

from gridlog_protocol.kinds import Kind, KindFileError, Merge, parse_envelope, parse_kind, shipped_envelope

HEAD = """
name = "flood_watch"
version = 1
zh = "积水点巡看"
en = "Flood watch"
title_fields = ["occurred_at"]
"""
REST = """
zh = "水位"
en = "Depth"
required = "no"
sensitivity = "internal"
why = "Safety."
"""
WHOLE = f'[fields.depth]\ntype = "whole"\nmerge = "MAX"\n{REST}'


def parsed(text: str) -> Kind:
    return parse_kind(text, source="flood.toml", envelope=shipped_envelope())


def refusal(text: str) -> KindFileError:
    with pytest.raises(KindFileError) as caught:
        parsed(text)
    return caught.value


def field(lines: str, merge: str = "LWW") -> str:
    return f'{HEAD}[fields.depth]\nmerge = "{merge}"\n{REST}\n{lines}'


def test_a_kind_of_a_site_loads() -> None:
    kind = parsed(HEAD + WHOLE)

    assert kind.fields["depth"].merge is Merge.MAX
    assert kind.scope_field == "grid_code"
    assert list(kind.fields)[-1] == "depth"


def test_the_error_names_file_field_and_reason_in_both_languages() -> None:
    error = refusal(field('type = "wholle"'))

    assert (error.source, error.field) == ("flood.toml", "depth.type")
    assert str(error).startswith("flood.toml: depth.type: 不认识“wholle”，可用：words")
    assert "unknown 'wholle'; use one of: words" in str(error)


MISTAKES = {
    "bad TOML": ("name = ", None, "not valid TOML"),
    "no name": ("version = 1", None, "'name' is missing"),
    "name not snake_case": (HEAD.replace("flood_watch", "FloodWatch") + WHOLE, "name", "snake_case"),
    "version 0": (HEAD.replace("version = 1", "version = 0") + WHOLE, "version", "starts at 1"),
    "version true": (HEAD.replace("version = 1", "version = true") + WHOLE, "version", "whole number"),
    "unknown key at the top": (HEAD + "colour = 1\n" + WHOLE, None, "unknown key: colour"),
    "unknown key of a field": (HEAD + WHOLE + "senstivity = 1\n", "depth", "unknown key: senstivity"),
    "key of another type": (field('type = "flag"\nmin = 1'), "depth", "unknown key: min"),
    "no English": (HEAD + WHOLE.replace('en = "Depth"', ""), "depth", "'en' is missing"),
    "blank Chinese": (HEAD + WHOLE.replace('"水位"', '"　"'), "depth.zh", "not empty"),
    "no reason": (HEAD + WHOLE.replace('why = "Safety."', ""), "depth", "'why' is missing"),
    "unknown merge": (field('type = "flag"', "LAST"), "depth.merge", "unknown 'LAST'"),
    "unknown sensitivity": (HEAD + WHOLE.replace("internal", "secret"), "depth.sensitivity", "unknown 'secret'"),
    "unknown required": (HEAD + WHOLE.replace('"no"', '"maybe"'), "depth.required", "unknown 'maybe'"),
    "field not snake_case": (HEAD + WHOLE.replace("fields.depth", "fields.Depth"), None, "snake_case"),
    "field not a table": (HEAD + "[fields]\ndepth = 1", "depth", "must be a table"),
    "AWSET of a number": (field('type = "whole"', "AWSET"), "depth.merge", "AWSET needs the type set"),
    "APPEND of a set": (
        field('type = "set"\nitems_max = 3\nof = { type = "code" }', "APPEND"),
        "depth.merge",
        "APPEND needs the type list",
    ),
    "COUNTER of text": (field('type = "words"\nmax = 3', "COUNTER"), "depth.merge", "COUNTER needs the type whole"),
    "RANK of a number": (field('type = "whole"', "RANK"), "depth.merge", "RANK needs a choice"),
    "MAX of text": (field('type = "words"\nmax = 3', "MAX"), "depth.merge", "MAX needs a type with an order"),
    "MIN of a struct of text": (
        field('type = "struct"\nmembers = { a = { zh = "a", en = "a", type = "words", max = 3 } }', "MIN"),
        "depth.merge",
        "MIN needs a type with an order",
    ),
    "MAX of nothing but evidence": (
        field('type = "struct"\nmembers = { a = { zh = "a", en = "a", type = "flag", evidence = true } }', "MAX"),
        "depth.merge",
        "MAX needs a type with an order",
    ),
    "pattern": (
        field('type = "words"\nmax = 9\npattern = "("\nhint_zh = "x"\nhint_en = "x"'),
        "depth.pattern",
        "does not compile",
    ),
    "pattern without a hint": (field('type = "words"\nmax = 9\npattern = "a"'), "depth", "'hint_zh' is missing"),
    "unknown forbidden pattern": (
        field('type = "words"\nmax = 9\nforbid = ["passport"]'),
        "depth.forbid",
        "unknown pattern 'passport'",
    ),
    "min above max": (field('type = "whole"\nmin = 5\nmax = 4'), "depth.min", "min 5 is greater than max 4"),
    "min above max of words": (field('type = "words"\nmin = 5\nmax = 4'), "depth.min", "min 5 is greater"),
    "negative length": (field('type = "words"\nmax = -4'), "depth.max", "must not be negative"),
    "a float": (field('type = "whole"\nmax = 4.5'), "depth.max", "must be a whole number"),
    "amount without digits left": (field('type = "amount"\ndigits = 2\nscale = 2'), "depth", "greater than scale"),
    "amount minimum": (field('type = "amount"\ndigits = 9\nscale = 2\nmin = "0"'), "depth.min", "2 decimals"),
    "no options": (field('type = "choice"'), "depth.options", "at least one option"),
    "duplicate option": (
        field(
            'type = "choice"\noptions = [{ value = "a", zh = "a", en = "a" }, { value = "a", zh = "b", en = "b" }]'
        ),
        "depth.options[2]",
        "'a' occurs twice",
    ),
    "falling rank": (
        field(
            'type = "choice"\noptions = [{ value = "a", zh = "a", en = "a", rank = 9 }, '
            '{ value = "b", zh = "b", en = "b", rank = 8 }]'
        ),
        "depth.options[2].rank",
        "below that of the option before",
    ),
    "list without id": (
        field(
            'type = "list"\nitems_max = 3\n'
            'of = { type = "struct", members = { a = { zh = "a", en = "a", type = "flag" } } }',
            "APPEND",
        ),
        "depth.of.members",
        "required member `id`",
    ),
    "list of words": (
        field('type = "list"\nitems_max = 3\nof = { type = "words", max = 3 }'),
        "depth.of",
        "a list holds a struct",
    ),
    "set of moments": (field('type = "set"\nitems_max = 3\nof = { type = "moment" }'), "depth.of", "a set holds"),
    "set of long words": (
        field('type = "set"\nitems_max = 3\nof = { type = "words", max = 101 }'),
        "depth.of.max",
        "at most 100 characters",
    ),
    "nested too deep": (
        field('type = "map"\nitems_max = 1\nof = ' + '{ type = "map", items_max = 1, of = ' * 9 + "1" + " }" * 9),
        "depth.of.of.of.of.of.of.of",
        "nested too deep",
    ),
    "condition without required_when": (
        HEAD + WHOLE.replace('"no"', '"conditional"'),
        "depth.required_when",
        "goes with",
    ),
    "required_when without condition": (
        HEAD + WHOLE + 'required_when = { steps = ["submit"] }',
        "depth.required_when",
        "goes with",
    ),
    "required_when of nothing": (
        HEAD + WHOLE.replace('"no"', '"conditional"') + "required_when = {}",
        "depth.required_when",
        "needs a field, steps or a guard",
    ),
    "required_when of a missing field": (
        HEAD + WHOLE.replace('"no"', '"conditional"') + 'required_when = { field = "rain" }',
        "depth.required_when.field",
        "there is no 'rain'",
    ),
    "required_when of an impossible answer": (
        HEAD + WHOLE.replace('"no"', '"conditional"') + 'required_when = { field = "state", is = ["wet"] }',
        "depth.required_when.is",
        "'wet' can never be its value",
    ),
    "wrong default": (field('type = "whole"\nmin = 3\ndefault = 1'), "depth.default", "may not be below 3"),
    "from_op outside the envelope": (
        field('type = "whole"\nfrom_op = true'),
        "depth.from_op",
        "only for fields of the envelope",
    ),
    "redeclared header field": (
        HEAD + WHOLE.replace("fields.depth", "fields.hlc"),
        "hlc",
        "cannot be declared again",
    ),
    "urgency in words": (HEAD + 'urgent = "yes"\n' + WHOLE, "urgent", "must be true or false"),
    "title of nothing": (HEAD.replace('["occurred_at"]', "[]") + WHOLE, "title_fields", "at least one"),
    "title of a missing field": (HEAD.replace("occurred_at", "rain") + WHOLE, "title_fields", "there is no 'rain'"),
    "title of a sensitive field": (
        HEAD.replace("occurred_at", "depth") + WHOLE.replace("internal", "sensitive"),
        "title_fields",
        "sensitive",
    ),
    "scope of a missing field": (HEAD + 'scope_field = "rain"\n' + WHOLE, "scope_field", "there is no 'rain'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_where_it_stands(mistake: str) -> None:
    text, place, reason = MISTAKES[mistake]

    error = refusal(text)

    assert (error.field, reason in error.reason.en) == (place, True), str(error)
    assert error.reason.zh


CHECK_MISTAKES = {
    "unknown rule": ('rule = "sum"', "checks[1].rule", "unknown 'sum'"),
    "missing field": (
        'rule = "order"\nfirst = "rain"\nthen = "occurred_at"',
        "checks[1].first",
        "there is no 'rain'",
    ),
    "missing member": (
        'rule = "order"\nfirst = "deleted.on"\nthen = "occurred_at"',
        "checks[1].first",
        "there is no 'deleted.on'",
    ),
    "order of a number": ('rule = "order"\nfirst = "depth"\nthen = "occurred_at"', "checks[1].first", "a moment or"),
    "two limits": (
        'rule = "order"\nfirst = "occurred_at"\nthen = "received_at"\nhours_max = 1\ndays_max = 1',
        "checks[1]",
        "only one of: hours_max, days_max",
    ),
    "no condition": ('rule = "needs"\nneeds = { field = "depth" }', "checks[1].when", "at least one condition"),
    "impossible option": (
        'rule = "needs"\nwhen = [{ field = "state", is = ["wet"] }]\nneeds = { field = "depth" }',
        "checks[1].when[1].is",
        "'wet' can never",
    ),
    "contains of a number": (
        'rule = "needs"\nwhen = [{ field = "depth", contains = "a" }]\nneeds = { field = "depth" }',
        "checks[1].when[1].contains",
        "only a set",
    ),
    "bound of a flag": (
        'rule = "needs"\nwhen = [{ field = "legal_hold", at_least = 1 }]\nneeds = { field = "depth" }',
        "checks[1].when[1].at_least",
        "whole number",
    ),
    "two questions": (
        'rule = "needs"\nwhen = [{ field = "depth", is = [1], at_most = 1 }]\nneeds = { field = "depth" }',
        "checks[1].when[1]",
        "only one of: is, at_most",
    ),
    "no sentence": (
        'rule = "needs"\nwhen = [{ field = "depth" }]\nneeds = { field = "tags" }',
        "checks[1]",
        "missing",
    ),
}


@pytest.mark.parametrize("mistake", CHECK_MISTAKES)
def test_a_check_that_cannot_be_answered_is_refused(mistake: str) -> None:
    lines, place, reason = CHECK_MISTAKES[mistake]

    sentence = "" if mistake == "no sentence" else '\nzh = "说"\nen = "Say."'
    error = refusal(f"{HEAD}{WHOLE}\n[[checks]]\n{lines}{sentence}")

    assert (error.field, reason in error.reason.en) == (place, True), str(error)


def test_a_condition_may_name_a_field_declared_further_down() -> None:
    early = WHOLE.replace("fields.depth", "fields.early").replace('"no"', '"conditional"')

    kind = parsed(HEAD + early + 'required_when = { field = "depth" }\n' + WHOLE)

    assert kind.fields["early"].required_when is not None


def test_a_kind_needs_no_envelope() -> None:
    head = HEAD.replace("occurred_at", "depth") + 'scope_field = "depth"\n'

    assert list(parse_kind(head + WHOLE, source="x", envelope=None).fields) == ["depth"]


def test_an_envelope_has_no_name() -> None:
    with pytest.raises(KindFileError):
        parse_envelope(HEAD + WHOLE, source="x")
