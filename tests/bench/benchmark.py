"""Measures lvhost beside its yardsticks: called by run.sh, which prepares everything.

A figure and its yardstick are measured in turns (A B A B), each with the data in the page cache and
nothing left to be written, and of several runs the median counts. docs/performance.md says what is
measured and how.
"""

import os
import re
import subprocess
import sys
import time
from typing import Callable, NamedTuple

from programs import Failed, Run, output, run
from with_packer import Contest

HERE = os.path.dirname(os.path.abspath(__file__))
SIMPLE = os.path.join(HERE, "..", "templates", "documentation", "simple.pkr.hcl")
MIB = 1 << 20
GIB = 1 << 30
DENSE_BYTES = 2 * GIB
SPARSE_BYTES = 8 * GIB
# 1 GiB of data in pieces over the whole of the sparse image, as file systems leave them.
SPARSE_PIECES = 64
SPARSE_PIECE_BYTES = GIB // SPARSE_PIECES
# A CD of as many files as one may have, and of a tenth of them.
DISC_FILES = 100_000
VALIDATIONS = 30
SMALL_BUILDS = 3
DEBIAN_BUILDS = 2

PREPARING = "Preparing the volumes"
DOWNLOADED = r": download: done"
UPLOADED = r": upload: done"

# Of the Go plugin 0.5.0, measured once elsewhere: see docs/performance.md.
GO_VALIDATE = "190–220 ms (Go plugin under Packer) ¹"
GO_MEMORY = "38 MB (Go plugin without Packer) ¹"
GO_BUILD = "7 s and polls of up to 5 s (Go plugin) ¹"


class Row(NamedTuple):
    """A line of the table."""

    work: str
    figure: str
    yardstick: str
    to_reach: str
    reached: bool


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def seconds(values: list[float]) -> str:
    """The median, and between what they all were."""
    return f"{median(values):.2f} s ({min(values):.2f}–{max(values):.2f})"


