#!/usr/bin/python3
"""Makes everything that follows from the option table, options.def (its first lines say how it is written).

usage: gen_options.py KIND OPTIONS_DEF VERSION OUT

KIND: members     config_members.h, struct config
      params      cfg_params.h, the rows of the parameters of frontends and backends
      table       cfg_table.c, the rows that the parsers and --help work from
      man         nghttpx.1
      markdown    options.md
      example     nghttpx.conf.example, every option with its default
      bash, zsh   the completion for these shells
"""
import re
import shlex
import sys
import textwrap

ATTRIBUTES = {"short", "type", "range", "default", "where", "arg", "metavar", "to", "value", "quiet", "unit", "reload",
              "effective", "whole"}
NUMBERS = {"number", "size", "duration"}
STRINGS = {"string", "path", "value", "alpn", "node", "conf"}
SCALARS = NUMBERS | STRINGS | {"bool"}
# What is a structure (or, of path-list, a string): repeatable ones, and those that are there once at most.
ARRAYS = {"frontend": "struct cfg_frontend", "backend": "struct cfg_backend", "request-header": "struct cfg_header",
          "response-header": "struct cfg_header", "error-page": "struct cfg_error_page",
          "subcert": "struct cfg_subcert", "altsvc": "struct cfg_altsvc", "path-list": "char *"}
SINGLES = {"memcached": "struct cfg_memcached", "proxy-uri": "struct cfg_proxy_uri",
           "psk-file": "struct cfg_psk_file"}
SPECIAL = {"include", "help", "version"}
HIDDEN = {"unused", "refused", "alias", "bits", "tls-list", "sni-field", "accept-proxy"}
# enum:NAME and set:NAME. Of a set the numbers are bits, and the member is an unsigned.
ENUMS = {
    "family": ("CFG_FAMILY_", ["auto", "IPv4", "IPv6"]),
    "tls_version": ("CFG_TLS_", ["TLSv1.2", "TLSv1.3"]),
    "facility": ("CFG_FACILITY_", ["auth", "authpriv", "cron", "daemon", "ftp", "kern", "local0", "local1", "local2",
                                   "local3", "local4", "local5", "local6", "local7", "lpr", "mail", "news", "syslog",
                                   "user", "uucp"]),
    "log_level": ("CFG_LOG_", ["INFO", "NOTICE", "WARN", "ERROR", "FATAL"]),
    "ticket_cipher": ("CFG_TICKET_", ["aes-128-cbc", "aes-256-cbc"]),
    "forwarded_for": ("CFG_FORWARDED_FOR_", ["obfuscated", "ip"]),
    "forwarded": ("CFG_FORWARDED_", ["by", "for", "host", "proto"]),
    "underscores": ("CFG_UNDERSCORES_", ["keep", "drop", "refuse"]),
    "format": ("CFG_FORMAT_", ["text", "json"]),
}
# Those of parameters, whose members are enums too. A name in another form than its constant is followed by that.
PARAM_ENUMS = {
    "proto": ("CFG_PROTO_", ["http/1.1=HTTP1", "h2=HTTP2", "auto"]),
    "affinity": ("CFG_AFFINITY_", ["none", "ip", "cookie"]),
    "cookie_secure": ("CFG_COOKIE_SECURE_", ["auto", "yes", "no"]),
    "stickiness": ("CFG_STICKINESS_", ["loose", "strict"]),
    "same_site": ("CFG_SAME_SITE_", ["strict", "lax", "none"]),
    "send_proxy": ("CFG_SEND_PROXY_", ["v1", "v2"]),
}
PARAM_ATTRIBUTES = {"type", "set", "member", "value", "optional", "range", "default", "unit", "effective", "several",
                    "new", "hidden", "table", "note"}
PARAM_TYPES = {"on", "off", "number", "duration", "text", "path", "enum", "custom"}
METAVARS = {"number": "N", "size": "SIZE", "duration": "DURATION", "string": "TEXT", "path": "PATH",
            "path-list": "PATH", "psk-file": "PATH", "value": "TEXT", "request-header": "NAME:VALUE",
            "response-header": "NAME:VALUE", "error-page": "(CODE|*)=PATH"}
