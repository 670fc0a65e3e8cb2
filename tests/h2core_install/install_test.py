#!/usr/bin/python3
"""The installed library, as its users get it: which files, which symbols, and that programs build with it.

    install_test.py --source ROOT --build FOLDER --prefix P --libdir L --includedir I --version V --cc CC...

Installs the build folder into a temporary one (DESTDIR) and prints a TAP line for each rule.
"""
import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
HEADERS = ("h2core.h", "hpack.h", "h2_token.h")
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow"]
C = [*WARNINGS, "-std=c17", "-Wstrict-prototypes", "-Wmissing-prototypes"]
CPP = [*WARNINGS, "-std=c++17"]
# What is installed beside the library: the program, and what options.def makes for it.
PROGRAM = ("bin/nghttpx", "lib/systemd/system/nghttpx.service", "share/bash-completion/completions/nghttpx.bash",
           "share/doc/nghttpx/examples/nghttpx.conf.example", "share/zsh/site-functions/_nghttpx",
           "share/doc/nghttpx/options.md", "share/man/man1/nghttpx.1")
# The program's folders, whose sources may know the public headers only. tests/ and tools/draw_states.c
# may look inside.
OUTSIDE = ("proxy", "config", "h1parser", "examples", "bench", "integration", "tools")
MAY_LOOK_INSIDE = {"tools/draw_states.c"}


class Broken(Exception):
    """A rule that does not hold, with what is wrong."""


