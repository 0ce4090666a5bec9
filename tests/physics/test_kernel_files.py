"""Blur kernels come back from disk as they were stored, or as one clear error."""

import io
import struct
import sys

import numpy as np
import pytest
import pyvips
import scipy.io
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from innersr.errors import KernelError
from innersr.physics.kernel_files import MAX_SIDE, load_kernel, save_kernel

ODD = np.outer([1, 2, 1], [1, 3, 4, 3, 1]).astype(np.float64) / 48
EVEN = np.array([[0.5, 0.125], [0.25, 0.125]])


def cells(*items):
    array = np.empty((1, len(items)), dtype=object)
    array[0, :] = items
    return array


def big_endian_mat(kernel, *, small):
    """Write what MATLAB wrote on SPARC: most significant byte first, `small` weights inside their tags."""

    def element(kind, content):
        if len(content) <= 4:
            return struct.pack(">HH", len(content), kind) + content.ljust(4, b"\0")
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    numbers = (2, kernel.astype("u1")) if small else (9, kernel.astype(">f8"))
    matrix = (
        element(6, struct.pack(">II", 6, 0))
        + element(5, struct.pack(">ii", *kernel.shape))
        + element(1, b"psf")
        + element(numbers[0], numbers[1].tobytes(order="F"))
    )
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    return header + element(14, matrix)


def error_of(path):
    with pytest.raises(KernelError) as caught:
        load_kernel(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("suffix", [".mat", ".npy", ".txt", ".csv", ".tif", ".tiff"])
@pytest.mark.parametrize("kernel", [ODD, EVEN, ODD[:1] * 4, ODD[:, :1] * 12, np.ones((1, 1))])
def test_saving_then_loading_changes_no_bit(tmp_path, suffix, kernel):
    weights = torch.from_numpy(kernel / kernel.sum()).float()
    save_kernel(weights, tmp_path / f"k{suffix}")
    assert torch.equal(load_kernel(tmp_path / f"k{suffix}"), weights)


def test_an_npz_is_read_by_number_or_name(tmp_path):
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    np.savez(one, scale=np.array(2), blur=ODD)
    np.savez_compressed(two, wide=np.ones((5, 5)), blur=ODD)
    expected = torch.from_numpy(ODD / ODD.sum()).float()
    for path in (one, f"{one}#blur", f"{two}#blur", f"{two}#2"):
        assert torch.allclose(load_kernel(path), expected)
    assert "holds 2 kernels (in wide, blur); append #1 to #2, or #NAME" in error_of(two)
    with pytest.raises(KernelError, match="holds no variable 'narrow'; there are wide, blur"):
        load_kernel(f"{two}#narrow")
    (tmp_path / "bad.npz").write_bytes(one.read_bytes()[:-30])
    assert "cannot be read as a blur kernel" in error_of(tmp_path / "bad.npz")


def test_a_matlab_file_of_version_7_3_is_read_where_h5py_is_installed(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "k.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in (("f", ODD), ("x", np.ones((4, 200)))):
            file.create_dataset(name, data=values.T).attrs["MATLAB_class"] = np.bytes_("double")
        text = file.create_dataset("text", data=np.ones((2, 3), np.uint16))
        text.attrs["MATLAB_class"] = np.bytes_("char")
        cells = file.create_dataset("cells", (1, 2), dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        cells[0, 0] = cells[0, 1] = file["f"].ref
    expected = torch.from_numpy(ODD / ODD.sum()).float()
    assert torch.allclose(load_kernel(f"{path}#f"), expected)
    assert torch.allclose(load_kernel(f"{path}#2"), expected)  # the second of the cells, which come first
    assert "holds 4 kernels (in cells, f, x)" in error_of(path)
    path.write_bytes(path.read_bytes()[:900])
    assert "cannot be read as a blur kernel" in error_of(path)


def test_a_matlab_file_of_version_7_3_names_h5py_where_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "k.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(520))
    assert "needs h5py; pip install h5py, or save it in MATLAB with -v6 or -v7" in error_of(tmp_path / "k.mat")


def test_a_png_keeps_sixteen_bits(tmp_path):
    save_kernel(torch.from_numpy(ODD), tmp_path / "k.png")
    # Half a level of 65535, relative to the largest weight.
    torch.testing.assert_close(load_kernel(tmp_path / "k.png"), torch.from_numpy(ODD).float(), atol=2e-6, rtol=0)


def test_the_saved_mat_is_read_by_scipy(tmp_path):
    save_kernel(torch.from_numpy(ODD), tmp_path / "k.mat")
    np.testing.assert_allclose(scipy.io.loadmat(tmp_path / "k.mat")["Kernel"], ODD, rtol=1e-7)


def test_weights_are_normalised_to_sum_one(tmp_path):
    np.save(tmp_path / "k.npy", np.full((4, 5), 7, dtype=np.uint16))
    torch.testing.assert_close(load_kernel(tmp_path / "k.npy"), torch.full((4, 5), 0.05))


def test_extreme_weights_are_normalised_without_overflow(tmp_path):
    np.save(tmp_path / "k.npy", np.full((2, 2), 1e308))
    torch.testing.assert_close(load_kernel(tmp_path / "k.npy"), torch.full((2, 2), 0.25))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "i2", "u4", "i8"])
@pytest.mark.parametrize("name", ["kernel", "Kernel", "blur_psf"])
def test_matlab_variables_of_every_numeric_class_are_read(tmp_path, compressed, dtype, name):
    stored = (ODD * 48).astype(dtype)
    scipy.io.savemat(tmp_path / "k.mat", {"scale": 2.0, name: stored}, do_compression=compressed)
    torch.testing.assert_close(load_kernel(tmp_path / "k.mat"), torch.from_numpy(ODD).float())


@pytest.mark.parametrize("small", [False, True])
def test_big_endian_matlab_files_are_read(tmp_path, small):
    kernel = np.array([[4.0, 1.0], [2.0, 1.0]])
    (tmp_path / "k.mat").write_bytes(big_endian_mat(kernel, small=small))
    assert torch.equal(load_kernel(tmp_path / "k.mat"), torch.from_numpy(kernel / 8).float())


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "variables",
    [
        {"kernels": cells(ODD, ODD[::-1, ::-1] + ODD, EVEN)},
        {"kernels": cells(ODD, cells("a name", ODD[::-1, ::-1] + ODD), EVEN)},
        {"a": ODD, "b": ODD[::-1, ::-1] + ODD, "c": EVEN, "note": "text", "scale": 2},
        {"stack": np.stack([ODD, ODD[::-1, ::-1] + ODD, ODD**2], axis=2)},
    ],
)
def test_a_number_picks_one_of_several_kernels(tmp_path, variables, compressed):
    path = tmp_path / "k.mat"
    scipy.io.savemat(path, variables, do_compression=compressed)
    expected = torch.from_numpy(ODD[::-1, ::-1] + ODD).float() / 2
    torch.testing.assert_close(load_kernel(f"{path}#2"), expected)
    assert "holds 3 kernels" in error_of(path)
    assert "#1 to #3" in error_of(path)
    assert "up to #3" in error_of(f"{path}#4")
    assert "up to #3" in error_of(f"{path}#0")


