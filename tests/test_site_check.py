"""The check of the built site finds what it is for."""

import runpy
from pathlib import Path

faults = runpy.run_path(str(Path(__file__).parents[1] / "tools/check_site.py"))["faults"]


def test_what_loads_from_the_network_or_is_missing_is_found(tmp_path: Path) -> None:
    (tmp_path / "here.png").touch()
    (tmp_path / "index.html").write_text(
        '<link rel="canonical" href="https://example.org/"><script src="https://cdn.example.org/a.js"></script>'
        '<img src="here.png"><img src="gone.png"><a href="https://napari.org">napari</a><a href="#top">top</a>'
    )
    (tmp_path / "style.css").write_text("@font-face { src: url(https://fonts.example.org/a.woff) }")
    found = faults(tmp_path)
    assert len(found) == 3
    assert "loads https://cdn.example.org/a.js from the network" in found[0]
    assert "refers to gone.png, which is not there" in found[1]
    assert "style.css loads from the network" in found[2]


def test_a_whole_site_has_no_faults(tmp_path: Path) -> None:
    (tmp_path / "page one.html").write_text('<a href="page%20one.html#a">here</a>')
    assert faults(tmp_path) == []
