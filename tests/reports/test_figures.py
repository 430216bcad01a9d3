"""Axes, charts and the style sheet: honest drawings, legible in light and in dark."""

import itertools
import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.reports.axes import axis_for, fitted_rate_axis, rate_axis, thinned
from accord.reports.estimates import PERCENT, PLAIN, POINT_GAP, Estimate, duration, show
from accord.reports.figures_curves import Point, Series, curve_chart, line
from accord.reports.figures_intervals import Row, interval_chart
from accord.reports.read import Source

SOURCE = Source("a folder/scores.json")
CSS = (resources.files("accord.reports") / "templates" / "style.css").read_text("utf-8")
READABLE, VISIBLE = 4.5, 3.0  # contrast that WCAG 2.2 asks of text and of drawings
TEXT = ("ink", "muted", "link", "good", "unsure", "bad")


def estimate(value, low=None, high=None, n=None, unit=PERCENT):
    return Estimate(value, low, high, n, SOURCE, unit)


def test_a_number_says_its_interval_and_its_n_or_that_they_are_missing():
    one = estimate(0.7634, 0.7211, 0.7988, 480)
    assert (one.text, one.interval, one.n_text) == ("76.3%", "72.1–79.9%", "n\xa0=\xa0480")
    bare = estimate(None)
    assert (bare.text, bare.interval, bare.n_text) == ("–", "no interval", "n unknown")
    assert estimate(12.0, -3.4, 20.0, 9, POINT_GAP).interval == "−3 to +20"


def test_a_link_has_no_scheme_and_no_spaces():
    assert SOURCE.href == "./a%20folder/scores.json"
    assert Source("javascript:alert(1)").href == "./javascript%3Aalert%281%29"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.51, 0.6, "above"),
        (0.4, 0.49, "below"),
        (0.5, 0.6, "includes"),
        (0.4, 0.5, "includes"),
        (None, 0.4, "unknown"),
    ],
)
def test_an_interval_that_touches_the_null_includes_it(low, high, verdict):
    assert estimate(0.5, low, high).verdict(0.5) == verdict


def test_times_and_signs_are_written_for_people():
    assert [duration(s).replace("\u202f", " ") for s in (3.21, 59.96, 3725)] == [
        "3.2 s",
        "60.0 s",
        "1 h 2 min",
    ]
    assert show(-0.001, PLAIN) == "0.00"
    assert show(-12345.6, POINT_GAP).replace("\u202f", " ") == "−12 346"


numbers = st.floats(-1e9, 1e9, allow_nan=False)


@given(st.lists(numbers, min_size=1, max_size=8))
def test_an_axis_holds_its_data_and_labels_round_values(values):
    axis = axis_for(values)
    slack = 1e-8 * (axis.high - axis.low)
    assert all(axis.low - slack <= value <= axis.high + slack for value in values)
    assert 2 <= len(axis.ticks) <= 8
    assert all(0 <= tick.at <= 100 for tick in axis.ticks)
    assert [tick.at for tick in axis.ticks] == sorted(tick.at for tick in axis.ticks)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_an_axis_of_rates_stays_between_nothing_and_all(values):
    axis = fitted_rate_axis(values)
    assert 0 <= axis.low <= 0.5 <= axis.high <= 1


@pytest.mark.parametrize(
    "values", [[], [None], [0.0], [0.1 + 0.2, 0.3], [5e-324], [0.0, 5e-324], [-5.0, -5.0]]
)
def test_an_axis_exists_for_any_data(values):
    axis = axis_for(values)
    assert axis.low < axis.high
    assert axis.ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-4, 1e6))
def test_labels_are_as_far_apart_as_their_values(low, width):
    texts = [tick.text for tick in axis_for([low, low + width]).ticks]
    plain = [text.replace("−", "-").replace("\u202f", "") for text in texts]
    steps = [float(b) - float(a) for a, b in itertools.pairwise(plain)]
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-2)