class Bench:
    """What all measurements share."""

    def __init__(self, arguments: list[str]) -> None:
        self.lvhost, self.uri, self.pool, self.folder, self.image, self.domain_type = arguments[:6]
        self.rounds = int(arguments[6])
        # Packer, the plugin, the one in Go and Debian's image; empty where there is none.
        self.packer, self.plugin, self.go_plugin, self.debian = arguments[7:11]
        # Of the names of measurements; empty for all of them.
        self.only = arguments[11]
        self.dense = os.path.join(self.folder, "dense.raw")
        self.sparse = os.path.join(self.folder, "sparse.raw")
        self.cache = os.path.join(self.folder, "cache")
        self.environment = {"XDG_CACHE_HOME": self.cache, "NO_COLOR": "1"}
        self.address = ""
        self.builds = 0
        # The most memory of any run, by what was built.
        self.peaks: dict[str, int] = {}

    def make_data(self) -> None:
        """Writes the images, with random data: neither zeros nor repetition make it easier."""
        say("writing 2 GiB and 1 GiB of data")
        with open(self.dense, "wb") as dense:
            for _ in range(DENSE_BYTES // MIB):
                dense.write(os.urandom(MIB))
        with open(self.sparse, "wb") as sparse:
            for piece in range(SPARSE_PIECES):
                sparse.seek(SPARSE_BYTES // SPARSE_PIECES * piece)
                for _ in range(SPARSE_PIECE_BYTES // MIB):
                    sparse.write(os.urandom(MIB))
            sparse.truncate(SPARSE_BYTES)
        os.symlink(self.image, os.path.join(self.folder, "small.qcow2"))
        if self.debian:
            os.symlink(self.debian, os.path.join(self.folder, "debian.qcow2"))

    def make_dense_bootable(self) -> None:
        """Puts the guest's disk over the first part of the dense image."""
        guest = self.dense + ".guest"
        output(["qemu-img", "convert", "-O", "raw", self.image, guest])
        output(["dd", f"if={guest}", f"of={self.dense}", "bs=1M", "conv=notrunc", "status=none"])
        os.remove(guest)

    def settle(self, path: str) -> None:
        """Makes measurements begin alike: nothing left to write, the data in the page cache."""
        os.sync()
        with open(path, "rb", buffering=0) as file:
            position = 0
            while True:
                try:
                    position = os.lseek(file.fileno(), position, os.SEEK_DATA)
                except OSError:
                    return  # nothing but a hole up to the end
                end = os.lseek(file.fileno(), position, os.SEEK_HOLE)
                os.lseek(file.fileno(), position, os.SEEK_SET)
                while position < end:
                    position += len(file.read(min(MIB, end - position)))

    def forget_downloads(self) -> None:
        output(["rm", "-rf", self.cache])

    def virsh(self, *arguments: str) -> str:
        return output(["virsh", "-q", "-c", self.uri, *arguments])

    def stored(self, volume: str) -> int:
        """Bytes a volume occupies."""
        return os.stat(os.path.join(self.folder, "pool", volume)).st_blocks * 512

    def build(self, template: str, image: str, checksum: str, what: str, **how) -> Run:
        """Runs a build in the benchmark's pool; `what` is what its memory is counted for."""
        self.builds += 1
        variables = {
            "uri": self.uri,
            "pool": self.pool,
            "domain_type": self.domain_type,
            "domain": f"{self.pool}-{self.builds}",
            "image": image,
            "checksum": checksum,
        }
        command = [self.lvhost, "run"]
        for name, value in variables.items():
            command += ["-var", f"{name}={value}"]
        command.append(os.path.join(HERE, template))
        ended = run(command, self.environment, **how)
        self.peaks[what] = max(self.peaks.get(what, 0), ended.peak_bytes)
        return ended


def validate(bench: Bench) -> list[Row]:
    """The documentation's simple example is checked, the start of the program included."""
    command = [bench.lvhost, "validate", SIMPLE]
    run(command, bench.environment)
    times = [run(command, bench.environment).seconds * 1000 for _ in range(VALIDATIONS)]
    took = median(times)
    figure = f"{took:.1f} ms ({min(times):.1f}–{max(times):.1f})"
    work = "`lvhost validate` of the simple example"
    return [Row(work, figure, GO_VALIDATE, "< 20 ms", took < 20)]


def upload(bench: Bench, image: str, what: str, options: list[str], at_most: float) -> list[Row]:
    """A local image is uploaded, by lvhost and by virsh."""
    size = os.stat(image).st_size
    ours, theirs, stored = [], [], []
    for _ in range(bench.rounds):
        bench.settle(image)
        ended = bench.build(
            "image.pkr.hcl", image, "none", what,
            interrupt_at=UPLOADED, then=lambda: stored.append(bench.stored("image")),
        )
        ours.append(ended.between(PREPARING, UPLOADED))
        volume = ["--pool", bench.pool, "yardstick"]
        bench.virsh("vol-create-as", bench.pool, "yardstick", str(size), "--allocation", "0")
        bench.settle(image)
        begun = time.monotonic()
        bench.virsh("vol-upload", *options, *volume, image)
        theirs.append(time.monotonic() - begun)
        bench.virsh("vol-delete", *volume)
    ratio = median(ours) / median(theirs)
    figure = f"{seconds(ours)}, {ratio:.2f} ×"
    command = " ".join(["virsh vol-upload", *options])
    rows = [
        Row(f"upload of {what}", figure, f"`{command}`: {seconds(theirs)}", f"≤ {at_most} ×",
            ratio <= at_most)
    ]
    if options:
        most = max(stored)
        data = os.stat(image).st_blocks * 512
        rows.append(
            Row(f"what {what} occupies in the pool", f"{most / GIB:.2f} GiB",
                f"the file itself: {data / GIB:.2f} GiB", "≤ 1.05 ×", most <= data * 1.05)
        )
    return rows


def upload_sparse(bench: Bench) -> list[Row]:
    return upload(bench, bench.sparse, "a sparse 8 GiB raw (1 GiB of data)", ["--sparse"], 1.3)


def upload_dense(bench: Bench) -> list[Row]:
    return upload(bench, bench.dense, "a dense 2 GiB raw", [], 1.2)


def download(bench: Bench) -> list[Row]:
    """An image is downloaded into the empty cache and verified."""
    checksum = "sha256:" + output(["sha256sum", bench.dense]).split()[0]
    url = f"{bench.address}/dense.raw"
    copy = os.path.join(bench.folder, "copy")
    ours, theirs = [], []
    for _ in range(bench.rounds):
        bench.forget_downloads()
        bench.settle(bench.dense)
        ended = bench.build("image.pkr.hcl", url, checksum, "a dense 2 GiB raw",
                            interrupt_at=DOWNLOADED)
        ours.append(ended.between(PREPARING, DOWNLOADED))
        bench.forget_downloads()
        bench.settle(bench.dense)
        theirs.append(run(["curl", "-sS", "-o", copy, url]).seconds)
        os.remove(copy)
    ratio = median(ours) / median(theirs)
    return [Row("download of 2 GiB over loopback HTTP into the cache, SHA-256 checked",
                f"{seconds(ours)}, {ratio:.2f} ×", f"`curl -o`: {seconds(theirs)}", "≤ 2 ×",
                ratio <= 2)]


def discs(bench: Bench) -> list[Row]:
    """CDs of many small files: each file more takes as long as the one before."""
    times = []
    for count in (DISC_FILES // 10, DISC_FILES):
        folder = os.path.join(bench.folder, f"files-{count}")
        os.mkdir(folder)
        for number in range(count):
            with open(os.path.join(folder, f"file-{number:06}.txt"), "w", encoding="utf-8") as file:
                file.write(f"{number}\n")
        what = f"a CD of {count} files"
        ended = bench.build("disc.pkr.hcl", folder, "none", what, interrupt_at=UPLOADED)
        # The directories of a CD are built in memory: it is no build like the others.
        del bench.peaks[what]
        times.append(ended.between(PREPARING, UPLOADED))
        output(["rm", "-rf", folder])
    few, many = times
    ratio = many / few
    return [Row(f"a CD of {DISC_FILES} files", f"{many:.2f} s, {ratio:.1f} ×",
                f"a CD of {DISC_FILES // 10} files: {few:.2f} s", "≤ 15 ×", ratio <= 15)]


def own_time(ended: Run) -> float:
    """From the start of the process to its end, but for what lvhost's table gives to the guest."""
    guests = [re.search(r"([\d.]+) s  \(the guest's\)$", line) for _, line in ended.lines]
    times = [float(match[1]) for match in guests if match]
    if len(times) != 3:
        raise Failed(f"boot, provisioning and shutdown are not in the table:\n{ended.said()}")
    return ended.seconds - sum(times)


def whole_builds(bench: Bench) -> list[Row]:
    """Guests are built to the end, from a small image and from a large one."""
    own, whole = [], []
    bench.make_dense_bootable()
    small = ("small.qcow2", "the small guest", SMALL_BUILDS)
    for name, what, times in [small, ("dense.raw", "a dense 2 GiB raw", 1)]:
        url = f"{bench.address}/{name}"
        digits = output(["sha256sum", os.path.join(bench.folder, name)]).split()[0]
        for _ in range(times):
            bench.forget_downloads()
            bench.settle(os.path.join(bench.folder, name))
            ended = bench.build("build.pkr.hcl", url, f"sha256:{digits}", what)
            bench.virsh("vol-delete", "--pool", bench.pool, "build")
            if name == "small.qcow2":
                own.append(own_time(ended))
                whole.append(ended.seconds)
    work = "a whole build of the small guest but for its own boot, provisioning and shutdown"
    figure = f"{seconds(own)} of {median(whole):.1f} s"
    return [Row(work, figure, GO_BUILD, "< 3 s", median(own) < 3)]


def under_packer(bench: Bench) -> list[Row]:
    """The plugin and the one in Go validate the same template, and build guests from it."""
    if not (bench.packer and bench.go_plugin):
        say("SKIPPED: under Packer: there is no Go to build it with")
        return []
    contest = Contest(bench.packer, bench.plugin, bench.go_plugin, bench.folder)
    go = "Go plugin 0.5.0: "
    rows = []
    for name, what, times in [("small.qcow2", "the small guest", SMALL_BUILDS),
                              ("debian.qcow2", "the Debian guest", DEBIAN_BUILDS)]:
        image = os.path.join(bench.folder, name)
        digits = output(["sha256sum", image]).split()[0]
        variables = {
            "uri": bench.uri,
            "pool": bench.pool,
            "domain_type": bench.domain_type,
            "domain": f"{bench.pool}-packer",
            "image": f"{bench.address}/{name}",
            "checksum": f"sha256:{digits}",
        }
        if not rows:
            validations = contest.validate(variables)
            ours, theirs = median(validations.ours), median(validations.theirs)
            rows.append(Row("`packer validate`", seconds(validations.ours),
                            go + seconds(validations.theirs), "no longer", ours <= theirs))
        builds = contest.build(
            variables,
            times,
            prepare=lambda image=image: bench.settle(image),
            clean_up=lambda: bench.virsh("vol-delete", "--pool", bench.pool, "build"),
        )
        saved = median(builds.theirs) - median(builds.ours)
        size = os.stat(image).st_size / MIB
        rows.append(Row(f"`packer build` of {what} ({size:.0f} MiB)", seconds(builds.ours),
                        go + seconds(builds.theirs), "5 s shorter", saved >= 5))
    return rows


def memory(bench: Bench) -> list[Row]:
    """What the other measurements have seen."""
    if not bench.peaks:
        raise Failed("no build has run")
    return [
        Row(f"peak memory of a build of {what}", f"{peak / MIB:.1f} MiB", GO_MEMORY, "< 40 MiB",
            peak < 40 * MIB)
        for what, peak in bench.peaks.items()
    ]


MEASUREMENTS: list[tuple[str, Callable[[Bench], list[Row]]]] = [
    ("validate", validate),
    ("upload of a sparse image", upload_sparse),
    ("upload of a dense image", upload_dense),
    ("download", download),
    ("discs", discs),
    ("whole builds", whole_builds),
    ("under Packer", under_packer),
    ("memory", memory),
]


def first_match(pattern: str, path: str) -> str:
    with open(path, encoding="utf-8") as file:
        match = re.search(pattern, file.read(), re.MULTILINE)
    return match[1] if match else "unknown"


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def machine(bench: Bench) -> list[str]:
    """What the figures depend on."""
    libvirt = bench.virsh("version", "--daemon")
    hypervisor = re.search(r"^Running hypervisor: (.*)$", libvirt, re.MULTILINE)
    daemon = re.search(r"^Running against daemon: (.*)$", libvirt, re.MULTILINE)
    if not hypervisor or not daemon:
        raise Failed(f"virsh version: {libvirt}")
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    processor = first_match(r"^model name\s*: (.*)$", "/proc/cpuinfo")
    system = first_match(r'^PRETTY_NAME="?([^"\n]*)', "/etc/os-release")
    return [
        output([bench.lvhost, "version"]).splitlines()[0],
        f"{os.cpu_count()} cores ({processor}), {memory_bytes / GIB:.0f} GiB of memory",
        f"{system}, Linux {os.uname().release}, "
        + output(["findmnt", "-n", "-o", "FSTYPE", "-T", bench.folder]),
        f"libvirt {daemon[1]}, {hypervisor[1]}; guests by `{bench.domain_type}`",
    ]


def main() -> int:
    bench = Bench(sys.argv[1:])
    facts = machine(bench)
    load_before = load()
    bench.make_data()
    server = subprocess.Popen(
        [sys.executable, "-B", os.path.join(HERE, "server.py"), bench.folder],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii",
    )
    bench.address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    rows, failed = [], False
    try:
        for name, measure in MEASUREMENTS:
            if bench.only not in name and not (measure is memory and bench.peaks):
                continue
            say(name)
            try:
                measured = measure(bench)
            except Failed as error:
                failed = True
                say(f"error: {name}: {error}")
                continue
            rows += measured
            for row in measured:
                say(f"  {row.work}: {row.figure}; {row.yardstick}")
    finally:
        server.stdin.close()
        server.wait()
    for fact in facts:
        print(f"* {fact}")
    print(f"* load {load_before} before and {load()} after")
    print()
    print("| work | lvhost | yardstick | to reach | |")
    print("|---|---|---|---|---|")
    for row in rows:
        verdict = "ok" if row.reached else "**MISSED**"
        print(f"| {row.work} | {row.figure} | {row.yardstick} | {row.to_reach} | {verdict} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
