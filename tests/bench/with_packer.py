"""Measures the plugin beside the one in Go 0.5.0, under the same Packer."""

import os
from typing import NamedTuple

from programs import Run, output, run

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATE = os.path.join(HERE, "packer.pkr.hcl")
SOURCE = "github.com/thomasklein94/libvirt"
VALIDATIONS = 10


class Times(NamedTuple):
    """Seconds of the plugin and of the one in Go, measured in turns."""

    ours: list[float]
    theirs: list[float]


class Packer:
    """A Packer with one plugin and nothing of the user's."""

    def __init__(self, packer: str, plugin: str, folder: str) -> None:
        self.packer = packer
        self.folder = folder
        os.mkdir(folder)
        self.environment = {
            "PACKER_PLUGIN_PATH": os.path.join(folder, "plugins"),
            "PACKER_CONFIG_DIR": os.path.join(folder, "config"),
            "PACKER_CACHE_DIR": os.path.join(folder, "cache"),
            "XDG_STATE_HOME": os.path.join(folder, "state"),
            "CHECKPOINT_DISABLE": "1",
            "PACKER_NO_COLOR": "1",
        }
        self.run(["plugins", "install", "--path", plugin, SOURCE])

    def run(self, arguments: list[str]) -> Run:
        return run([self.packer, *arguments], self.environment)

    def forget_downloads(self) -> None:
        output(["rm", "-rf", os.path.join(self.folder, "cache")])


class Contest:
    """Both plugins."""

    def __init__(self, packer: str, plugin: str, go_plugin: str, folder: str) -> None:
        self.ours = Packer(packer, plugin, os.path.join(folder, "packer"))
        self.theirs = Packer(packer, go_plugin, os.path.join(folder, "packer-go"))
        self.key = os.path.join(folder, "key")
        output(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key])
        with open(f"{self.key}.pub", encoding="ascii") as public:
            self.public = public.read().strip()

    def arguments(self, variables: dict[str, str]) -> list[str]:
        all_variables = {**variables, "key": self.key, "public_key": self.public}
        arguments = []
        for name, value in all_variables.items():
            arguments += ["-var", f"{name}={value}"]
        return [*arguments, TEMPLATE]

    def validate(self, variables: dict[str, str]) -> Times:
        """`packer validate`, the start of Packer included."""
        times = Times([], [])
        command = ["validate", *self.arguments(variables)]
        for packer in (self.ours, self.theirs):
            packer.run(command)
        for _ in range(VALIDATIONS):
            times.ours.append(self.ours.run(command).seconds)
            times.theirs.append(self.theirs.run(command).seconds)
        return times

    def build(self, variables: dict[str, str], rounds: int, prepare, clean_up) -> Times:
        """`packer build` with an empty cache, from its start to its end."""
        times = Times([], [])
        for number in range(rounds):
            for packer, seconds in ((self.ours, times.ours), (self.theirs, times.theirs)):
                packer.forget_downloads()
                prepare()
                name = f"{variables['domain']}-{number}-{len(seconds)}"
                arguments = self.arguments({**variables, "domain": name})
                seconds.append(packer.run(["build", *arguments]).seconds)
                clean_up()
        return times