SAMPLES = {"bool": "no", "path": "/path/to/file", "path-list": "/path/to/file", "psk-file": "/path/to/file",
           "include": "/path/to/file", "error-page": "404=/path/to/file", "request-header": "x-name: value",
           "response-header": "x-name: value", "subcert": "/path/to/file:/path/to/file", "altsvc": "h2,443",
           "memcached": "127.0.0.1,11211", "proxy-uri": "http://127.0.0.1:8080", "set": "by,for,host,proto",
           "string": "nobody"}
LIMIT = 2**63 - 1
LIMIT32 = 2**32 - 1


class Option:
    def __init__(self, group, name, attributes, where):
        self.group, self.name, self.text, self.params = group, name, [], []
        unknown = set(attributes) - ATTRIBUTES
        if unknown or "type" not in attributes:
            sys.exit(f"{where}: {name}: bad attributes: {sorted(unknown) or 'no type'}")
        self.type = attributes["type"]
        self.enum = None
        if self.type.startswith(("enum:", "set:")):
            self.type, _, self.enum = self.type.partition(":")
        if self.type not in SCALARS | set(ARRAYS) | set(SINGLES) | SPECIAL | HIDDEN | {"enum", "set"}:
            sys.exit(f"{where}: {name}: no type {self.type}")
        self.short = attributes.get("short", "")
        self.default = attributes.get("default")
        self.where = attributes.get("where", "both")
        self.to = [t for t in attributes.get("to", "").split(",") if t]
        self.value = attributes.get("value")
        self.quiet = "quiet" in attributes
        self.whole = "whole" in attributes
        low, _, high = attributes.get("range", "..").partition("..")
        self.ranged = "range" in attributes
        self.low, self.high = int(low or 0), int(high or LIMIT)
        self.arg = attributes.get("arg") != "no" and self.type not in {"bool", "help", "version"}
        self.metavar = attributes.get("metavar") or METAVARS.get(self.type, "VALUE")
        if self.type == "enum":
            self.metavar = "|".join(ENUMS[self.enum][1])
        self.unit = attributes.get("unit", "").replace("-", " ")
        if self.type == "number" and not self.unit and name != "redirect-https-port":
            sys.exit(f"{where}: {name}: a number of what? expected unit=")
        self.reload = attributes.get("reload", "yes") == "yes"
        self.effective = attributes.get("effective", "yes") == "yes"

    @property
    def member(self):
        return self.name.replace("-", "_")

    @property
    def help(self):
        return " ".join(self.text)

    @property
    def repeatable(self):
        return self.type in ARRAYS or self.type == "include"

    @property
    def documented(self):
        return self.type not in HIDDEN

    @property
    def facts(self):
        """What can be said about the value in one line."""
        facts = []
        if self.unit:
            facts.append(self.unit)
        if self.ranged and self.type in {"number", "size"}:
            facts.append(f"{self.low} to {self.high}" if self.high != LIMIT else f"at least {self.low}")
        if self.default is not None:
            facts.append(f"default {self.default}")
        if self.repeatable:
            facts.append("may be given several times")
        if self.where == "args":
            facts.append("only on the command line")
        if self.where == "file":
            facts.append("only in a file")
        if not self.reload:
            facts.append("a change needs a new start")
        if not self.effective:
            facts.append("no effect yet")
        return "; ".join(facts)


