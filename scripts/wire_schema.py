# SPDX-License-Identifier: BSD-3-Clause
"""What `mpactl --json` prints, from proto/mpa/v1/control.proto by the rules of controlplane/mpactl/json.h: as JSON
Schema (draft 2020-12), as a page, and a check of a document against it. Used by gen-docs and by the tests."""
import re

SCHEMA_PATH = "docs/schema/mpactl.json"
PROTO_PATH = "proto/mpa/v1/control.proto"

# Command: (message or own definition, what there is to say about it).
COMMANDS = {
    "status": ("GetStatusReply", ""),
    "workers": ("GetWorkersReply", ""),
    "flows": ("Flows", "All pages in one."),
    "buckets": ("GetBucketsReply", ""),
    "lanes": ("GetLanesReply", ""),
    "nic": ("GetNicReply", ""),
    "stats": ("GetStatsReply", "Only what --scope and --nonzero leave."),
    "capture": ("CapturedFrame", "One a line, without --write."),
    "events": ("Event", "One a line."),
    "migrate": ("OperationReply", ""),
    "drain": ("OperationReply", ""),
    "undrain": ("OperationReply", ""),
    "kill": ("OperationReply", ""),
    "update": ("OperationReply", ""),
    "scale": ("OperationReply", ""),
    "restart": ("OperationReply", ""),
    "rebalance": ("RebalanceReply", ""),
    "balance on": ("SetBalanceReply", "Also `balance off`."),
    "balance set": ("SetConfigReply", ""),
    "explain": ("ExplainReply", ""),
    "degrade": ("GetDegradeReply", "Without an argument."),
    "degrade auto": ("SetDegradeReply", "Also `off` and a step."),
    "config show": ("GetConfigReply", ""),
    "config defaults": ("ConfigFile", "Also `config show FILE`."),
    "config check": ("ConfigCheck", ""),
    "config reload": ("ReloadConfigReply", ""),
    "config set": ("SetConfigReply", ""),
    "log level": ("LogLevelReply", ""),
    "stop": ("Stopped", ""),
    "version": ("Version", ""),
}


def closed(properties):
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