def test_a_stack_in_npy_has_its_number_first(tmp_path):
    np.save(tmp_path / "k.npy", np.stack([ODD, ODD**2]))
    torch.testing.assert_close(load_kernel(f"{tmp_path}/k.npy#1"), torch.from_numpy(ODD).float())


def test_a_variable_named_kernel_goes_before_the_others(tmp_path):
    scipy.io.savemat(tmp_path / "k.mat", {"image": np.ones((9, 9)), "kernel": EVEN})
    assert load_kernel(tmp_path / "k.mat").shape == (2, 2)


def test_a_file_whose_own_name_has_a_number_is_read_as_it_is(tmp_path):
    save_kernel(torch.from_numpy(EVEN), tmp_path / "k.mat")
    (tmp_path / "k.mat").rename(tmp_path / "k.mat#7")
    assert load_kernel(tmp_path / "k.mat#7").shape == (2, 2)


@pytest.mark.parametrize("text", ["0.5 0.125\n0.25 0.125\n", "\ufeff4,1\r\n2, 1", "# blur\n4;1\n\n2\t1  # end\n"])
def test_text_is_read_with_the_usual_separators(tmp_path, text):
    (tmp_path / "k.csv").write_text(text, encoding="utf-8")
    assert torch.equal(load_kernel(tmp_path / "k.csv"), torch.from_numpy(EVEN).float())