def test_narrow_axes_write_enough_digits():
    assert [t.text for t in axis_for([0.7026, 0.7098], ticks=3).ticks] == [
        "0.7025",
        "0.705",
        "0.7075",
        "0.71",
    ]
    assert [t.text for t in fitted_rate_axis([0.51, 0.59]).ticks] == [
        "50.0%",
        "52.5%",
        "55.0%",
        "57.5%",
        "60.0%",
    ]


def test_a_snug_axis_ends_where_the_data_end():
    axis = axis_for([1.0, 120.0], include=(0.0,), ticks=3, snug=True)
    assert (axis.low, axis.high) == (0.0, 120.0)
    assert [tick.text for tick in axis.ticks] == ["0", "50", "100"]


def test_bars_begin_at_zero_or_are_refused():
    row = Row("SFT", estimate(0.6, 0.5, 0.7, 10))
    chart = interval_chart([row], rate_axis(), heading="", bars=True)
    drawn = chart.rows[0]
    assert (drawn.value, drawn.low, drawn.high) == (60.0, 50.0, 70.0)
    with pytest.raises(ValueError, match="bars need an axis that begins at zero"):
        interval_chart([row], rate_axis(low=0.5, step=0.1), heading="", bars=True)


def test_what_is_not_known_is_not_drawn():
    chart = interval_chart(
        [Row("a", estimate(None)), Row("b", estimate(0.5))], rate_axis(), heading=""
    )
    assert [(d.value, d.low, d.high) for d in chart.rows] == [
        (None, None, None),
        (50.0, None, None),
    ]


def test_a_label_at_the_edge_stays_inside():
    chart = interval_chart(
        [], rate_axis(), heading="", references=[(0.0, "a"), (0.5, "b"), (1.0, "c")]
    )
    assert [line.anchor for line in chart.references] == ["start", "middle", "end"]


def test_curves_go_up_when_values_do():
    series = Series("a", "tone-1", (Point(0, 0), Point(1, 10, low=9, high=11)))
    chart = curve_chart([series], title="t", x_label="x", y_label="y")
    first, last = chart.series[0].points
    assert (first.x, last.x) == (0.0, 100.0)
    assert first.y > last.y  # SVG counts downwards
    assert last.high < last.y < last.low
    assert chart.series[0].path.startswith("M0 ")
    assert chart.summary == "t: a from 0 to 10"


def test_a_chart_without_data_says_so():
    assert curve_chart([], title="t", x_label="", y_label="").summary == "t: no data"


@given(st.integers(2, 400), st.integers(2, 60))
def test_thinning_keeps_the_mean_of_a_line_and_its_end(length, most):
    points = [(float(i), 2.0 * i) for i in range(length)]
    few = thinned(points, most)
    assert len(few) <= most
    assert few[-1] == points[-1]
    assert all(y == pytest.approx(2 * x) for x, y in few)


def test_long_lines_have_no_dots():
    values = [(float(i), 0.0) for i in range(1000)]
    assert len(line("a", "tone-1", values, dots=True).points) <= 160
    assert not line("a", "tone-1", values, dots=True).dots
    assert line("a", "tone-1", values[:5], dots=True).dots


def colours(block):
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block))


def schemes():
    """The colours of the light and of the dark page."""
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    return [colours(light), colours(dark)]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_both_schemes_define_the_same_colours():
    light, dark = schemes()
    assert set(light) == set(dark)


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_text_and_drawings_stand_out_from_the_page(scheme):
    for ground in (scheme["paper"], scheme["card"]):
        for name in TEXT:
            assert contrast(scheme[name], ground) >= READABLE, name
        for number in range(7):
            assert contrast(scheme[f"t{number}"], ground) >= VISIBLE, number
    for name in ("good", "unsure", "bad"):
        assert contrast(scheme[name], scheme[f"{name}-soft"]) >= READABLE, name
        assert contrast(scheme["ink"], scheme[f"{name}-soft"]) >= READABLE, name


def test_colours_are_only_named_where_they_are_defined():
    outside = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,8}\b", outside) == ["#fff"]  # paper, when printed