# Made by mpactl itself.
OWN = {
    "Flows": closed({"flows": {"type": "array", "items": {"$ref": "#/$defs/Flow"},
                               "description": "The connections."},
                     "unreadable": {"type": "integer", "description": "Records that could not be read."}}),
    "ConfigFile": {"type": "object", "description": "Sections of keys, values as they would stand in the file.",
                   "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}}},
    "ConfigCheck": closed({"file": {"type": "string"}, "valid": {"type": "boolean"},
                           "errors": {"type": "string", "description": "A line each; empty when valid."}}),
    "Stopped": closed({"stopped": {"type": "boolean"}}),
    "Version": closed({"version": {"type": "string"}}),
}

INTEGER = {"type": "integer"}
# Above 2^63-1 digits in a string: many readers of JSON have no such number.
BIG = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+$"}]}
SCALARS = {
    "bool": {"type": "boolean"}, "float": {"type": "number"}, "double": {"type": "number"},
    "string": {"type": ["string", "null"]}, "bytes": {"type": "string", "pattern": "^([0-9a-f]{2})*$"},
    "uint64": BIG, "fixed64": BIG,
    **dict.fromkeys(("int32", "sint32", "sfixed32", "uint32", "fixed32", "int64", "sint64", "sfixed64"), INTEGER),
}


def words_of(name, values):
    """Enum values without the prefix of their type, in lower case."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper() + "_"
    return [value[len(prefix):].lower() if value.startswith(prefix) else value.lower() for value in values]


def parse(text):
    """({message: (comment, [(comment, label, type, name)])}, {enum: (comment, [(comment, value)])}); label is "",
    "repeated" or "oneof"."""
    messages, enums, comment, stack = {}, {}, [], []
    for line in text.splitlines():
        line = line.strip()
        said = " ".join(comment)
        if line.startswith("//"):
            comment.append(line[2:].strip())
            continue
        comment = []
        if found := re.match(r"(message|enum|oneof) (\w+) \{", line):
            stack.append(found.groups())
            if found[1] != "oneof":
                {"message": messages, "enum": enums}[found[1]][found[2]] = (said, [])
        elif line.startswith("}"):
            stack.pop()
        elif stack and stack[-1][0] == "enum" and (found := re.match(r"(\w+) = \d+;", line)):
            enums[stack[-1][1]][1].append((said, found[1]))
        elif stack and (found := re.match(r"(repeated )?(\w+) (\w+) = \d+;", line)):
            label = "oneof" if stack[-1][0] == "oneof" else (found[1] or "").strip()
            messages[stack[0][1]][1].append((said, label, found[2], found[3]))
    return messages, enums


def value_schema(kind, messages, enums):
    if kind in SCALARS:
        return SCALARS[kind]
    if kind in enums:
        # A newer mpa-controld may have values that this mpactl does not know.
        words = words_of(kind, [value for _, value in enums[kind][1]])
        return {"anyOf": [{"enum": words}, {"type": "integer"}]}
    return {"$ref": f"#/$defs/{kind}"}


def is_pair(kind, messages):
    fields = messages[kind][1] if kind in messages else []
    return len(fields) == 2 and fields[0][2] == "string" and not any(label for _, label, _, _ in fields)


def field_schema(label, kind, messages, enums):
    if label != "repeated":
        return value_schema(kind, messages, enums)
    if is_pair(kind, messages):
        return {"type": "object", "additionalProperties": value_schema(messages[kind][1][1][2], messages, enums)}
    return {"type": "array", "items": value_schema(kind, messages, enums)}


def reached(messages):
    """The messages that a command prints, and those in them."""
    names, todo = set(), [name for name, _ in COMMANDS.values() if name not in OWN] + ["Flow"]
    while todo:
        name = todo.pop()
        if name in names:
            continue
        names.add(name)
        todo.extend(kind for _, label, kind, _ in messages[name][1]
                    if kind in messages and not (label == "repeated" and is_pair(kind, messages)))
    return [name for name in messages if name in names]


def schema(text):
    messages, enums = parse(text)
    defs = {}
    for name in reached(messages):
        said, fields = messages[name]
        properties = {field: {**field_schema(label, kind, messages, enums), **({"description": what} if what else {})}
                      for what, label, kind, field in fields}
        # Whatever a message holds is there, but what is unset: a message, or a case of several.
        required = [field for _, label, kind, field in fields
                    if label == "repeated" or (label == "" and kind not in messages)]
        defs[name] = {"type": "object", "description": said, "properties": properties, "required": required,
                      "additionalProperties": False}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "mpactl --json",
            "description": "A definition for each command in `commands`; made by scripts/gen-docs.",
            "commands": {command: {"$ref": f"#/$defs/{name}"} for command, (name, _) in COMMANDS.items()},
            "$defs": {**OWN, **defs}}


HEAD = """# JSON of mpactl

<!-- Made by scripts/gen-docs from proto/mpa/v1/control.proto and scripts/wire_schema.py: change those, not this. -->

`mpactl --json COMMAND` prints one document; `events`, `capture` and every command with `--watch` print one a line.
As JSON Schema: [schema/mpactl.json](schema/mpactl.json), which the tests hold real output to.

- Fields are named and ordered as in `proto/mpa/v1/control.proto`. Every field is there, also when it is 0 or empty;
  only a message that is not set is left out.
- An enum is a lower-case word; a value that this `mpactl` does not know is its number.
- Numbers are exact: integers, those above 2^63-1 as strings of digits. Units are in the names. Bytes are hexadecimal
  digits.
- A list of names with values, as counters and gauges, is one object.
- Fields are added in newer versions, none is taken away: readers ignore what they do not know.

A refusal prints no document: one line on standard error and the exit code, 1 (refused or failed), 2 (wrong command
line) or 3 (no daemon). An operation that failed prints its document too.

| command | prints | |
|---|---|---|
"""


def type_text(label, kind, messages, enums):
    if label == "repeated" and is_pair(kind, messages):
        return f"object of {messages[kind][1][1][2]}"
    if kind in messages:
        kind = f"[{kind}](#{kind.lower()})"
    elif kind in enums:
        kind = " \\| ".join(f"`{word}`" for word in words_of(kind, [value for _, value in enums[kind][1]]))
    return f"list of {kind}" if label == "repeated" else kind


def page(text):
    messages, enums = parse(text)
    out = [HEAD]
    for command, (name, what) in COMMANDS.items():
        out.append(f"| `{command}` | [{name}](#{name.lower()}) | {what} |\n")
    for name, definition in OWN.items():
        out.append(f"\n## {name}\n\n{definition.get('description', 'Made by mpactl.')}\n")
        if "properties" in definition:
            out.append("\n| field | type |\n|---|---|\n")
            out.extend(f"| `{field}` | {value['type']} |\n" for field, value in definition["properties"].items())
    for name in reached(messages):
        said, fields = messages[name]
        out.append(f"\n## {name}\n\n{said}\n")
        if fields:
            out.append("\n| field | type | meaning |\n|---|---|---|\n")
        out.extend(f"| `{field}` | {type_text(label, kind, messages, enums)} | {what.replace('|', chr(92) + '|')} |\n"
                   for what, label, kind, field in fields)
    return "".join(out)


# ---- the check ----

KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_kind(value, kind):
    if kind in ("integer", "number"):
        return not isinstance(value, bool) and isinstance(value, int if kind == "integer" else (int, float))
    return isinstance(value, KINDS[kind])


def mistakes(value, wanted, root, place="$"):
    """What is wrong with a document, as far as these schemas go."""
    if "$ref" in wanted:
        yield from mistakes(value, root["$defs"][wanted["$ref"].rsplit("/", 1)[1]], root, place)
    if "anyOf" in wanted and all(list(mistakes(value, one, root, place)) for one in wanted["anyOf"]):
        yield f"{place}: {value!r} is none of {wanted['anyOf']}"
    if "enum" in wanted and value not in wanted["enum"]:
        yield f"{place}: {value!r} is not in {wanted['enum']}"
    kinds = wanted.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_kind(value, kind) for kind in kinds):
        yield f"{place}: {value!r} is no {kinds}"
        return
    if "pattern" in wanted and not re.search(wanted["pattern"], value):
        yield f"{place}: {value!r} is not like {wanted['pattern']}"
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from mistakes(item, wanted.get("items", {}), root, f"{place}[{i}]")
    if isinstance(value, dict):
        yield from (f"{place}: no {name}" for name in wanted.get("required", []) if name not in value)
        more = wanted.get("additionalProperties", True)
        for name, item in value.items():
            one = wanted.get("properties", {}).get(name, more)
            if one is False:
                yield f"{place}: {name} is not in the schema"
            elif one is not True:
                yield from mistakes(item, one, root, f"{place}.{name}")
