"""SPEC T2: under neuron-run a script is what it is under plain Python: output, errors, exit code, signals, stdin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SEEN = """
import sys, os
print(__name__, __file__, sys.argv, sys.path[0], sys.path[1:] and "_site" in " ".join(sys.path), __spec__, __package__)
print(sys.flags, sys.warnoptions, sorted(vars()))
"""
CASES = {
    "seen": SEEN,
    "exits": "import sys\nsys.exit(3)\n",
    "says": "raise SystemExit('no such model')\n",
    "raises": "def f():\n    return 1 / 0\ntry:\n    f()\nexcept ZeroDivisionError as error:\n    raise KeyError('x') from error\n",
    "context": "try:\n    {}['a']\nexcept KeyError:\n    import shadow.missing\n",
    "syntax": "def f(:\n",
    "interrupted": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(60)\n",
    "killed": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nimport time\ntime.sleep(60)\n",
    "reads": "import sys\nprint(sys.stdin.readline(), input(), sys.stdin.read())\n",
    "moves": "import os, sys\nos.makedirs('away', exist_ok=True)\nos.chdir('away')\nimport beside\nprint(beside.x, os.path.basename(os.getcwd()))\n",
    "forks": "import os, sys\npid = os.fork()\nif not pid:\n    print('child', flush=True)\n    sys.exit(4)\nprint(os.waitpid(pid, 0)[1] >> 8)\n",
    "shadows": "import torch\nprint(torch.x)\nimport tensorflow\n",
    "closed": "import os\nos.close(2)\nraise ValueError\n",
    "hidden": "import sys\nsys.excepthook = lambda *_: print('mine')\nraise ValueError\n",
    "exit_hook": "import atexit\natexit.register(print, 'bye')\nimport sys\nsys.exit(5)\n",
    "deep": "def f(n):\n    return f(n + 1)\nf(0)\n",
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_as_plain_python(python, case: str) -> None:
    """Output, traceback text and exit code, a signal's included."""
    (python.folder / "script.py").write_text(CASES[case])
    (python.folder / "torch.py").write_text("x = 'my own torch'\n")
    (python.folder / "tensorflow.py").write_text("def broken():\n    raise ImportError('mine')\nbroken()\n")
    (python.folder / "beside.py").write_text("x = 1\n")
    results = [
        start("script.py", "-m", "--cores", "2", input="one\ntwo\nthree") for start in (python.plain, python.served)
    ]
    plain, served = [(done.returncode, done.stdout, done.stderr) for done in results]
    assert served == plain


def test_the_cases_differ_from_each_other(python) -> None:
    """What the test above compares is what it says."""
    for case, code, said in [
        ("exits", 3, ""),
        ("says", 1, "no such model"),
        ("interrupted", -signal.SIGINT, "Interrupt"),
    ]:
        (python.folder / "script.py").write_text(CASES[case])
        assert said in python.served("script.py", code=code).stderr


def test_module_code_stdin_directory_and_archive(python) -> None:
    """All ways in which Python takes a program."""
    package = python.folder / "package"
    package.mkdir()
    (package / "__main__.py").write_text(
        "import sys\nprint(__package__, sys.argv, sys.path[0], __spec__ and __spec__.name)\n"
    )
    (package / "__init__.py").write_text("")
    with zipfile.ZipFile(python.folder / "archive", "w") as archive:
        archive.write(package / "__main__.py", "__main__.py")
    for words in (
        ("-m", "package", "-x"),
        ("-c", "import sys; print(sys.argv)", "-m"),
        ("-mpackage",),
        ("package", "a"),
        ("archive",),
    ):
        assert python.served(*words, code=0).stdout == python.plain(*words, code=0).stdout != "", words
    for start in (python.plain, python.served):
        assert start("-", "a", input="import sys; print(sys.argv)", code=0).stdout == "['-', 'a']\n"


def test_interpreter_options_are_kept(python) -> None:
    """Python -X dev -W error -um neuron_adapters script.py."""
    (python.folder / "script.py").write_text(
        "import sys; print(sys.flags, sys.warnoptions, sys.stdout.write_through)\n"
    )
    options = ("-Xdev", "-W", "ignore", "-O")
    plain = python.start(sys.executable, *options, "-u", "script.py", code=0).stdout
    for module in (("-u", "-m", "neuron_adapters"), ("-um", "neuron_adapters"), ("-u", "-mneuron_adapters")):
        assert python.start(sys.executable, *options, *module, "script.py", code=0).stdout == plain


