"""Every operator's cases against PyTorch.  ctest: standard timeout=300

Each entry of src/ops has cases (tests/ops/README.md describes their language). For every case this runs
the operator in PyTorch, and in tenon: many cases in one textual graph, lowered and interpreted by
run_graph. Every case runs twice, with its sizes as they stand and with symbols for them. Fails if an
entry's schema is not PyTorch's, if it has no cases, or if a result differs.

    test_cases.py [PATTERN...]   only operators that match ("aten::add.*")
"""

import fnmatch
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # no warnings about degrees of freedom

import torch  # noqa: E402
import transformers.integrations.moe  # noqa: E402, F401  registers its operators

DTYPES = {
    "f64": (torch.float64, 1), "f32": (torch.float32, 2), "f16": (torch.float16, 3),
    "bf16": (torch.bfloat16, 4), "i64": (torch.int64, 7), "i32": (torch.int32, 8),
    "i16": (torch.int16, 9), "i8": (torch.int8, 10), "u8": (torch.uint8, 11), "bool": (torch.bool, 15),
}
NAMES = {dtype: name for name, (dtype, _) in DTYPES.items()}
CODES = {code: dtype for dtype, code in DTYPES.values()}
# Default tolerances: a few units in the last place, as functions differ between libraries.
TOLERANCES = {torch.float64: (1e-12, 1e-12), torch.float32: (2e-6, 1e-7),
              torch.float16: (2e-3, 1e-4), torch.bfloat16: (1e-2, 1e-3)}
# Families that move elements: bit for bit.
EXACT = {"view", "permute", "part", "join", "index", "scatter", "fold", "stack", "order", "create"}


class Sym:
    """An integer with the expression that it came from."""

    def __init__(self, value, text):
        self.value, self.text = value, text

    def __index__(self):
        return self.value

    def _op(self, other, op, reverse=False):
        a, b = (other, self) if reverse else (self, other)
        text = lambda x: x.text if isinstance(x, Sym) else str(x)
        return Sym(eval(f"{int(a)} {op} {int(b)}"), f"({text(a)} {op} {text(b)})")

    def __add__(self, other): return self._op(other, "+")
    def __radd__(self, other): return self._op(other, "+", True)
    def __sub__(self, other): return self._op(other, "-")
    def __rsub__(self, other): return self._op(other, "-", True)
    def __mul__(self, other): return self._op(other, "*")
    def __rmul__(self, other): return self._op(other, "*", True)
    def __floordiv__(self, other): return self._op(other, "//")


class Spec:
    """A tensor of a case: its content, and its dims as they are written in a dynamic graph."""

    def __init__(self, dtype, dims, modifiers, seed):
        self.dtype = DTYPES[dtype][0]
        self.dims = dims
        generator = torch.Generator().manual_seed(seed)
        self.data = make_data(self.dtype, [int(d) for d in dims], modifiers, generator)


def random_data(dtype, dims, mods, generator):
    if dtype == torch.bool:
        return torch.rand(dims, generator=generator) < 0.5
    is_float = dtype.is_floating_point
    if "perm" in mods:  # distinct along every dim no longer than the range
        count = int(mods["perm"])
        total = torch.zeros(dims, dtype=torch.int64)
        for d, size in enumerate(dims):
            shape = [1] * len(dims)
            shape[d] = size
            total = total + torch.arange(size).reshape(shape)
        return torch.randperm(count, generator=generator)[total % count].to(dtype)
    if "few" in mods:
        low = 0 if dtype == torch.uint8 else -2
        return torch.randint(low, 3, dims, generator=generator).to(dtype)
    if "half" in mods:
        return (torch.randint(-9, 10, dims, generator=generator) / 2).to(dtype)
    if "lo" in mods or "hi" in mods:
        low, high = float(mods.get("lo", 0)), float(mods["hi"])
        if is_float:
            return (torch.rand(dims, generator=generator, dtype=torch.float64) * (high - low) + low).to(dtype)
        return torch.randint(int(low), int(high) + 1, dims, generator=generator).to(dtype)
    if is_float:
        return (torch.randn(dims, generator=generator, dtype=torch.float64) * 1.5).to(dtype)
    low = 0 if dtype == torch.uint8 else -9
    return torch.randint(low, 10, dims, generator=generator).to(dtype)


