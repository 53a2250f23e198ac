"""`sliceworks completion`: the lines that make a shell complete commands and options."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(*, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    \b
    bash (4.4 or newer):  echo 'eval "$(sliceworks completion bash)"' >> ~/.bashrc
    zsh:                  echo 'eval "$(sliceworks completion zsh)"' >> ~/.zshrc
    fish:                 sliceworks completion fish > ~/.config/fish/completions/sliceworks.fish
    """
    from click.shell_completion import get_completion_class

    from sliceworks.cli.main import sliceworks

    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(sliceworks, {}, "sliceworks", "_SLICEWORKS_COMPLETE")
    click.echo(made.source_template % made.source_vars())
