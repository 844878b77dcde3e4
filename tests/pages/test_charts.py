"""Charts: numbers become bars and steps of the right size, and words stay words."""

from __future__ import annotations

import re

import pytest
from pages.reading import read

from ximilar_async.pages import Bar, Bars, Chart, Charts, Line, Shade, Step, Steps, Stretch, Table
from ximilar_async.pages._charts import ceiling

EVIL = "<script>alert(1)</script>"


def test_bars_are_as_long_as_their_numbers() -> None:
    """The longest is whole, half is half, what is little is seen, and nothing is nothing."""
    values = (100, 50, 0.001, 0)
    html = Bars("Bars", tuple(Bar(str(n), n, str(n)) for n in values)).to_html()
    assert re.findall(r"width:([\d.]+)%", html) == ["100.0", "50.0", "0.6", "0.0"]


def test_a_line_steps_from_value_to_value_and_breaks_where_there_is_none() -> None:
    """Stretches of a box of 1000 by 100, the highest number below its top."""
    stretches = (
        Stretch(0, 1, 40),
        Stretch(1, 2, 20),
        Stretch(2, 3, None),
        Stretch(3, 4, 0),
    )
    html = Chart("Records", (Line("all", stretches, filled=True),)).to_html()
    assert 'd="M0.0 0.0H250.0V50.0H500.0M750.0 100.0H1000.0"' in html
    assert 'd="M0.0 0.0H250.0V50.0H500.0V100H0.0ZM750.0 100.0H1000.0V100H750.0Z"' in html
    page = read(html)
    assert "40 20 0" in page.text
    assert page.text.count("all") == 4  # the key, and what is said at three times


def test_a_shade_is_where_it_was_and_never_beside_the_chart() -> None:
    """The shortest is seen; one that goes on beyond the last point ends with it."""
    line = Line("all", (Stretch(0, 10, 1),))
    shades = (Shade(5, 7.5, "paused"), Shade(9.9999, 30, "no answer", "bad"))
    page = read(Chart("Records", (line,), shades).to_html())
    places = [(one["x"], one["width"]) for one in page.all("rect") if "shade" in str(one["class"])]
    assert places == [("500.0", "250.0"), ("998.0", "2.0")]
    assert "paused, no answer" in page.text


@pytest.mark.parametrize(
    "lines", [(), (Line("none", ()),), (Line("gap", (Stretch(0, 1, None),)),)], ids=str
)
def test_charts_without_values_say_so(lines: tuple[Line, ...]) -> None:
    """Nothing is drawn of nothing."""
    html = Charts("Over time", (Chart("Records", lines),), empty="nothing to draw").to_html()
    assert "svg" not in html
    assert "nothing to draw" in html


@pytest.mark.parametrize("value", [0.0003, 0.9, 1, 7, 99, 101, 123456])
def test_the_top_of_a_chart_is_near_and_round(value: float) -> None:
    """No number is cut off, and none is lost at the bottom."""
    assert value <= ceiling(value) <= 2.5 * value + 1e-9


def test_words_of_charts_steps_and_tables_are_believed_nowhere() -> None:
    """A record's words stay words, in text and in attributes."""
    line = Line(EVIL, (Stretch(0, 1, 1),))
    parts = (
        Bars(EVIL, (Bar(EVIL, 1, EVIL),), EVIL),
        Charts(EVIL, (Chart(EVIL, (line,), (Shade(0, 1, EVIL),)),), EVIL),
        Steps(EVIL, (Step(EVIL, EVIL),), EVIL),
        Table(EVIL, (EVIL,), ((EVIL,),), EVIL, stacked=True),
    )
    for part in parts:
        page = read(part.to_html())
        assert "script" not in {tag for tag, _ in page.tags}
        assert EVIL in page.text
