"""`make demo`: the server, which loads what the first click will need while it waits for the first visitor."""

import sys
from pathlib import Path

from streamlit.web import cli

from pipelines.core.terminal import settle
from pipelines.demo.serving import warm_up

APP = Path(__file__).parents[2] / "streamlit_app.py"


def main() -> None:
    """Takes the flags of `streamlit run`, such as --server.port 8502."""
    warm_up()
    sys.argv = ["streamlit", "run", str(APP), *sys.argv[1:]]
    cli.main()


if __name__ == "__main__":
    settle()
    main()
