"""Files are written by `whole_file` alone, but for those that are named here with the reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import innersr

SOURCE = Path(innersr.__file__).parent

# Functions that make, change or move files, by the last part of their name.
WRITERS = re.compile(
    r"write_text|write_bytes|save|save_file|savefig|imwrite|imsave|tofile|savez|savez_compressed|savetxt|"
    r"open_memmap|write_to_file|tiffsave|pngsave|jpegsave|webpsave|heifsave|gifsave|dzsave|rawsave|jxlsave|"
    r"magicksave|write_table|to_parquet|to_csv|copyfile|copy2|copytree|move|rename|renames|touch|"
    r"symlink_to|hardlink_to|link|symlink|mkstemp|NamedTemporaryFile|TiffWriter|ZipFile|fdopen|truncate|"
    r"urlretrieve|extractall"
)

EXCEPTIONS = {
    "atomic.py": {
        "whole_file": "the writer",
        "check_can_grow": "a partial file that could not be written, and is removed",
        "_created": "the writer",
        "_rename_to_free_name": "the writer",
        "_remove_leftovers": "the writer",
        "exclusive": "a lock, to which nothing is written",
    },
    "batch/manifest.py": {"Manifest._take": "a lock, to which nothing is written"},
    "batch/remote_manifest.py": {"RemoteManifest._save": "an object of a remote store, which appears whole"},
    "commands/console.py": {"_discard": "the null device"},
    "images/codecs.py": {"encode": "a partial file that is given, or memory"},
    "images/films/animations.py": {
        "AnimationWriter.encode": "a partial file that is given",
        "AnimationWriter._join_png": "a partial file that is given",
        "AnimationWriter._join_by_libvips": "a partial file that is given",
    },
    "images/films/video_writing.py": {
        "VideoWriter.encode": "a partial file that is given",
        "VideoWriter.join": "a partial file that is given",
    },
    "images/image.py": {"Image._repr_png_": "memory"},
    "images/metadata.py": {"remove_bytes": "a partial file that is given"},
    "images/large/large_image.py": {
        "_unpacked": "the folder of a run of strips, which is removed in the end",
        "_is_unwritable": "the folder of a run of strips, to try whether there is room",
    },
    "images/large/pixel_file.py": {
        "ResultFile.create": "the folder of a run of strips, which is removed in the end",
        "PixelFile.write": "the folder of a run of strips, which is removed in the end",
    },
    "images/tiff/writing.py": {"page_writer": "a stream that is given"},
    "images/films/movie.py": {
        "_write_gif": "a partial file that is given",
        "_write_by_libvips": "a partial file that is given",
        "_write_mp4": "a partial file that is given",
    },
    "json_lines.py": {
        "append_record": "a log, of which a line that was cut short does not count",
        "recover_records": "a damaged log, which is set aside under a free name",
    },
    "memory.py": {"reset_peak_memory": "no file, but the kernel"},
    "networks/checkpoints.py": {"save_checkpoint": "memory"},
    "physics/jpeg.py": {"_through_file": "memory"},
    "physics/kernel_files.py": {"_encode_npy": "memory"},
    "web/batch.py": {"_packed": "a new folder of the visitor"},
    "web/one_picture/library.py": {"Library.new": "a new folder of the visitor"},
}


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def writes(call: ast.Call) -> bool:
    """Whether a call may write a file; `save(…)` and `self.save(…)` are innersr's own, which use the writer."""
    name = name_of(call)
    if name == "save":
        return isinstance(call.func, ast.Attribute) and ast.unparse(call.func) != "self.save"
    if name == "replace":  # of a path; that of a text has two arguments, that of a dataclass keywords
        return isinstance(call.func, ast.Attribute) and len(call.args) == 1 and not call.keywords
    if name in ("open", "memmap"):
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        modes = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
        is_mode = any(set(mode) <= set("rwaxbt+") and set(mode) & set("wax+") for mode in modes)
        return is_mode or any(flag in ast.unparse(call) for flag in ("O_CREAT", "O_WRONLY", "O_RDWR", "O_APPEND"))
    return WRITERS.fullmatch(name) is not None


def unguarded(node: ast.AST, where: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
    """The calls that may write a file outside every `with whole_file(…)`: in which function, and in which line."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        where = (*where, node.name)
    if isinstance(node, ast.With) and any(
        isinstance(item.context_expr, ast.Call)
        and name_of(item.context_expr) in ("whole_file", "written_whole", "_written")
        for item in node.items
    ):
        return
    if isinstance(node, ast.Call) and writes(node):
        yield ".".join(where), node.lineno
    for child in ast.iter_child_nodes(node):
        yield from unguarded(child, where)


def test_every_file_is_written_by_the_one_writer():
    found = {
        path.relative_to(SOURCE).as_posix(): dict(unguarded(ast.parse(path.read_text(encoding="utf-8"))))
        for path in SOURCE.rglob("*.py")
    }
    others = [
        f"{name}:{line}: {function} writes a file without whole_file"
        for name, calls in found.items()
        for function, line in calls.items()
        if function not in EXCEPTIONS.get(name, {})
    ]
    assert not others
    named = {(name, function) for name, functions in EXCEPTIONS.items() for function in functions}
    assert named == {(name, function) for name, calls in found.items() for function in calls}  # none is out of date


def test_calls_that_write_are_distinguished_from_others():
    def lines(text):
        return [line for _, line in unguarded(ast.parse(text))]

    assert lines("open(p, 'w')") == lines("p.open('ab')") == lines("io.open(p, mode='x')") == [1]
    assert lines("p.write_text(t)") == lines("figure.savefig(p)") == lines("cv2.imwrite(p, x)") == [1]
    assert lines("picture.save(p)") == lines("p.replace(q)") == lines("os.open(p, os.O_CREAT)") == [1]
    assert (
        lines("p.open('rb')") == lines("t.replace('a', 'b')") == lines("replace(image, a=1)") == lines("open(p)") == []
    )
    assert lines("with whole_file(p) as part, part.open('wb') as s:\n    s.write(b'')") == []
    assert lines("with whole_file(p) as part:\n    part.write_bytes(b'')\np.write_bytes(b'')") == [3]