class Param:
    """A parameter of a frontend or a backend, or a note about their values."""

    def __init__(self, group, name, attributes, where):
        self.group, self.name, self.text = group, name, []
        unknown = set(attributes) - PARAM_ATTRIBUTES
        self.type, _, self.enum = attributes.get("type", "custom").partition(":")
        if unknown or self.type not in PARAM_TYPES or (self.type == "enum" and self.enum not in PARAM_ENUMS):
            sys.exit(f"{where}: {name}: bad attributes: {sorted(unknown) or self.type}")
        plain = name.replace("-", "_")
        self.set = attributes.get("set", "set_" + plain)
        self.member = attributes.get("member", plain)
        if "set" in attributes:
            self.type = "custom"  # its enum, if any, is for the documents
        self.metavar = attributes.get("value") or {"number": "N", "duration": "DURATION", "path": "PATH"}.get(self.type)
        if self.enum:
            self.metavar = "|".join(choice.partition("=")[0] for choice in PARAM_ENUMS[self.enum][1])
        self.optional, self.several, self.new, self.hidden, self.note = (
            attributes.get(a) == "1" for a in ("optional", "several", "new", "hidden", "note"))
        self.answer = attributes.get("table") == "answer"
        most = LIMIT32 if self.type == "number" else LIMIT
        low, _, high = attributes.get("range", "..").partition("..")
        self.ranged = "range" in attributes
        self.low, self.high = int(low or 0), int(high or most)
        self.default, self.unit = attributes.get("default"), attributes.get("unit")
        self.effective = attributes.get("effective", "yes") == "yes"

    @property
    def help(self):
        return " ".join(self.text)

    @property
    def spelling(self):
        value = f"={self.metavar}" if self.metavar else ""
        return self.name + (f"[{value}]" if self.optional else value)

    @property
    def facts(self):
        """What can be said about the value in one line."""
        facts = [self.unit] if self.unit else []
        if self.ranged and self.type == "number":
            facts.append(f"{self.low} to {self.high}")
        if self.ranged and self.type == "duration":
            facts.append("more than 0")
        if self.default is not None:
            facts.append(f"default {self.default}")
        if self.several:
            facts.append("may be given several times")
        if self.new:
            facts.append("not in nghttpx")
        if not self.effective:
            facts.append("no effect yet")
        return "; ".join(facts)