def run(*command, env=None):
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C", **(env or {})})
    if done.returncode != 0:
        raise Broken(f"{shlex.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def same(what, expected, got):
    expected, got = set(expected), set(got)
    missing, more = sorted(expected - got), sorted(got - expected)
    if missing or more:
        raise Broken(f"{what}: missing {missing}, not expected {more}")
    if not expected:
        raise Broken(f"{what}: there are none")


class Installation:
    def __init__(self, args, destdir):
        self.args = args
        self.destdir = destdir
        self.cc = args.cc
        root = lambda path: destdir / str(pathlib.PurePath(args.prefix, path)).lstrip("/")
        self.libdir, self.includedir = root(args.libdir), root(args.includedir)
        self.so, self.archive = self.libdir / "libh2core.so", self.libdir / "libh2core.a"
        run("meson", "install", "-C", args.build, "--no-rebuild", "--quiet", "--destdir", destdir)

    def pkg_config(self, *wanted):
        # LIBDIR, not PATH: no other h2core.pc of this machine may be found.
        env = {"PKG_CONFIG_LIBDIR": str(self.libdir / "pkgconfig"), "PKG_CONFIG_PATH": "",
               "PKG_CONFIG_SYSROOT_DIR": str(self.destdir)}
        return shlex.split(run("pkg-config", *wanted, "h2core", env=env))

    def declared(self):
        """The functions that the headers declare with H2_API."""
        text = "".join(f"#include <h2core/{h}>\n" for h in HEADERS)
        source = self.destdir / "declared.c"
        source.write_text(text)
        text = run(*self.cc, "-E", "-P", "-DH2_API=marked_h2_api", *self.pkg_config("--cflags"), source)
        return re.findall(r"\bmarked_h2_api\b[^;{}()]*?\b(\w+)\s*\(", text)

    def exported(self):
        return [line.split()[-1] for line in run("nm", "-D", "--defined-only", self.so).splitlines()]

    def needed(self, path):
        return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", path))


# ---------------------------------------------------------------- rules


def the_installed_files_are_these(it):
    lib, include = pathlib.Path(it.args.libdir), pathlib.Path(it.args.includedir)
    prefix = it.destdir / it.args.prefix.lstrip("/")
    expected = [*PROGRAM, lib / "pkgconfig/h2core.pc"]
    expected += [lib / f"libh2core.{end}" for end in ("a", "so", "so.0", f"so.{it.args.version}")]
    expected += [include / "h2core" / name for name in HEADERS]
    got = [path for path in it.destdir.rglob("*") if path.is_symlink() or path.is_file()]
    same("files", map(str, expected), [str(path.relative_to(prefix)) for path in got])


def the_shared_library_exports_what_the_headers_declare(it):
    same("symbols", it.declared(), it.exported())


def the_archive_defines_every_declared_function_and_keeps_to_its_prefixes(it):
    # Hidden symbols of an archive still meet those of the program that it is linked into.
    names = [line.split()[-1] for line in run("nm", "-g", "--defined-only", it.archive).splitlines()
             if re.match(r"[0-9a-f]{8,} [A-Z] ", line)]
    strangers = [name for name in names if not name.startswith(("h2_", "hpack_"))]
    if strangers:
        raise Broken(f"without a prefix: {strangers}")
    missing = set(it.declared()) - set(names)
    if missing:
        raise Broken(f"not in the archive: {sorted(missing)}")


def every_function_of_the_headers_is_marked_for_export(it):
    # A declaration without H2_API would link inside this tree (to the archive), and nowhere else.
    source = it.destdir / "declared.c"
    source.write_text("".join(f"#include <h2core/{h}>\n" for h in HEADERS))
    text = run(*it.cc, "-E", "-DH2_API=marked_h2_api", *it.pkg_config("--cflags"), source)
    ours, inside = [], False
    for line in text.splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        if marker:
            inside = marker[1].endswith(tuple(f"/h2core/{h}" for h in HEADERS))
        elif inside:
            ours.append(line)
    flat = " ".join(ours)
    while re.search(r"\{[^{}]*\}", flat):
        flat = re.sub(r"\{[^{}]*\}", " ", flat)
    functions = [s for s in flat.split(";") if re.search(r"\w\s*\(", s)]
    unmarked = [s.strip() for s in functions if "marked_h2_api" not in s]
    if unmarked or not functions:
        raise Broken(f"without H2_API: {unmarked}")


def the_shared_library_needs_nothing_but_libc(it):
    same("needed libraries", ["libc.so.6"], it.needed(it.so))


def the_shared_library_is_found_by_its_soname(it):
    if "[libh2core.so.0]" not in run("readelf", "-d", it.so):
        raise Broken("its SONAME is not libh2core.so.0")


def pkg_config_knows_the_version(it):
    same("version", [it.args.version], it.pkg_config("--modversion"))


def each_header_stands_alone_in_c_and_cpp(it):
    for compiler, options, ending in ((it.cc, C, "c"), (["g++"], CPP, "cpp")):
        for header in HEADERS:
            source = it.destdir / f"alone.{ending}"
            source.write_text(f"#include <h2core/{header}>\n" * 2)
            run(*compiler, *options, *it.pkg_config("--cflags"), "-fsyntax-only", source)


def compiled_and_run(it, compiler, source, libs, env, links_shared):
    program = it.destdir / "exchange"
    run(*compiler, *it.pkg_config("--cflags"), HERE / source, "-o", program, *libs)
    if ("libh2core.so.0" in it.needed(program)) != links_shared:
        raise Broken(f"it needs {it.needed(program)}")
    said = run(program, env=env)
    if said != "exchanged\n":
        raise Broken(f"it said {said!r}")


def with_the_shared_library(it, compiler, source):
    env = {"LD_LIBRARY_PATH": str(it.libdir)}
    compiled_and_run(it, compiler, source, it.pkg_config("--libs"), env, True)


def with_the_archive(it, compiler, source):
    libs = ["-Wl,-Bstatic", *it.pkg_config("--static", "--libs"), "-Wl,-Bdynamic"]
    compiled_and_run(it, compiler, source, libs, {}, False)


def a_c_program_runs_with_the_shared_library(it):
    with_the_shared_library(it, [*it.cc, *C], "exchange.c")


def a_c_program_runs_with_the_archive(it):
    with_the_archive(it, [*it.cc, *C], "exchange.c")


def a_cpp_program_runs_with_the_shared_library(it):
    with_the_shared_library(it, ["g++", *CPP], "exchange.cpp")


def a_cpp_program_runs_with_the_archive(it):
    with_the_archive(it, ["g++", *CPP], "exchange.cpp")


def a_c_program_runs_without_any_shared_library(it):
    compiled_and_run(it, [*it.cc, *C, "-static"], "exchange.c", it.pkg_config("--static", "--libs"), {}, False)


def nobody_outside_includes_an_internal_header(it):
    source = pathlib.Path(it.args.source)
    internal = {path.name for end in ("*.h", "*.def") for path in (source / "h2core").glob(end)} - set(HEADERS)
    internal.add("hpack_tables.c")
    seen = 0
    for folder in OUTSIDE:
        for path in sorted((source / folder).rglob("*.[ch]")):
            name = str(path.relative_to(source))
            text = path.read_text()
            for included in re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', text, re.MULTILINE):
                seen += 1
                folder_of, _, file = included.rpartition("/")
                # "errors.def" may be the includer's own, or one of another folder.
                inside = folder_of.endswith("h2core") or (not folder_of and not (path.parent / file).exists())
                if file in internal and inside and name not in MAY_LOOK_INSIDE:
                    raise Broken(f"{name} includes {included}")
    if seen == 0 or "h2_internal.h" not in internal:
        raise Broken("nothing was looked at")


def the_proxy_uses_nothing_but_the_public_interface(it):
    archives = [pathlib.Path(it.args.build) / "proxy/libproxy.a"]
    objects = list(pathlib.Path(it.args.build).glob("proxy/nghttpx.p/*.o"))
    if not objects:
        raise Broken("no object files of the program")
    used, own = set(), set()
    for path in archives + objects:
        used |= {line.split()[-1] for line in run("nm", "--undefined-only", path).splitlines() if " U " in line}
        own |= {line.split()[-1] for line in run("nm", "-g", "--defined-only", path).splitlines() if " " in line}
    used = {name for name in used - own if name.startswith(("h2_", "hpack_"))}
    hidden = used - set(it.exported())
    if hidden or not used:
        raise Broken(f"used, but not exported: {sorted(hidden)} (of {len(used)})")


RULES = [
    the_installed_files_are_these,
    the_shared_library_exports_what_the_headers_declare,
    the_archive_defines_every_declared_function_and_keeps_to_its_prefixes,
    every_function_of_the_headers_is_marked_for_export,
    the_shared_library_needs_nothing_but_libc,
    the_shared_library_is_found_by_its_soname,
    pkg_config_knows_the_version,
    each_header_stands_alone_in_c_and_cpp,
    a_c_program_runs_with_the_shared_library,
    a_c_program_runs_with_the_archive,
    a_c_program_runs_without_any_shared_library,
    a_cpp_program_runs_with_the_shared_library,
    a_cpp_program_runs_with_the_archive,
    nobody_outside_includes_an_internal_header,
    the_proxy_uses_nothing_but_the_public_interface,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("source", "build", "prefix", "libdir", "includedir", "version"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cc", nargs="+", required=True)
    args = parser.parse_args()
    failed = 0
    print(f"1..{len(RULES)}")
    with tempfile.TemporaryDirectory(prefix="h2core-install.") as folder:
        try:
            it = Installation(args, pathlib.Path(folder))
        except (Broken, OSError) as broken:
            sys.exit(f"Bail out! nothing is installed: {broken}")
        for number, rule in enumerate(RULES, 1):
            try:
                rule(it)
                print(f"ok {number} - {rule.__name__}")
            except (Broken, OSError) as broken: # OSError: a compiler, nm or pkg-config is not installed
                failed += 1
                print(f"not ok {number} - {rule.__name__}")
                print("# " + str(broken).rstrip().replace("\n", "\n# "))
    sys.exit(1 if failed else 0)


main()