def make_data(dtype, dims, mods, generator):
    data = random_data(dtype, dims, mods, generator)
    if "sorted" in mods:
        data = data.sort(-1).values
    flat = data.view(-1)
    if "zero" in mods:
        flat.zero_()
    if "nan" in mods:
        flat[::4] = float("nan")
    if "nan1" in mods:
        flat[1] = float("nan")
    if "inf" in mods:
        flat[1::5] = float("inf")
        flat[2::5] = float("-inf")
    if "tail" in mods:
        data[..., -2:] = False if dtype == torch.bool else float("-inf")
        data[..., 0] = True if dtype == torch.bool else 0
    if "nc" in mods and len(dims) >= 2:  # the last two dims swapped in memory
        data = data.transpose(-1, -2).contiguous().transpose(-1, -2)
    elif "nc" in mods and len(dims) == 1:  # every other element of a larger tensor
        wide = torch.zeros([dims[0], 2], dtype=dtype)
        wide[:, 0] = data
        data = wide[:, 0]
    return data


SPEC = re.compile(r"\b(f64|f32|f16|bf16|i64|i32|i16|i8|u8|bool)\[([^\]]*)\](?:\{([^}]*)\})?")


class Case:
    def __init__(self, op, text, flags):
        self.op, self.text = op, text
        self.flags = dict(flags)
        body, *own = text.split("@")
        for flag in " ".join(own).split():
            name, _, value = flag.partition("=")
            self.flags[name] = value
        symbols = {n: int(v) for n, v in re.findall(r"\b([A-Z])=(\d+)", body)}
        if "sym" in self.flags:
            name, value = self.flags["sym"].split(":")
            symbols[name] = int(value)
        # The value is part of the name: cases of one graph share symbols.
        self.symbols = {f"{n}{v}": v for n, v in symbols.items()}
        body = re.sub(r"\b([A-Z])=\d+", r"\1", body)
        env = {n: Sym(v, f"{n}{v}") for n, v in symbols.items()}
        env["torch"] = torch
        count = 0

        def replace(match):
            nonlocal count
            count += 1
            return f"spec('{match.group(1)}', [{match.group(2)}], '{match.group(3) or ''}', {count})"

        def spec(dtype, dims, mods, index):
            mods = dict(m.partition("=")[::2] for m in mods.split(",") if m)
            return Spec(dtype, dims, mods, zlib.crc32(f"{op['name']}{text}{index}".encode()))

        env["spec"] = spec
        env["collect"] = lambda *args, **kwargs: (args, kwargs)
        self.args, self.kwargs = eval("collect" + SPEC.sub(replace, body), env)

    def specs(self):
        found = []

        def walk(x):
            if isinstance(x, Spec):
                found.append(x)
            elif isinstance(x, (list, tuple)):
                for y in x:
                    walk(y)

        walk(self.args)
        walk(list(self.kwargs.values()))
        return found

    def run_torch(self):
        def plain(x):
            if isinstance(x, Spec):
                return x.data
            if isinstance(x, Sym):
                return x.value
            return [plain(y) for y in x] if isinstance(x, (list, tuple)) else x

        packet = getattr(getattr(torch.ops, self.op["space"]), self.op["base"])
        overload = getattr(packet, self.op["overload"] or "default")
        results = overload(*[plain(x) for x in self.args], **{k: plain(v) for k, v in self.kwargs.items()})
        if results is None:
            return []
        if isinstance(results, torch.Tensor):
            return [results]
        return list(results)[:int(self.flags.get("results", 9))]

    def dim_text(self, spec_index, d, dim, rank, mode):
        """One dim of an input in a dynamic graph."""
        if isinstance(dim, Sym):
            return dim.text
        is_symbolic = {"dyn": True, "batch": spec_index == 0 and d == 0,
                       "seq": rank >= 3 and d == 0 or d == rank - 2, "none": False}[mode]
        return f"d{dim}" if is_symbolic and dim >= 2 else str(dim)