def read_table(path):
    options, group, param_group = [], None, None
    with open(path, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("= "):
                group = line[2:]
            elif line.startswith("  = "):
                param_group = line[4:]
            elif line.startswith("    "):
                last = options[-1].params[-1] if options[-1].params else options[-1]
                last.text.append(line.strip())
            else:
                name, *rest = shlex.split(line)
                pairs = dict(r.partition("=")[::2] for r in rest)
                where = f"{path}:{number}"
                if line.startswith("  "):
                    options[-1].params.append(Param(param_group, name, pairs, where))
                else:
                    options.append(Option(group, name, pairs, where))
    names = [o.name for o in options]
    shorts = [o.short for o in options if o.short]
    for doubles in (names, shorts):
        if len(set(doubles)) != len(doubles):
            sys.exit(f"{path}: {sorted(d for d in doubles if doubles.count(d) > 1)} twice")
    for o in options:
        if o.documented and not o.text:
            sys.exit(f"{path}: {o.name} has no description")
        for p in o.params:
            if not p.hidden and not p.text:
                sys.exit(f"{path}: {p.name} of {o.name} has no description")
        if set(o.to) - set(names):
            sys.exit(f"{path}: {o.name}: no option {o.to}")
    return options


def by_group(options):
    groups = {}
    for o in options:
        groups.setdefault(o.group, []).append(o)
    return groups


def described(o):
    """The parameters (and notes) of an option that documents have, by group."""
    return by_group([p for p in o.params if not p.hidden]).items()


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if text is not None else "NULL"


def c_type(o):
    if o.type in NUMBERS:
        return "uint64_t "
    if o.type == "bool":
        return "bool "
    if o.type == "set":
        return "unsigned "
    if o.type in SINGLES:
        return SINGLES[o.type] + " "
    return f"enum cfg_{o.enum} " if o.enum else "char *"


def has_member(o):
    return o.type in SCALARS | set(ARRAYS) | set(SINGLES) or o.enum is not None


# ---------------------------------------------------------------- C

def members(options, _version, out):
    out("/* Generated by config/gen_options.py from config/options.def. Do not edit. */")
    out("#ifndef CONFIG_MEMBERS_H\n#define CONFIG_MEMBERS_H\n")
    out("struct config {")
    for o in options:
        if o.type in ARRAYS:
            element = ARRAYS[o.type] + ("" if ARRAYS[o.type].endswith("*") else " ")
            out(f"    {element}*{o.member}; /**< --{o.name} */")
            out(f"    size_t n{o.member};")
        elif has_member(o):
            unit = {"duration": ", milliseconds", "size": ", octets"}.get(o.type, "")
            default = f", default {o.default}" if o.default is not None and len(o.default) < 30 else ""
            out(f"    {c_type(o)}{o.member}; /**< --{o.name}{unit}{default} */")
    out("};\n\n#endif")


def choices_of(name, prefix, choices, out, storage=""):
    out(f"{storage}const struct cfg_choice cfg_{name}_choices[] = {{")
    for choice in choices:
        shown, _, constant = choice.partition("=")
        symbol = constant or re.sub("[-.]", "_", shown.upper().replace("TLSV", ""))
        out(f"    {{{c_string(shown)}, {prefix}{symbol}}},")
    out("    {NULL, 0},\n};\n")


def param_row(o, p):
    kind = "TEXT" if p.type == "path" else p.type.upper()
    rows = [f".name = {c_string(p.name)}", f".kind = CFG_PARAM_{kind}"]
    if p.metavar:
        rows.append(f".takes = {'CFG_TAKES_ANY' if p.optional else 'CFG_TAKES_VALUE'}")
    if p.type == "custom":
        rows.append(f".set = {p.set}")
    else:
        rows.append(f".offset = offsetof(struct cfg_{o.name}, {p.member})")
    if kind in {"NUMBER", "DURATION", "TEXT"}:
        rows += [f".min = {p.low}", f".max = {p.high}"]
    if p.type == "enum":
        rows.append(f".choices = cfg_{p.enum}_choices")
    if p.default is not None:
        rows.append(f".fallback = {c_string(p.default)}")
    for flag, is_set in (("not_yet", not p.effective), ("hidden", p.hidden), ("ours", p.new)):
        if is_set:
            rows.append(f".{flag} = true")
    return "{" + ", ".join(rows) + "}"


def params(options, _version, out):
    out("/* Generated by config/gen_options.py from config/options.def. Do not edit. */")
    out("#ifndef CFG_PARAMS_H\n#define CFG_PARAMS_H\n\n#include \"config_internal.h\"\n")
    for name in PARAM_ENUMS:
        out(f"extern const struct cfg_choice cfg_{name}_choices[];")
    for o in options:
        for answer in (False, True):
            rows = [param_row(o, p) for p in o.params if p.answer == answer and not p.note]
            if rows:
                name = "ANSWER" if answer else o.name.upper()
                out(f"\n#define CFG_{name}_PARAMS \\\n    " + ", \\\n    ".join(rows))
    out("\n#endif")


def entries(o, out):
    """What --help says about parameters."""
    out(f"static const struct cfg_entry {o.member}_entries[] = {{")
    for group, members_of in described(o):
        for p in members_of:
            out(f"    {{{c_string(group)}, {c_string(p.spelling)},\n     {c_string(p.help)},\n"
                f"     {c_string(p.facts) if p.facts else 'NULL'}}},")
    out("    {NULL, NULL, NULL, NULL},\n};\n")


def table(options, version, out):
    out("/* Generated by config/gen_options.py from config/options.def. Do not edit. */")
    out('#include "config_internal.h"\n')
    for name, (prefix, choices) in ENUMS.items():
        choices_of(name, prefix, choices, out, "static ")
    for name, (prefix, choices) in PARAM_ENUMS.items():
        choices_of(name, prefix, choices, out)
    for o in options:
        if o.params:
            entries(o, out)
    out("const struct cfg_option cfg_options[] = {")
    index = {o.name: i for i, o in enumerate(options)}
    for o in options:
        rows = [f".name = {c_string(o.name)}", f".type = CFG_TYPE_{o.type.upper().replace('-', '_')}",
                f".group = {c_string(o.group)}"]
        if o.short:
            rows.append(f".short_name = '{o.short}'")
        if o.arg:
            rows.append(".takes_value = true")
        if o.whole:
            rows.append(".whole = true")
        if o.quiet:
            rows.append(".quiet = true")
        if not o.reload:
            rows.append(".fixed = true")
        if not o.effective:
            rows.append(".not_yet = true")
        if o.where != "both":
            rows.append(f".only_in_{'args' if o.where == 'args' else 'file'} = true")
        if o.type in ARRAYS:
            rows += [f".offset = offsetof(struct config, {o.member})",
                     f".count_offset = offsetof(struct config, n{o.member})"]
        elif has_member(o):
            rows.append(f".offset = offsetof(struct config, {o.member})")
        if o.enum:
            rows.append(f".choices = cfg_{o.enum}_choices")
        rows += [f".min = {o.low}", f".max = {o.high}"]
        for i, to in enumerate(o.to):
            rows.append(f".to[{i}] = &cfg_options[{index[to]}]")
        if o.value:
            rows.append(f".to_value = {c_string(o.value)}")
        if o.default is not None:
            rows.append(f".fallback = {c_string(o.default)}")
        if o.arg and o.documented:
            rows.append(f".metavar = {c_string(o.metavar)}")
        if o.text:
            rows.append(f".help = {c_string(o.help)}")
        if o.params:
            rows.append(f".entries = {o.member}_entries")
        out("    {" + ",\n     ".join(rows) + "},")
    out("};\n")
    out(f"const size_t cfg_noptions = {len(options)};\n")
    out("/* The rows in the order of their names. */")
    out(f"const uint16_t cfg_options_sorted[{len(options)}] = {{")
    for o in sorted(options, key=lambda o: o.name):
        out(f"    {index[o.name]}, /* {o.name} */")
    out("};\n")
    out(f"const char cfg_version[] = {c_string(version)};")


# ---------------------------------------------------------------- documents

def spelling(o):
    value = f"={o.metavar}" if o.arg else ""
    return (f"-{o.short}, " if o.short else "") + f"--{o.name}{value}"


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = text.replace(":", ":\\:")  # long lists of cipher suites may be broken there
    return "\\&" + text if text.startswith((".", "'")) else text


VALUES = [
    ("N", "Decimal digits only."),
    ("SIZE", "Digits and at most one of K, M, G (powers of 1024), in upper or lower case; octets without one."),
    ("DURATION", "Digits and at most one of h, m, s, ms, in upper or lower case. Without a unit it is seconds."),
    ("HOST,PORT", "An IPv6 address is written without brackets: ::1,8080."),
    ("unix:PATH", "The path of a UNIX domain socket."),
]
FILES = ("A configuration file has one name=value in a line, without blanks around the = and without quoting. Lines "
         "that are empty or begin with # are skipped. Names are the long options without the --, in any case and not "
         "abbreviated; a switch is turned on with name=yes. A value on the command line replaces the one of the "
         "file; options that may be given several times add up.")


def man(options, version, out):
    out('.\\" Generated by config/gen_options.py from config/options.def. Do not edit.')
    out(f'.TH NGHTTPX 1 "" "nghttpx {version}" "User Commands"')
    out(".SH NAME\nnghttpx \\- HTTP/2 reverse proxy and TLS terminator")
    out(".SH SYNOPSIS\n.B nghttpx\n[\\fIOPTION\\fR]... [\\fIPRIVATE_KEY\\fR \\fICERT\\fR]")
    out(".SH DESCRIPTION")
    out("Accepts HTTP/2 and HTTP/1.1 from clients and hands the requests on to web servers. The private key and the "
        "certificate are needed when a frontend uses TLS.")
    out(".SH OPTIONS\n.ad l")
    for group, members_of in by_group([o for o in options if o.documented]).items():
        out(f".SS {group}")
        for o in members_of:
            if o.where == "file":
                out(f".TP\n\\fB{roff(o.name)}\\fR=\\fI{roff(o.metavar)}\\fR")
            else:
                value = f"=\\fI{roff(o.metavar)}\\fR" if o.arg else ""
                short = f"\\fB\\-{o.short}\\fR, " if o.short else ""
                out(f".TP\n{short}\\fB\\-\\-{roff(o.name)}\\fR{value}")
            out(roff(o.help))
            if o.facts:
                out(f".br\n({roff(o.facts)})")
            for part, rows in described(o):
                out(f".RS\n.PP\n\\fI{roff(part)}\\fR")
                for p in rows:
                    out(f".TP 4\n\\fB{roff(p.spelling)}\\fR\n{roff(p.help)}")
                    if p.facts:
                        out(f"({roff(p.facts)})")
                out(".RE")
    out(".SH VALUES")
    for name, text in VALUES:
        out(f".TP\n\\fI{roff(name)}\\fR\n{roff(text)}")
    out(".SH FILES\n.TP\n\\fI/etc/nghttpx/nghttpx.conf\\fR")
    out(roff(FILES))
    out(".SH EXIT STATUS\n0 after \\-\\-help, \\-\\-version and \\-\\-print\\-config, after \\-\\-check\\-config when "
        "the configuration is good, and when the program was told to end; 1 when the configuration is wrong or the "
        "program cannot start. Every fault is then on standard error, with file, line and column.")


def markdown(options, _version, out):
    def cell(text):
        return text.replace("|", "\\|").replace("*", "\\*")

    def code(text):
        return "`" + text.replace("|", "\\|") + "`"

    out("<!-- Generated by config/gen_options.py from config/options.def. Do not edit. -->")
    out("# Options\n")
    out(FILES + "\n")
    for name, text in VALUES:
        out(f"- `{name}`: {text}")
    for group, members_of in by_group([o for o in options if o.documented]).items():
        out(f"\n## {group}\n\n| option | default | meaning |\n|---|---|---|")
        for o in members_of:
            name = code(f"{o.name}={o.metavar}" if o.where == "file" else spelling(o))
            default = code(o.default) if o.default is not None else ("off" if o.type == "bool" else "none")
            facts = "; ".join(f for f in o.facts.split("; ") if not f.startswith("default "))
            out(f"| {name} | {default if o.type not in SPECIAL else ''} | {cell(o.help)}"
                f"{' (' + facts + ')' if facts else ''} |")
        for o in members_of:
            if o.params:
                out(f"\n### Parameters of {o.name}\n\n| parameter | default | meaning |\n|---|---|---|")
            for part, rows in described(o):
                out(f"| *{cell(part)}* | | |")
                for p in rows:
                    facts = "; ".join(f for f in p.facts.split("; ") if f and not f.startswith("default "))
                    out(f"| {code(p.spelling)} | {code(p.default) if p.default is not None else ''} | {cell(p.help)}"
                        f"{' (' + facts + ')' if facts else ''} |")
    out("\n## Options that have no effect yet\n")
    out("They are read and checked; what they are about is not built yet, and a warning says so.\n")
    for o in options:
        if not o.effective:
            out(f"- `{o.name}`")
    out("\n## Names that are known but are no options any more, or never will be\n")
    for o in options:
        if o.type == "unused":
            out(f"- `{o.name}`: taken with a warning, has no effect; {o.help}")
        elif o.type == "refused":
            out(f"- `{o.name}`: an error; {o.help}")
        elif o.type in {"alias", "bits"}:
            to = " and ".join(f"`{t}`" for t in o.to)
            out(f"- `{o.name}`: another name for {to}")
        elif o.type in HIDDEN:
            out(f"- `{o.name}`: taken with a warning; {o.help}")


def example(options, _version, out):
    out("# Generated by config/gen_options.py from config/options.def: every option, with its default; where there is\n"
        "# none, a value of the kind.\n#")
    out("\n".join("# " + line for line in textwrap.wrap(FILES, 98)))
    for group, members_of in by_group([o for o in options if o.documented and o.where != "args"]).items():
        out(f"\n# {'-' * 20} {group} {'-' * (75 - len(group))}")
        for o in members_of:
            out("\n" + "\n".join("# " + line for line in textwrap.wrap(o.help, 98)))
            for part, rows in described(o):
                out(f"#\n# {part}:")
                for p in rows:
                    text = p.help + (f" ({p.facts})" if p.facts else "")
                    out(f"#   {p.spelling}\n" + "\n".join("#       " + line for line in textwrap.wrap(text, 92)))
            facts = "; ".join(f for f in o.facts.split("; ") if not f.startswith("default "))
            if facts:
                out(f"# ({facts})")
            out(f"#{o.name}={o.default if o.default is not None else SAMPLES[o.type]}")


def with_paths(shown):
    return [o for o in shown if o.type in {"path", "path-list", "psk-file", "conf", "include"}]


def param_words(o):
    """What may be typed of each parameter: NAME, NAME=, or NAME=VALUE of those that there are."""
    words = []
    for p in o.params:
        if p.hidden or p.note or p.answer:
            continue
        values = [choice.partition("=")[0] for choice in PARAM_ENUMS[p.enum][1]] if p.enum else [""]
        words += [f"{p.name}={value}" for value in values] if p.metavar and not p.optional else [p.name]
        words += [f"{p.name}={p.metavar}"] if p.optional else []
    return " ".join(words)


def bash(options, _version, out):
    shown = [o for o in options if o.documented and o.where != "file"]
    words = " ".join([f"--{o.name}" + ("=" if o.arg else "") for o in shown] +
                     [f"-{o.short}" for o in shown if o.short])
    out("# Generated by config/gen_options.py from config/options.def. Do not edit.")
    out("_nghttpx()\n{\n    local cur=\"${COMP_WORDS[COMP_CWORD]}\"\n    COMPREPLY=()")
    # Bash has made three words of --name=value.
    out('    if [[ $cur == "=" ]]; then\n        cur="${COMP_WORDS[COMP_CWORD - 1]}="')
    out('    elif (( COMP_CWORD > 2 )) && [[ ${COMP_WORDS[COMP_CWORD - 1]} == "=" ]]; then')
    out('        cur="${COMP_WORDS[COMP_CWORD - 2]}=$cur"\n    fi')
    out('    case "$cur" in')
    for o in shown:
        if o.type == "enum":
            out(f"    --{o.name}=*)\n        mapfile -t COMPREPLY < <(compgen -W "
                f"\"{' '.join(ENUMS[o.enum][1])}\" -- \"${{cur#*=}}\")\n        return\n        ;;")
    for o in shown:
        if o.params:
            # Behind the address, and of a backend its patterns. It is quoted, as ; means something to the shell.
            behind = "*\\;*\\;*" if o.name == "backend" else "*\\;*"
            out(f"    --{o.name}={behind})\n        cur=\"${{cur#*=}}\"\n        cur=\"${{cur#[\\'\\\"]}}\"")
            out(f"        mapfile -t COMPREPLY < <(compgen -P \"${{cur%;*}};\" -W \"{param_words(o)}\" -- \"${{cur##*;}}\")")
            out("        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n        return\n        ;;")
    paths = "|".join(f"--{o.name}=*" for o in with_paths(shown))
    out(f"    {paths})\n        mapfile -t COMPREPLY < <(compgen -f -- \"${{cur#*=}}\")\n        return\n        ;;")
    out(f"    -*)\n        mapfile -t COMPREPLY < <(compgen -W \"{words}\" -- \"$cur\")")
    out("        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n        ;;")
    out("    *)\n        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n        ;;\n    esac\n}")
    out("complete -F _nghttpx nghttpx")


def zsh(options, _version, out):
    """https://zsh.sourceforge.io/Doc/Release/Completion-System.html, _arguments."""
    shown = [o for o in options if o.documented and o.where != "file"]

    def quoted(text):
        return re.sub(r"([\\\[\]:])", r"\\\1", text).replace("'", "'\\''")

    def first_sentence(text):
        return re.split(r"(?<=[a-z0-9)])[.:] ", text + " ")[0].strip().rstrip(".")

    out("#compdef nghttpx\n# Generated by config/gen_options.py from config/options.def. Do not edit.")
    out("_arguments \\")
    for o in shown:
        spec = f"[{quoted(first_sentence(o.help))}]"
        if o.arg:
            action = "(" + " ".join(ENUMS[o.enum][1]) + ")" if o.type == "enum" else ""
            action = "_files" if o in with_paths(shown) else action
            spec += f":{quoted(o.name)}:{action}"
        star = "*" if o.repeatable else ""
        out(f"    '{star}--{o.name}{'=' if o.arg else ''}{spec}' \\")
        if o.short:
            out(f"    '{star}-{o.short}{'+' if o.arg else ''}{spec}' \\")
    out("    '1:private key:_files' \\\n    '2:certificate:_files'")


def main():
    kind, def_path, version, out_path = sys.argv[1:]
    options = read_table(def_path)
    with open(out_path, "w", encoding="ascii") as f:
        {"members": members, "params": params, "table": table, "man": man, "markdown": markdown, "example": example, "bash": bash,
         "zsh": zsh}[kind](options, version, lambda line: f.write(line + "\n"))


main()