def test_the_process_is_the_script(python) -> None:
    """One process, whose signals and standard streams are the script's; a pipe that closes is the script's business."""
    (python.folder / "script.py").write_text(
        "import os, sys\nprint(os.getpid(), flush=True)\nprint(sys.stdin.readline(), end='')\nimport time\ntime.sleep(60)\n"
    )
    command = [sys.executable, "-m", "neuron_adapters", "script.py"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=python.folder, env=python.env, text=True, **pipes) as process:
        try:
            assert int(process.stdout.readline()) == process.pid
            process.stdin.write("hello\n")
            process.stdin.flush()
            assert process.stdout.readline() == "hello\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == -signal.SIGINT
            assert process.stderr.read().splitlines()[-1] == "KeyboardInterrupt"
        finally:
            process.kill()


def test_sitecustomize_of_others(python, tmp_path: Path) -> None:
    """The one that Python would have found runs, errors and all; children and grandchildren too."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys\nprint('own', [p for p in sys.path if p.endswith('_site')])\n")
    env = {"PYTHONPATH": os.pathsep.join([str(own), python.env["PYTHONPATH"]])}
    code = "import subprocess, sys; print(sys.modules['sitecustomize'].__file__, flush=True); subprocess.run([sys.executable, '-c', 'import mx_neuron as m; print(m.__name__)'])"
    lines = python.served("-c", code, env=env, code=0).stdout.splitlines()
    assert lines == [
        "own []",
        "own []",
        str(own / "sitecustomize.py"),
        "own []",
        "neuron_adapters.mx._plugin",
    ]  # the first: neuron-run itself
    (own / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    plain, served = python.plain("-c", "", env=env), python.served("-c", "", env=env)
    assert (served.returncode, served.stderr) == (0, plain.stderr * 2)


def test_children_that_are_not_served(python) -> None:
    """Another environment, another interpreter, -I: plain Python, without a word."""
    ask = "import importlib.util as u, sys; print(u.find_spec('torch_neuron') is not None)"
    children = [
        ("served", "{}", "[]"),
        ("another environment", "{'PYTHONPATH': ''}", "[]"),
        ("switched off", "{'NEURON_ADAPTERS_RUN': '0'}", "[]"),
        ("isolated", "{}", "['-I']"),
        ("without the package", "{'PYTHONPATH': os.environ['PYTHONPATH'].split(os.pathsep)[0]}", "['-S']"),
    ]
    (python.folder / "script.py").write_text(
        "import os, subprocess, sys\n"
        + "".join(
            f"print({name!r}, subprocess.run([sys.executable, *{flags}, '-c', {ask!r}], env={{**os.environ, **{env}}}, "
            "check=True, capture_output=True, text=True))\n"
            for name, env, flags in children
        )
    )
    out = python.served("script.py", code=0).stdout
    assert [
        line.split(" CompletedProcess")[0] for line in out.splitlines() if r"stdout='True\n', stderr=''" in line
    ] == ["served"]
    assert out.count(r"stdout='False\n', stderr=''") == len(children) - 1, out


def test_an_interpreter_without_the_package(python) -> None:
    """It finds our folder on PYTHONPATH and nothing else of ours, and runs as it always does."""
    site = Path(__file__).resolve().parents[2] / "neuron_adapters" / "run" / "_site"
    code = "import sys; print([name for name in sys.modules if 'neuron' in name], 'sitecustomize' in sys.modules, sys.path)"
    env = {"PYTHONPATH": str(site), "NEURON_ADAPTERS_RUN": "1", "PYTHONNOUSERSITE": "1"}
    base = Path(sys.base_prefix) / "bin" / "python3"
    plain = python.start(base, "-c", code, env={**env, "PYTHONPATH": ""}, code=0)
    served = python.start(base, "-c", code, env=env, code=0)
    assert (served.stdout, served.stderr) == (plain.stdout, plain.stderr)
    assert "_site" not in served.stdout