@pytest.mark.parametrize(
    "text", ["0,5;0,125\n0,25;0,125\n", "0,5\t0,125\n0,25\t0,125", "0,5 0,125\n0,25 1,25e-1", ",5; ,125\n0,25;0,125"]
)
def test_decimal_commas_are_read(tmp_path, text):
    (tmp_path / "k.csv").write_text(text, encoding="utf-8")
    assert torch.equal(load_kernel(tmp_path / "k.csv"), torch.from_numpy(EVEN).float())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0,25;0,5", "commas may separate numbers or be decimal points"),
        ("0,25\n0,5\n0,25", "commas may separate numbers or be decimal points"),
        ("0,05,0,1\n0,1, 0,2", "commas may separate numbers or be decimal points"),
        ("1,2,1;2,4,2;1,2,1", "commas may separate numbers or be decimal points"),
        ("1,2 3,4,5\n1,2 3,4,5", "commas may separate numbers or be decimal points"),
        ("0.1,0.2;0.3,0.4", "mixes commas and semicolons"),
        ("1.024,5;0,5\n0,5;0,5", "mixes commas and semicolons"),
    ],
)
def test_commas_that_may_mean_two_things_are_refused(tmp_path, text, reason):
    (tmp_path / "k.csv").write_text(text)
    assert reason in error_of(tmp_path / "k.csv")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("bands", [1, 3])
def test_grey_images_of_any_depth_are_read_without_gamma(tmp_path, dtype, bands):
    image = pyvips.Image.new_from_array((ODD * 48).astype(dtype))
    if bands == 3:
        image = image.bandjoin([image, image]).copy(interpretation="rgb")
    image.tiffsave(str(tmp_path / "k.tif"))
    torch.testing.assert_close(load_kernel(tmp_path / "k.tif"), torch.from_numpy(ODD).float())


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 3)), "every weight of the kernel is zero"),
        (np.zeros((0, 3)), "empty (0x3)"),
        (-ODD, "sums to -1"),
        (np.array([[1.0, -1.0]]), "sums to 0"),
        (np.array([[1.0, np.nan]]), "NaN or infinity"),
        (np.array([[1.0, np.inf]]), "NaN or infinity"),
        (np.ones((1, MAX_SIDE + 1)), "1x128, at most 127x127"),
        (np.ones(5), "2 dimensions, got shape (5,)"),
        (ODD * 1j, "real numbers, got complex128"),
        (np.array([["a"]]), "real numbers, got <U1"),
        (np.array([[None]]), "Object arrays cannot be loaded"),
    ],
)
def test_an_unusable_kernel_is_refused_with_the_reason(tmp_path, array, reason):
    np.save(tmp_path / "k.npy", array)
    assert reason in error_of(tmp_path / "k.npy")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("k.mat", b"\x00\x00\x00\x00\x02\x00", "not a MATLAB version 5 file"),
        ("k.mat", b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM", "holds no kernel"),
        ("k.npy", b"", "cannot be read as a blur kernel"),
        ("k.npy", b"\x80\x04N.", "cannot be read as a blur kernel"),
        ("k.png", b"not a picture", "cannot be read as a blur kernel"),
        ("k.txt", b"1 2\n3\n", "rows are not equally long"),
        ("k.txt", b"", "empty (1x0)"),
        ("k.txt", b"1 x", "could not convert string to float"),
        ("k.jpg", b"", "kernels are read from .mat .npy"),
        ("kernel", b"", "got ''"),
    ],
)
def test_a_foreign_file_is_refused_with_the_reason(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    assert reason in error_of(tmp_path / name)


def test_complex_and_non_numeric_matlab_variables_are_refused(tmp_path):
    scipy.io.savemat(tmp_path / "k.mat", {"kernel": ODD * 1j})
    assert "variable 'kernel' is complex" in error_of(tmp_path / "k.mat")
    scipy.io.savemat(tmp_path / "k.mat", {"kernel": {"weights": ODD}, "name": "text"})
    assert "holds no kernel" in error_of(tmp_path / "k.mat")


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


@pytest.mark.parametrize(("depth", "is_read"), [(7, True), (9, False), (1000, False)])
def test_cell_arrays_may_be_nested_eight_deep(tmp_path, depth, is_read):
    cell, double = (
        element(6, struct.pack("<II", number, 0)) + element(5, struct.pack("<ii", 1, 1)) + element(1, b"")
        for number in (1, 6)
    )
    nested = element(14, double + element(9, struct.pack("<d", 2)))
    for _ in range(depth):
        nested = element(14, cell + nested)
    path = tmp_path / "k.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + nested)
    # A number alone is no kernel, but it was found.
    reason = "holds no kernel" if is_read else "nested more than 8 deep"
    assert reason in error_of(path)


def test_a_compressed_variable_that_expands_without_end_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "k.mat", {"kernel": np.zeros((1500, 1500))}, do_compression=True)
    assert "a compressed variable is cut short or too large" in error_of(tmp_path / "k.mat")


