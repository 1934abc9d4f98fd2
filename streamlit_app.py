"""The demo: `make demo`, or `streamlit run streamlit_app.py`."""

from pipelines.demo.app import main

main()