def arg_text(x, is_dynamic, tensors):
    if x is None:
        return "none"
    if isinstance(x, Spec):
        return "%" + tensors[id(x)]
    if isinstance(x, Sym):
        return x.text if is_dynamic else str(x.value)
    if isinstance(x, bool):
        return "true" if x else "false"
    if isinstance(x, float):
        return repr(x)
    if isinstance(x, int):
        return str(x)
    if isinstance(x, str):
        return f'"{x}"'
    if isinstance(x, torch.dtype):
        return NAMES[x]
    if isinstance(x, torch.memory_format):
        return f'"{str(x).split(".")[1]}"'
    if isinstance(x, (list, tuple)):
        return "[" + ", ".join(arg_text(y, is_dynamic, tensors) for y in x) + "]"
    raise TypeError(f"{x!r} has no textual form")


class Batch:
    """Cases as one graph."""

    def __init__(self, items, is_dynamic):
        self.items, self.is_dynamic = items, is_dynamic
        self.symbols = {"u": 0}
        self.inputs, nodes, returns = [], [], []
        for index, (case, results) in enumerate(items):
            self.add(index, case, results, nodes, returns)
        lines = ["graph cases {"]
        for name in self.symbols:
            lines.append(f"symbol {name} in [{0 if name == 'u' else 2 if name[0] == 'd' else 1}, "
                         f"{'inf' if name == 'u' else 4096}]")
        lines += [f"input %{n}: {NAMES[s.dtype]}[{', '.join(dims)}]" for n, s, dims in self.inputs]
        lines += nodes
        lines.append("return " + ", ".join(returns) if returns else "return")
        self.text = "\n".join(lines) + "\n}\n"

    def add(self, index, case, results, nodes, returns):
        mode = "none"
        if self.is_dynamic:
            mode = "batch" if "batch" in case.flags else "seq" if "seq" in case.flags else \
                "none" if case.symbols else "dyn"
            self.symbols.update(case.symbols)
        tensors = {}
        for i, spec in enumerate(case.specs()):
            name = f"c{index}_a{i}"
            tensors[id(spec)] = name
            dims = []
            for d, dim in enumerate(spec.dims):
                text = case.dim_text(i, d, dim, len(spec.dims), mode) if self.is_dynamic else str(int(dim))
                if re.fullmatch(r"d\d+", text):
                    self.symbols[text] = int(dim)
                dims.append(text)
            self.inputs.append((name, spec, dims))
        args = [arg_text(x, self.is_dynamic, tensors) for x in case.args]
        args += [f"{k}={arg_text(v, self.is_dynamic, tensors)}" for k, v in case.kwargs.items()]
        left = []
        for r, result in enumerate(results):
            dims = ["u"] * result.dim() if self.is_dynamic else [str(d) for d in result.shape]
            left.append(f"%c{index}_r{r}: {NAMES[result.dtype]}[{', '.join(dims)}]")
            returns.append(f"%c{index}_r{r}")
        node = f"{case.op['name']}({', '.join(args)})"
        nodes.append(f"{', '.join(left)} = {node}" if left else node)

    def run(self, program, folder):
        """The outputs of all cases in order; or the error."""
        paths = [os.path.join(folder, n) for n in ("graph.txt", "inputs.bin", "outputs.bin")]
        with open(paths[0], "w") as out:
            out.write(self.text)
        with open(paths[1], "wb") as out:
            for _, spec, _ in self.inputs:
                storage = spec.data.untyped_storage()
                data = bytes(storage)
                out.write(struct.pack(f"<{2 + spec.data.dim()}q", len(data), spec.data.storage_offset(),
                                      *spec.data.stride()))
                out.write(data)
        values = [f"{n}={v}" for n, v in self.symbols.items()]
        done = subprocess.run([*program, *paths, *values], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            return None, done.stderr.strip() or f"exit code {done.returncode}"
        with open(paths[2], "rb") as data:
            return read_outputs(data.read()), None


def read_outputs(data):
    tensors, at = [], 0
    while at < len(data):
        code, rank = struct.unpack_from("<2q", data, at)
        dims = struct.unpack_from(f"<{rank}q", data, at + 16)
        at += 16 + 8 * rank
        count = 1
        for d in dims:
            count *= d
        size = count * CODES[code].itemsize
        raw = bytearray(data[at:at + size])
        tensor = torch.frombuffer(raw, dtype=CODES[code]) if size else torch.empty(0, dtype=CODES[code])
        tensors.append(tensor.reshape(dims))
        at += size
    return tensors


def unlike(seen, wanted):
    """What differs between two random samples beyond chance, or None."""
    if seen.numel() < 1000:
        return None
    for name, moment in (("mean", torch.mean), ("deviation", torch.std)):
        if abs(moment(seen).item() - moment(wanted).item()) > 0.15:
            return f"has a {name} of {moment(seen).item():g}, wanted {moment(wanted).item():g}"
    if len(seen.unique()) < 0.05 * min(seen.numel(), len(wanted.unique())):
        return "repeats itself"
    return None


def difference(case, family, seen, wanted):
    """What differs, or None."""
    if seen.dtype != wanted.dtype or seen.shape != wanted.shape:
        return f"is {NAMES[seen.dtype]}{list(seen.shape)}, wanted {NAMES[wanted.dtype]}{list(wanted.shape)}"
    if "shape" in case.flags:
        return None
    if "moments" in case.flags:
        return unlike(seen.double(), wanted.double())
    rtol, atol = 0.0, 0.0
    if seen.dtype.is_floating_point:
        rtol, atol = TOLERANCES[seen.dtype]
        if family in EXACT and "rtol" not in case.flags:
            rtol, atol = 0.0, 0.0
        scale = 1e-5 if seen.dtype == torch.float64 else 1
        rtol = max(rtol, float(case.flags.get("rtol", 0)) * scale)
        atol = max(atol, float(case.flags.get("atol", 0)) * scale)
    a, b = seen.to(torch.float64), wanted.to(torch.float64)
    if not seen.dtype.is_floating_point:
        same = seen == wanted
    else:
        same = (a == b) | (a.isnan() & b.isnan()) | ((a - b).abs() <= atol + rtol * b.abs())
    if bool(same.all()):
        return None
    at = int((~same).reshape(-1).nonzero()[0])
    return f"element {at} is {a.reshape(-1)[at].item()!r}, wanted {b.reshape(-1)[at].item()!r}"


def run_batch(program, items, is_dynamic, failures, folder):
    """Runs cases in one graph; splits it until each failing case stands alone."""
    if not items:
        return
    outputs, error = Batch(items, is_dynamic).run(program, folder)
    if error and len(items) > 1:
        half = len(items) // 2
        run_batch(program, items[:half], is_dynamic, failures, folder)
        run_batch(program, items[half:], is_dynamic, failures, folder)
        return
    kind = "dynamic" if is_dynamic else "static"
    if error:
        failures.append((items[0][0], kind, error))
        return
    at = 0
    for case, results in items:
        for r, wanted in enumerate(results):
            what = difference(case, case.op["family"], outputs[at], wanted)
            if what:
                failures.append((case, kind, f"result {r} {what}"))
            at += 1


def starve(program, items, folder):
    """Every converter with too little memory, for two cases of each operator."""
    seen, few = {}, []
    for case, results in items:
        seen[case.op["name"]] = seen.get(case.op["name"], 0) + 1
        if seen[case.op["name"]] <= 2:
            few.append((case, results))
    path = os.path.join(folder, "graph.txt")
    with open(path, "w") as out:
        out.write(Batch(few, False).text)
    done = subprocess.run([program, "--starve", path], stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return []
    return [(few[0][0], "short memory", done.stderr.strip() or f"exit code {done.returncode}")]


def read_entries(program):
    listed = subprocess.run([program, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout
    for record in listed.split("\x1e")[:-1]:
        family, schema, cases, kind = record.split("\x1f")
        name = schema.split("(")[0]
        if kind == "alias":
            continue
        space, base = name.split("::")
        base, _, overload = base.partition(".")
        yield {"space": space, "family": family, "schema": schema, "cases": cases, "name": name, "base": base,
               "overload": overload, "inplace": kind == "inplace"}


def check_aliases(program, schemas):
    """Every overload of an operator that has another name must have PyTorch's schema there too."""
    listed = subprocess.run([program, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout
    records = [record.split("\x1f") for record in listed.split("\x1e")[:-1]]
    own = [schema for _, schema, _, kind in records if kind != "alias"]
    errors = []
    for alias, name, _, kind in records:
        if kind != "alias":
            continue
        found = 0
        for schema in own:
            match = re.fullmatch(rf"aten::{name}(_?)((?:\.\w+)?)(\(.*)", schema)
            if not match:
                continue
            found += 1
            if match[1] and alias.startswith("special_"):
                continue  # these have no in-place forms
            full = f"aten::{alias}{match[1]}{match[2]}"
            if schemas.get(full) != full + match[3]:
                errors.append(f"{full}: schema is {full + match[3]}, PyTorch's is {schemas.get(full)}")
        if not found:
            errors.append(f"aten::{alias}: there is no aten::{name}")
    return errors


def read_cases(op):
    flags = {}
    for line in op["cases"].splitlines():
        if line.startswith("@"):
            flags = dict(f.partition("=")[::2] for f in line[1:].split())
        else:
            yield Case(op, line, flags)


def main(patterns):
    program = os.path.join(os.environ.get("TENON_BUILD", "build"), "tests", "bin", "run_graph")
    schemas = {str(s).split("(")[0]: str(s) for s in torch._C._jit_get_all_schemas()}
    failures, static, dynamic, errors, op_count = [], [], [], [], 0
    names = set()
    for op in read_entries(program):
        names.add(op["name"])
        if patterns and not any(fnmatch.fnmatch(op["name"], p) for p in patterns):
            continue
        op_count += 1
        if schemas.get(op["name"]) != op["schema"]:
            errors.append(f"{op['name']}: schema is {op['schema']}, PyTorch's is {schemas.get(op['name'])}")
        if op["inplace"]:
            continue
        cases = list(read_cases(op))
        if not cases:
            errors.append(f"{op['name']}: has no cases")
        for case in cases:
            try:
                results = case.run_torch()
            except Exception as error:
                errors.append(f"{op['name']}{case.text}: PyTorch refuses: {str(error).splitlines()[0]}")
                continue
            static.append((case, results))
            if "static" not in case.flags:
                dynamic.append((case, results))
    errors += check_aliases(program, schemas)
    for op in read_entries(program):
        out_of_place = op["base"][:-1] + ("." + op["overload"] if op["overload"] else "")
        if op["inplace"] and "aten::" + out_of_place not in names:
            errors.append(f"{op['name']}: there is no aten::{out_of_place}")
    with tempfile.TemporaryDirectory() as folder:
        for items, is_dynamic in ((static, False), (dynamic, True)):
            for start in range(0, len(items), 200):
                run_batch([program], items[start:start + 200], is_dynamic, failures, folder)
        if not failures:
            failures += starve(program, static, folder)
    for error in errors:
        print(error)
    for case, kind, what in failures:
        print(f"{case.op['name']}{case.text} ({kind}): {what}")
    print(f"{op_count} operators, {len(static)} cases, {len(dynamic)} of them also with symbolic sizes; "
          f"{len(errors) + len(failures)} failures")
    return 1 if errors or failures or not static else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(sys.argv[1:]))