def test_a_file_of_more_than_sixteen_mebibytes_is_refused(tmp_path):
    np.save(tmp_path / "k.npy", np.zeros((1, (16 << 20) + 1), dtype=np.uint8))
    assert "larger than 16 MiB" in error_of(tmp_path / "k.npy")


def test_a_coloured_or_a_transparent_image_is_refused(tmp_path):
    image = pyvips.Image.new_from_array((ODD * 48).astype(np.uint8))
    image.bandjoin([image, image * 2]).cast("uchar").copy(interpretation="srgb").pngsave(str(tmp_path / "colour.png"))
    image.bandjoin(image).copy(interpretation="b-w").pngsave(str(tmp_path / "alpha.png"))
    assert "is coloured" in error_of(tmp_path / "colour.png")
    assert "is partly transparent" in error_of(tmp_path / "alpha.png")


def test_a_missing_file_or_a_folder_is_no_kernel(tmp_path):
    (tmp_path / "folder.mat").mkdir()
    assert "no such file" in error_of(tmp_path / "folder.mat")
    assert "no such file" in error_of(tmp_path / "missing.mat")
    assert "no such file" in error_of(f"{tmp_path}/missing.mat#3")


def test_an_existing_file_is_kept_unless_overwriting_is_allowed(tmp_path):
    path = tmp_path / "k.npy"
    save_kernel(torch.from_numpy(ODD), path)
    with pytest.raises(KernelError, match="exists; choose another name"):
        save_kernel(torch.from_numpy(EVEN), path)
    assert load_kernel(path).shape == ODD.shape
    save_kernel(torch.from_numpy(EVEN), path, overwrite=True)
    assert load_kernel(path).shape == EVEN.shape


@pytest.mark.parametrize(
    ("kernel", "name", "reason"),
    [
        (torch.zeros(3, 3), "k.npy", "every weight of the kernel is zero"),
        (torch.ones(3), "k.npy", "2 dimensions"),
        (torch.tensor([[-0.1, 1.0]]), "k.png", "negative weights"),
        (torch.ones(3, 3), "k.bmp", "written as .mat .npy .txt .csv .png .tif"),
        (torch.ones(3, 3), "missing/k.npy", "cannot be written"),
    ],
)
def test_a_kernel_that_cannot_be_saved_leaves_no_file(tmp_path, kernel, name, reason):
    with pytest.raises(KernelError, match=reason):
        save_kernel(kernel, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def valid_files(tmp_path_factory):
    """Valid kernel files, as bytes, by a name that ends in their suffix."""
    folder = tmp_path_factory.mktemp("valid")
    for suffix in (".npy", ".png", ".txt"):
        save_kernel(torch.from_numpy(ODD), folder / f"plain{suffix}")
    content = {"Kernel": cells(ODD, EVEN), "scale": 2}
    scipy.io.savemat(folder / "plain.mat", content)
    scipy.io.savemat(folder / "compressed.mat", content, do_compression=True)
    pyvips.Image.new_from_array((ODD * 48).astype(np.uint8)).tiffsave(str(folder / "plain.tif"))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("name", ["plain.mat", "compressed.mat", "plain.npy", "plain.png", "plain.tif", "plain.txt"])
@given(data=st.data())
@settings(max_examples=200, derandomize=True, deadline=None)
def test_damaged_bytes_give_a_kernel_or_a_kernel_error(tmp_path_factory, valid_files, name, data):
    content = bytearray(valid_files[name])
    places = st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        content[place] = value
    if data.draw(st.booleans()):
        del content[data.draw(places) :]
    file = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    file.write_bytes(content)
    try:
        kernel = load_kernel(f"{file}#1")
    except KernelError:
        return
    assert kernel.dtype == torch.float32
    assert kernel.ndim == 2
    assert min(kernel.shape) >= 1
    assert max(kernel.shape) <= MAX_SIDE
    assert kernel.isfinite().all()
    # Weights may cancel down to a thousandth of their magnitude, where float32 keeps four digits.
    assert kernel.double().sum().item() == pytest.approx(1, abs=1e-3)


def test_no_memory_is_taken_for_an_array_that_is_not_in_the_file(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (1 << 14, 1 << 14)})
    (tmp_path / "k.npy").write_bytes(stream.getvalue() + bytes(800))
    assert "is cut short, or not of the shape (16384, 16384)" in error_of(tmp_path / "k.npy")


def test_a_text_that_is_no_kernels_is_not_parsed(tmp_path):
    (tmp_path / "k.csv").write_text("1 " * (1 << 19) + "1")
    assert "the text is larger than 1 MiB; save the kernel alone" in error_of(tmp_path / "k.csv")
